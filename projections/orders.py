"""The orders view: one row per order, with its folded state and the columns to find it by."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    literal_column,
    or_,
)
from sqlalchemy.sql.expression import FromClause

from projections.change import Change
from projections.moments import microseconds
from projections.planning import ORDERS, tell_sqlite
from projections.standing import standing
from projections.tables import Bulk, Place, Text, indexable, upsert
from streams.core.order import DONE, WAITS, Order, State, StepStatus
from streams.core.snapshot import state_bytes
from streams.core.wakes import wake

STATUS_WORDS = {State.ACCEPTED: "submitted", State.COMPLETED: "complete"}
"""States that have another word outside."""

_CHANGING = (
    "status",
    "stage",
    "error_code",
    "error_step",
    "error_plugin",
    "run",
    "sequence",
    "lane_offset",
    "passes",
    "behind",
    "config_version",
    "attempt",
    "wake_at",
    "wake_stage",
    "updated",
    "last_place",
    "state",
)


def orders_table(metadata: MetaData, prefix: str) -> Table:
    """What orders are filtered by, and the folded state; all else is in the acceptance.

    `attempt` is the open or next one where it stands; it awaits `wake_at` or `wake_stage`.
    """
    table = Table(
        f"{prefix}orders",
        metadata,
        Column("place", Place, primary_key=True, autoincrement=False),
        Column("id", Text, nullable=False),
        Column("tenant", Text, nullable=False),
        Column("lane", Text, nullable=False),
        Column("order_type", Text, nullable=False),
        Column("mode", Text, nullable=False),
        Column("external_id", Text),
        Column("order_reference", Text, nullable=False),
        Column("subscription_reference", Text, nullable=False),
        Column("owner", Text, nullable=False),
        Column("config_version", Integer, nullable=False),
        Column("fingerprint", LargeBinary, nullable=False),
        Column("created", Place, nullable=False),
        Column("status", Text, nullable=False),
        Column("stage", Text),
        Column("error_code", Text),
        Column("error_step", Text),
        Column("error_plugin", Text),
        Column("run", Integer, nullable=False),
        Column("sequence", Integer, nullable=False),
        Column("lane_offset", Place, nullable=False),
        Column("passes", Place, nullable=False),
        Column("behind", Text),
        Column("attempt", Integer),
        Column("wake_at", Place),
        Column("wake_stage", Text),
        Column("updated", Place, nullable=False),
        Column("last_place", Place, nullable=False),
        Column("state", LargeBinary, nullable=False),
    )
    _indexes(table, prefix)
    return table


def _indexes(table: Table, prefix: str) -> None:
    """Each costs at every write; the mass of completed orders is only in those of the whole.

    Lists are sorted by `created`. Behind it stands what another filter may ask for, so that those
    who do not fit are passed over in the index.
    """
    Index(f"{prefix}orders_id", table.c.id, unique=True)
    for name, columns in _OF_ALL.items():
        Index(f"{prefix}orders_{name}", *(table.c[column] for column in columns))
    for name, (part, columns) in _OF_PART.items():
        Index(
            f"{prefix}orders_{name}",
            *(table.c[column] for column in columns),
            sqlite_where=part(table),
            postgresql_where=part(table),
        )
    tell_sqlite(table, ORDERS)


def unfinished(table: FromClause) -> ColumnElement[bool]:
    """Orders that have not ended; written out, so that a query is seen to fit the small index."""
    ends = ("'complete'", "'failed'", "'cancelled'")
    return table.c.status.not_in([literal_column(end) for end in ends])


def awaited(table: FromClause) -> ColumnElement[bool]:
    """Orders that rest until a time, a stage or another order lets them go on."""
    columns = table.c
    return or_(
        columns.wake_at.is_not(None),
        columns.wake_stage.is_not(None),
        columns.status == literal_column("'queued'"),
    )


def incomplete(table: FromClause) -> ColumnElement[bool]:
    """All but the mass of orders that ended well; written out for the same reason."""
    return table.c.status != literal_column("'complete'")


def rehearsed(table: FromClause) -> ColumnElement[bool]:
    """Orders of a mode that is not `production`; written out for the same reason."""
    return table.c.mode != literal_column("'production'")


_OF_ALL: Mapping[str, Sequence[str]] = {
    "created": ("tenant", "created"),
    "external": ("tenant", "external_id"),
    "reference": ("tenant", "order_reference"),
    "subscription": ("tenant", "subscription_reference"),
    "of_lane": ("tenant", "lane"),
    "type": ("tenant", "order_type", "created"),
}
_KIND = ("order_type", "mode")
_OF_PART: Mapping[str, tuple[Callable[[FromClause], ColumnElement[bool]], Sequence[str]]] = {
    "lane": (unfinished, ("lane", "lane_offset", "passes")),
    "incomplete": (incomplete, ("tenant", "status", "created", *_KIND, "stage", "error_code")),
    "stage": (
        lambda table: table.c.stage.is_not(None),
        ("tenant", "stage", "created", "status", *_KIND, "error_code"),
    ),
    "error": (
        lambda table: table.c.error_code.is_not(None),
        ("tenant", "error_code", "created", "status", *_KIND),
    ),
    "rehearsed": (rehearsed, ("tenant", "created", "mode", "order_type", "status")),
    "awaited": (awaited, ("place",)),
}


def orders_bulk(table: Table, dialect: Dialect) -> Bulk:
    """What `OrdersView` writes with."""
    return Bulk(upsert(table, dialect, _CHANGING), table, dialect)


def status_word(state: State) -> str:
    """The state in the words of the API."""
    return STATUS_WORDS.get(state, state.value)


class OrdersView:
    """Only the last state of each order is written, however many events a transaction has."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._last: dict[int, Change] = {}

    def apply(self, change: Change) -> None:
        """The newest state replaces the one before."""
        self._last[change.order_place] = change

    def write(self, connection: Connection) -> None:
        """One upsert per order."""
        self._bulk.write(connection, [_row(change) for change in self._last.values()])


