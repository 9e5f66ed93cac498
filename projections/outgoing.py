"""What the outlet reads: applied events with the order before and after, and how far it is.

Every event is folded once more on the way out, because what subscribers are told are changes of
state, and the row of an order only holds its last one. So nothing is stored twice.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from projections.store import OUTLET, Store
from projections.tables import insert_into, parted, place_of
from projections.viewset import ViewSet
from schemas.codec import decode
from schemas.events import Event, Fact, OrderAmended, OrderReopened
from streams.core.evolve import evolve
from streams.core.order import ENDED, Order, State

_REMEMBERED = 4_000
"""Orders on their way that are kept at hand; others are folded from their acceptance again."""

_NEWS: Mapping[type[Fact], str] = {OrderAmended: "amended", OrderReopened: "reopened"}


class AnotherOutletError(Exception):
    """The position is not where this outlet left it: somebody else publishes as well."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One applied event, and the order as it stood right before and right behind it.

    `previous` is the sequence of the order's news before this event; None at its acceptance.
    """

    event: Event
    before: Order | None
    after: Order
    previous: int | None

    @property
    def is_change(self) -> bool:
        """Whether the order's state is another one now."""
        return self.before is None or self.before.state is not self.after.state

    @property
    def news(self) -> str | None:
        """What subscribers are told has become of the order; None where they are told nothing.

        The new state, unless the fact says more than the state that it leads to.
        """
        named = _NEWS.get(type(self.event.fact))
        if named is not None:
            return named
        return self.after.state.value if self.is_change else None

    @property
    def ends(self) -> State | None:
        """How the order has ended right now; every end of a run is one once."""
        return self.after.state if self.is_change and self.after.state in ENDED else None


@dataclass(frozen=True, slots=True)
class _Folded:
    """An order as its event at `place` left it; `told` is the sequence of its last news."""

    place: int
    order: Order
    told: int | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What lies between the position and `upto`, the position once it is out."""

    outgoing: Sequence[Outgoing]
    upto: int
    is_full: bool


class OutgoingEvents:
    """Reads the timeline of the current set, and keeps the position outside of it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._orders: OrderedDict[int, _Folded] = OrderedDict()

    def positions(self) -> dict[int, int]:
        """The last offset that is out, by partition."""
        with self._store.reader.begin() as connection:
            rows = connection.execute(select(OUTLET.c.partition, OUTLET.c.offset))
            return dict(rows.tuples().all())

    def advance(self, moves: Mapping[int, tuple[int, int]]) -> None:
        """Move positions `{partition: (from, to)}`; `AnotherOutletError` where one has moved."""
        with self._store.writer.begin() as connection:
            first = insert_into(OUTLET, connection.dialect).on_conflict_do_nothing()
            for partition, (start, end) in sorted(moves.items()):
                if start < 0:
                    connection.execute(first, {"partition": partition, "offset": -1})
                moved = connection.execute(
                    update(OUTLET)
                    .where(OUTLET.c.partition == partition, OUTLET.c.offset == start)
                    .values(offset=end)
                )
                if moved.rowcount != 1:
                    raise AnotherOutletError(f"partition {partition} no longer stands at {start}")

    def batch(self, partition: int, after: int, applied: int, limit: int) -> Batch:
        """Up to `limit` events behind offset `after`, as far as `applied`."""
        start = place_of(partition, after)
        with self._store.reading() as (connection, tables):
            rows = connection.execute(
                _events(tables),
                {"after": start, "upto": place_of(partition, applied), "limit": limit},
            ).all()
            orders = self._orders_before(connection, tables, start, rows)
        outgoing = [_folded(orders, row) for row in rows]
        self._remember(orders)
        is_full = len(rows) == limit
        upto = parted(rows[-1].place)[1] if is_full else applied
        return Batch(outgoing, upto, is_full)

    def _orders_before(
        self, connection: Connection, tables: ViewSet, start: int, rows: Sequence[Row[Any]]
    ) -> dict[int, _Folded]:
        """The orders of the rows by place, as they stood at `start`."""
        wanted = {row.order_place for row in rows if row.order_place <= start}
        orders: dict[int, _Folded] = {}
        for order_place in wanted:
            known = self._orders.get(order_place)
            # A batch that could not be published is read again: what was folded is ahead then.
            if known is not None and known.place <= start:
                orders[order_place] = known
        missing = wanted - orders.keys()
        if missing:
            for row in connection.execute(_so_far(tables, missing, start)):
                _folded(orders, row)
        return orders

    def _remember(self, orders: Mapping[int, _Folded]) -> None:
        for order_place, known in orders.items():
            if known.order.state in ENDED:
                self._orders.pop(order_place, None)
            else:
                self._orders[order_place] = known
                self._orders.move_to_end(order_place)
        while len(self._orders) > _REMEMBERED:
            self._orders.popitem(last=False)


def _events(tables: ViewSet) -> Any:
    timeline = tables.timeline.c
    return (
        select(timeline.place, timeline.order_place, timeline.value)
        .where(timeline.place > bindparam("after"), timeline.place <= bindparam("upto"))
        .order_by(timeline.place)
        .limit(bindparam("limit"))
    )


def _so_far(tables: ViewSet, orders: Collection[int], upto: int) -> Any:
    timeline = tables.timeline.c
    return (
        select(timeline.place, timeline.order_place, timeline.value)
        .where(timeline.order_place.in_(orders), timeline.place <= upto)
        .order_by(timeline.place)
    )


def _folded(orders: dict[int, _Folded], row: Row[Any]) -> Outgoing:
    """The event of the row; its order in `orders` is moved on."""
    event = decode(row.value)
    known = orders[row.order_place] if row.place != row.order_place else None
    before, told = (None, None) if known is None else (known.order, known.told)
    after = evolve(before, event, parted(row.place)[1])
    assert after is not None
    outgoing = Outgoing(event, before, after, told)
    if outgoing.news is not None:
        told = after.sequence
    orders[row.order_place] = _Folded(row.place, after, told)
    return outgoing
