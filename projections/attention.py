"""The attention view: orders that need a person, by what stopped them."""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Connection,
    Delete,
    Dialect,
    Index,
    MetaData,
    Table,
    bindparam,
    delete,
)

from projections.change import Change
from projections.moments import microseconds
from projections.tables import Bulk, Place, Text, indexable, insert_into
from schemas.steps import Phase, WaybillStep
from streams.core.follow_ups import follow_ups
from streams.core.order import ENDED, FINAL, Order, Progress, State, StepStatus, holds_up

DEFERRED = "deferred"
"""The kind under which orders are counted that a stage does not take now; no person is needed."""
PAUSED = "paused"
"""The kind of orders that somebody has paused: a person must let them go on."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an order needs a person.

    `kind`: `failed` (the run), `in_doubt` (a step whose outcome nobody knows), `post_failed` (a
    step behind the main phase, tried often enough), `compensation_failed` (a step could not be
    undone), `follow_up` (a step is done, and has left something to do).
    """

    step: str
    plugin: str
    kind: str
    code: str


def attention_table(metadata: MetaData, prefix: str) -> Table:
    """One row per order and step; `created` is the order's, by which lists are sorted."""
    table = Table(
        f"{prefix}attention",
        metadata,
        Column("order_place", Place, primary_key=True, autoincrement=False),
        Column("step", Text, primary_key=True),
        Column("tenant", Text, nullable=False),
        Column("plugin", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("code", Text, nullable=False),
        Column("created", Place, nullable=False),
    )
    columns = table.c
    Index(
        f"{prefix}attention_created",
        columns.tenant,
        columns.created,
        columns.order_place,
        columns.kind,
        columns.plugin,
        columns.code,
    )
    return table


def attention_bulk(table: Table, dialect: Dialect) -> Bulk:
    """What `AttentionView` inserts with."""
    return Bulk(insert_into(table, dialect), table, dialect)


def attention_removal(table: Table) -> Delete:
    """Takes an order off the list."""
    return delete(table).where(table.c.order_place == bindparam("order"))


def causes(order: Order | None) -> tuple[Cause, ...]:
    """What about the order needs a person, from its state alone."""
    if order is None:
        return ()
    found: list[Cause] = []
    for step, progress in zip(order.accepted.waybill, order.progress, strict=True):
        if progress.status in _TROUBLES:
            kind = _kind(order, step, progress.status)
            if kind is not None:
                found.append(_cause(step, kind, progress))
    for index, left in follow_ups(order):
        step = order.accepted.waybill[index]
        code = indexable(left.code)
        found.append(Cause(indexable(step.id), indexable(step.plugin), "follow_up", code))
    return tuple(found)


_TROUBLES = frozenset({StepStatus.FAILED, StepStatus.IN_DOUBT, StepStatus.COMPENSATION_FAILED})


def _kind(order: Order, step: WaybillStep, status: StepStatus) -> str | None:
    """The kind of the cause; None where the order goes on, or has ended, in spite of it."""
    if status is StepStatus.COMPENSATION_FAILED:
        return None if order.state in FINAL else "compensation_failed"
    if step.phase is Phase.POST:
        return "post_failed" if order.main_completed else None
    if not holds_up(step):
        return None
    if order.state is State.FAILED:
        return "failed" if step.id == order.failed_step else None
    in_doubt = status is StepStatus.IN_DOUBT and order.state not in ENDED
    return "in_doubt" if in_doubt and not order.main_completed else None


def _cause(step: WaybillStep, kind: str, progress: Progress) -> Cause:
    failure = progress.failure
    code = "" if failure is None else indexable(failure.code)
    return Cause(indexable(step.id), indexable(step.plugin), kind, code)


class AttentionView:
    """The rows of an order follow from its last state; most orders never have one."""

    def __init__(self, bulk: Bulk, removal: Delete) -> None:
        self._bulk = bulk
        self._removal = removal
        self._before: dict[int, tuple[Cause, ...]] = {}
        self._after: dict[int, Order] = {}

    def apply(self, change: Change) -> None:
        """Remember what stood before the transaction and what stands now."""
        if change.order_place not in self._before:
            self._before[change.order_place] = causes(change.before)
        self._after[change.order_place] = change.after

    def write(self, connection: Connection) -> None:
        """Replace the rows of the orders whose causes have changed."""
        rows: list[tuple[int | str, ...]] = []
        gone: list[dict[str, int]] = []
        for place, order in self._after.items():
            now = causes(order)
            if now == self._before[place]:
                continue
            if self._before[place]:
                gone.append({"order": place})
            created = microseconds(order.created)
            rows += [
                (place, cause.step, order.tenant, cause.plugin, cause.kind, cause.code, created)
                for cause in now
            ]
        if gone:
            connection.execute(self._removal, gone)
        self._bulk.write(connection, rows)
