"""The attention view: orders that need a person, by what stopped them."""

from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Connection,
    Delete,
    Dialect,
    MetaData,
    Table,
    bindparam,
    delete,
)

from projections.change import Change
from projections.tables import Bulk, Place, Text, indexable, insert_into
from schemas.steps import Failure, Phase, WaybillStep
from streams.core.order import Order, State, StepStatus


@dataclass(frozen=True, slots=True)
class Cause:
    """Why an order needs a person. `kind`: in_doubt, failed, or post_failed."""

    step: str
    plugin: str
    kind: str
    code: str


def attention_table(metadata: MetaData, prefix: str) -> Table:
    """One row per order and step."""
    return Table(
        f"{prefix}attention",
        metadata,
        Column("order_place", Place, primary_key=True, autoincrement=False),
        Column("step", Text, primary_key=True),
        Column("tenant", Text, nullable=False),
        Column("plugin", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("code", Text, nullable=False),
    )


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
    waybill = order.accepted.waybill
    if order.state is State.IN_DOUBT:
        return (
            _cause(waybill[order.position], "in_doubt", order.progress[order.position].failure),
        )
    if order.state is State.FAILED:
        return (_cause(waybill[order.position], "failed", order.failure),)
    if not order.main_completed:
        return ()
    return tuple(
        _cause(step, "post_failed", progress.failure)
        for step, progress in zip(waybill, order.progress, strict=True)
        if step.phase is Phase.POST and progress.status in {StepStatus.FAILED, StepStatus.IN_DOUBT}
    )


def _cause(step: WaybillStep, kind: str, failure: Failure | None) -> Cause:
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
            rows += [
                (place, cause.step, order.tenant, cause.plugin, cause.kind, cause.code)
                for cause in now
            ]
        if gone:
            connection.execute(self._removal, gone)
        self._bulk.write(connection, rows)
