"""Snapshots for workers: how far the store is, and orders as it holds them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import BindParameter, Connection, bindparam, select

from projections.store import Store
from projections.tables import place_of
from projections.viewset import ViewSet
from schemas.codec import decode
from schemas.events import OrderAccepted
from streams.core.order import Order
from streams.core.snapshot import restored

_AT_ONCE = 500
_IDS: BindParameter[Any] = bindparam("ids", expanding=True)


class Snapshots:
    """Reads only; may be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def set_id(self) -> int:
        """Names the current set of views; when it changes, what was read before is void."""
        return self._store.set_id()

    def applied(self) -> dict[int, int]:
        """The last applied offset by partition; -1, or no entry, where there is none."""
        return self._store.applied()

    def begun_elsewhere(self, begun: Mapping[str, tuple[int, int]]) -> set[str]:
        """Those of these orders that the store has with an acceptance at another place.

        `begun` has the place (partition, offset) of the acceptance that was read. An order whose
        acceptance is the one in the store, or that is not in the store, begins right here.
        """
        with self._store.reading() as (connection, tables):
            rows = tables.orders.c
            query = select(rows.id, rows.place).where(rows.id.in_(_IDS))
            return {
                order_id
                for part in _portions(list(begun))
                for order_id, place in connection.execute(query, {"ids": part})
                if place != place_of(*begun[order_id])
            }

    def load(self, order_ids: Iterable[str]) -> dict[str, Order]:
        """The orders of these ids that the store knows, complete with their acceptance."""
        ids = list(order_ids)
        if not ids:
            return {}
        with self._store.reading() as (connection, tables):
            return load_orders(connection, tables, ids)


def load_orders(connection: Connection, tables: ViewSet, ids: list[str]) -> dict[str, Order]:
    """As `Snapshots.load`, within a transaction."""
    orders, timeline = tables.orders.c, tables.timeline.c
    query = (
        select(orders.id, orders.state, timeline.value)
        .join(tables.timeline, timeline.place == orders.place)
        .where(orders.id.in_(_IDS))
    )
    found: dict[str, Order] = {}
    for part in _portions(ids):
        for order_id, state, value in connection.execute(query, {"ids": part}):
            found[order_id] = order_of(state, value)
    return found


def _portions(ids: list[str]) -> Iterator[list[str]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def order_of(state: bytes, acceptance: bytes) -> Order:
    """The order from its folded state and the record of its acceptance."""
    accepted = decode(acceptance).fact
    assert isinstance(accepted, OrderAccepted)
    return restored(state, accepted)
