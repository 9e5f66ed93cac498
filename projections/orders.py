"""The orders view: one row per order, with its folded state and the columns to find it by."""

from datetime import UTC, datetime, timedelta
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
)

from projections.change import Change
from projections.tables import Bulk, Place, Text, indexable, upsert
from streams.core.order import Order, State
from streams.core.snapshot import state_bytes

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

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
    "updated",
    "last_place",
    "state",
)


def orders_table(metadata: MetaData, prefix: str) -> Table:
    """What orders are filtered by, and the folded state; all else is in the acceptance."""
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
        Column("updated", Place, nullable=False),
        Column("last_place", Place, nullable=False),
        Column("state", LargeBinary, nullable=False),
    )
    _indexes(table, prefix)
    return table


def _indexes(table: Table, prefix: str) -> None:
    """Each costs at every write; the mass of completed orders is only in the first four."""
    columns = table.c
    Index(f"{prefix}orders_id", columns.id, unique=True)
    Index(f"{prefix}orders_created", columns.tenant, columns.created)
    Index(f"{prefix}orders_external", columns.tenant, columns.external_id)
    Index(f"{prefix}orders_reference", columns.tenant, columns.order_reference)
    Index(
        f"{prefix}orders_lane",
        columns.lane,
        columns.lane_offset,
        sqlite_where=unfinished(table),
        postgresql_where=unfinished(table),
    )
    Index(
        f"{prefix}orders_incomplete",
        columns.tenant,
        columns.status,
        columns.created,
        sqlite_where=incomplete(table),
        postgresql_where=incomplete(table),
    )


def unfinished(table: Table) -> ColumnElement[bool]:
    """Orders that have not ended; written out, so that a query is seen to fit the small index."""
    return table.c.status.not_in([literal_column("'complete'"), literal_column("'failed'")])


def incomplete(table: Table) -> ColumnElement[bool]:
    """All but the mass of orders that ended well; written out for the same reason."""
    return table.c.status != literal_column("'complete'")


def orders_bulk(table: Table, dialect: Dialect) -> Bulk:
    """What `OrdersView` writes with."""
    return Bulk(upsert(table, dialect, _CHANGING), table, dialect)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970: a number that both databases keep alike."""
    return (moment - EPOCH) // _MICROSECOND


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
    order, accepted = change.after, change.after.accepted
    error = _error(order)
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
        accepted.fingerprint,
        microseconds(order.created),
        status_word(order.state),
        _stage(order),
        *error,
        order.run,
        order.sequence,
        order.offset,
        microseconds(order.updated),
        change.place,
        state_bytes(order),
    )


def _stage(order: Order) -> str | None:
    """The plugin that the order stands at; None behind the last one."""
    step = order.step
    return None if step is None else indexable(step.plugin)


def _error(order: Order) -> tuple[str | None, str | None, str | None]:
    """Code, step and plugin of what stopped the order."""
    if order.state is State.IN_DOUBT:
        step, failure = order.step, order.progress[order.position].failure
    elif order.failure is not None:
        step, failure = order.step, order.failure
    else:
        return None, None, None
    assert step is not None
    assert failure is not None
    return indexable(failure.code), indexable(step.id), indexable(step.plugin)
