"""What the outlet reads: applied events with the order as it was at each, and how far it is.

The order is folded anew where it has moved on since; mostly it has not, because the events that
are published stand at the beginning and the end of an order. So nothing is stored twice.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from projections.store import OUTLET, Store
from projections.tables import insert_into, parted, place_of
from projections.viewset import ViewSet
from schemas.codec import decode
from schemas.events import Event, OrderAccepted
from streams.core.order import Order, evolve
from streams.core.snapshot import restored

_REMEMBERED = 2_000


class AnotherOutletError(Exception):
    """The position is not where this outlet left it: somebody else publishes as well."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One applied event, and the order as it stood right behind it."""

    event: Event
    order: Order


@dataclass(frozen=True, slots=True)
class Batch:
    """What lies between the position and `upto`, the position once it is out."""

    outgoing: Sequence[Outgoing]
    upto: int
    is_full: bool


class OutgoingEvents:
    """Reads the timeline of the current set, and keeps the position outside of it."""

    def __init__(self, store: Store, types: Iterable[str]) -> None:
        self._store = store
        self._types = sorted(types)
        self._accepted: OrderedDict[int, Event] = OrderedDict()

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
        with self._store.reading() as (connection, tables):
            rows = connection.execute(
                _events(tables),
                {
                    "after": place_of(partition, after),
                    "upto": place_of(partition, applied),
                    "types": self._types,
                    "limit": limit,
                },
            ).all()
            self._fetch_acceptances(connection, tables, rows)
            outgoing = [self._outgoing(connection, tables, row) for row in rows]
        self._shrink()
        is_full = len(rows) == limit
        upto = parted(rows[-1].place)[1] if is_full else applied
        return Batch(outgoing, upto, is_full)

    def _outgoing(self, connection: Connection, tables: ViewSet, row: Row[Any]) -> Outgoing:
        if row.place == row.order_place:
            event = self._accepted[row.order_place]
            order = evolve(None, event, parted(row.place)[1])
            assert order is not None
            return Outgoing(event, order)
        if row.place == row.last_place:
            accepted = self._accepted[row.order_place].fact
            assert isinstance(accepted, OrderAccepted)
            return Outgoing(decode(row.value), restored(row.state, accepted))
        return _folded_anew(connection, tables, row)

    def _fetch_acceptances(
        self, connection: Connection, tables: ViewSet, rows: Sequence[Row[Any]]
    ) -> None:
        missing: set[int] = set()
        for row in rows:
            if row.order_place in self._accepted:
                self._accepted.move_to_end(row.order_place)
            elif row.place == row.order_place:
                self._accepted[row.place] = decode(row.value)
            else:
                missing.add(row.order_place)
        if missing:
            timeline = tables.timeline.c
            query = select(timeline.place, timeline.value).where(timeline.place.in_(missing))
            for place, value in connection.execute(query):
                self._accepted[place] = decode(value)

    def _shrink(self) -> None:
        while len(self._accepted) > _REMEMBERED:
            self._accepted.popitem(last=False)


def _events(tables: ViewSet) -> Any:
    timeline, orders = tables.timeline.c, tables.orders.c
    return (
        select(
            timeline.place, timeline.order_place, timeline.value, orders.last_place, orders.state
        )
        .join(tables.orders, orders.place == timeline.order_place)
        .where(
            timeline.place > bindparam("after"),
            timeline.place <= bindparam("upto"),
            timeline.type.in_(bindparam("types", expanding=True)),
        )
        .order_by(timeline.place)
        .limit(bindparam("limit"))
    )


def _folded_anew(connection: Connection, tables: ViewSet, row: Row[Any]) -> Outgoing:
    timeline = tables.timeline.c
    query = (
        select(timeline.place, timeline.value)
        .where(timeline.order_place == row.order_place, timeline.place <= row.place)
        .order_by(timeline.place)
    )
    order: Order | None = None
    event: Event | None = None
    for place, value in connection.execute(query):
        event = decode(value)
        order = evolve(order, event, parted(place)[1])
    assert order is not None
    assert event is not None
    return Outgoing(event, order)