def _row(change: Change) -> tuple[Any, ...]:
    """The fingerprint is that of the acceptance, whatever the order was amended to."""
    order, accepted = change.after, change.after.accepted
    stand = _stand(order)
    return (
        change.order_place,
        order.id,
        order.tenant,
        indexable(order.lane),
        indexable(accepted.order_type),
        indexable(accepted.mode),
        None if accepted.external_id is None else indexable(accepted.external_id),
        indexable(accepted.order_reference),
        indexable(accepted.subscription_reference),
        indexable(accepted.owner),
        accepted.config_version,
        order.original or accepted.fingerprint,
        microseconds(order.created),
        status_word(order.state),
        *stand[:4],
        order.run,
        order.sequence,
        order.offset,
        order.passes,
        order.behind,
        *stand[4:],
        microseconds(order.updated),
        change.place,
        state_bytes(order),
    )


_UNTROUBLED = frozenset({StepStatus.PENDING, StepStatus.STARTED, *DONE, StepStatus.COMPENSATED})
_NOWHERE = (None,) * 7


def _stand(order: Order) -> tuple[Any, ...]:
    """Where the order stands: plugin, code, step and plugin of what stops it, attempt, wake."""
    at = standing(order)
    wakes = _wakes(order)
    if at is None:
        return _NOWHERE
    step, progress = order.accepted.waybill[at], order.progress[at]
    plugin, failure = indexable(step.plugin), progress.failure
    if failure is None or progress.status in _UNTROUBLED:
        return plugin, None, None, None, progress.attempt, *wakes
    error = indexable(failure.code), indexable(step.id), plugin
    return plugin, *error, progress.attempt, *wakes


_NEVER = (None, None)


def _wakes(order: Order) -> tuple[int | None, str | None]:
    """The time and the stage that a resting order waits for."""
    for one in order.progress:
        if one.status in WAITS:
            break
    else:
        return _NEVER
    awaited = wake(order)
    if awaited is None:
        return _NEVER
    due = None if awaited.due is None else microseconds(awaited.due)
    stage = None if awaited.stage is None else indexable(awaited.stage)
    return due, stage
