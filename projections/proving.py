"""Proves that a filled set is whole, from its tables alone, before anybody is to trust it.

What was folded is all there, each order stands at the last of its events, and some orders in
every part of the log are folded anew, one by one, to the same state.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Select, func, or_, select

from projections.store import Store
from projections.tables import parted, place_of
from projections.viewset import ViewSet
from projections.writing import without_document
from schemas.codec import decode_to_fold
from streams.core.evolve import evolve
from streams.core.order import Order
from streams.core.snapshot import state_bytes

_FOLDED_ANEW = 1_000


class UnprovenSetError(Exception):
    """The new set is not what the log makes; the old one stays in use."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The new views do not follow from the log: {what}. The views are kept as they are. "
            "Look whether the database lost what was written (disk, settings of durability), and "
            "run `waybill rebuild` again."
        )


def prove(store: Store, tables: ViewSet, counts: Mapping[int, int]) -> int:
    """How many orders were folded anew; `UnprovenSetError` where anything is amiss.

    `counts` are the events of each partition that have changed an order.
    """
    with store.reader.begin() as connection:
        for partition, count in sorted(counts.items()):
            _prove_count(connection, tables, partition, count)
        place = connection.scalar(_unlike_their_events(tables).limit(1))
        if place is not None:
            raise UnprovenSetError(f"the order at {_spoken(place)} is not at its last event")
        orders = connection.scalar(select(func.count()).select_from(tables.orders)) or 0
        columns = tables.orders.c
        one_in = max(1, orders // _FOLDED_ANEW)
        chosen = select(columns.place, columns.state).where(columns.place % one_in == 0)
        rows = connection.execute(chosen).all()
        for chosen_place, state in rows:
            order = _folded(connection, tables, chosen_place)
            if order is None or state_bytes(order) != state:
                raise UnprovenSetError(f"the order at {_spoken(chosen_place)} is in another state")
    return len(rows)


def _prove_count(connection: Connection, tables: ViewSet, partition: int, count: int) -> None:
    place = tables.timeline.c.place
    found = connection.scalar(
        select(func.count()).where(
            place >= place_of(partition, 0), place < place_of(partition + 1, 0)
        )
    )
    if found != count:
        raise UnprovenSetError(f"partition {partition} has {found} events, not {count}")


def _unlike_their_events(tables: ViewSet) -> Select[Any]:
    """Orders that have not as many events as they have counted, or not the last of them."""
    orders, timeline = tables.orders.c, tables.timeline.c
    events = (
        select(
            timeline.order_place,
            func.count().label("count"),
            func.max(timeline.place).label("last"),
        )
        .group_by(timeline.order_place)
        .subquery()
    )
    return (
        select(orders.place)
        .outerjoin(events, events.c.order_place == orders.place)
        .where(
            or_(
                events.c.count.is_(None),
                events.c.count != orders.sequence,
                events.c.last != orders.last_place,
            )
        )
    )


def _folded(connection: Connection, tables: ViewSet, order_place: int) -> Order | None:
    timeline = tables.timeline.c
    events = select(timeline.place, timeline.value).where(timeline.order_place == order_place)
    order: Order | None = None
    for place, value in connection.execute(events.order_by(timeline.place)):
        order = evolve(order, without_document(decode_to_fold(value)), parted(place)[1])
    return order


def _spoken(place: int) -> str:
    partition, offset = parted(place)
    return f"partition {partition} offset {offset}"
