"""Snapshots for workers: how far the store is, orders as it holds them, and what wakes them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Select,
    String,
    and_,
    bindparam,
    exists,
    select,
    tuple_,
    union_all,
)

from projections.moments import moment_of
from projections.orders import awaited, unfinished
from projections.store import Store
from projections.tables import indexable, listed, member_of, parted, place_of
from projections.viewset import ViewSet
from schemas.codec import decode
from schemas.events import OrderAccepted
from streams.core.order import Order
from streams.core.snapshot import restored


class Wake(NamedTuple):
    """What lets a resting order go on that nothing in the log will tell of.

    `due` for time, `stage` for a stage; a queued order with none before it is due at once.
    """

    partition: int
    order_id: str
    lane: str
    due: datetime | None
    stage: str | None


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

    def load(
        self,
        begun: Mapping[str, tuple[int, int]],
        wanted: Collection[str],
        lanes: Collection[str],
    ) -> dict[str, Order]:
        """Orders as the store holds them, complete with their acceptance, all of one moment.

        Of `begun`, which has the place (partition, offset) of the acceptance that was read, those
        that the store has with an acceptance at another place: the others begin right here. All
        of `wanted` that it knows, and all unfinished orders of `lanes`.
        """
        if not (begun or wanted or lanes):
            return {}
        here = [place_of(*place) for order_id, place in begun.items() if order_id not in wanted]
        ids = [*begun, *wanted]
        with self._store.reading() as (connection, tables):
            return load_orders(connection, tables, _Asked(ids, lanes, here))

    def wakes(self, partitions: Collection[int]) -> list[Wake]:
        """What wakes the resting orders of these partitions."""
        with self._store.reading() as (connection, tables):
            query = _wakes(tables)
            return [
                _wake(row)
                for partition in sorted(partitions)
                for row in connection.execute(
                    query, {"first": place_of(partition, 0), "behind": place_of(partition + 1, -1)}
                )
            ]


class _Asked(NamedTuple):
    """Orders by id, unfinished ones by lane, and the places of acceptances that are left out."""

    ids: Collection[str]
    lanes: Collection[str]
    without: Collection[int] = ()


def load_orders(connection: Connection, tables: ViewSet, asked: _Asked) -> dict[str, Order]:
    """One round trip, however much is asked; most often there is nothing to be found."""
    dialect = connection.dialect
    given = (
        listed(asked.ids, dialect),
        listed(asked.without, dialect),
        listed([indexable(lane) for lane in asked.lanes], dialect),
        listed(asked.without, dialect),
    )
    rows = connection.exec_driver_sql(_load(tables, dialect), given)
    return {order_id: order_of(state, value) for order_id, state, value in rows}


@lru_cache(maxsize=8)
def _load(tables: ViewSet, dialect: Dialect) -> str:
    """The text of the query: rendering it each time would cost more than answering it."""
    orders, timeline = tables.orders.c, tables.timeline.c
    # Not a join: most often nothing is found, and no planner shall prepare for the contrary.
    acceptance = select(timeline.value).where(timeline.place == orders.place).scalar_subquery()
    columns = select(orders.id, orders.state, acceptance.label("value"))
    away = ~member_of(orders.place, "without", BigInteger(), dialect)
    by_id = columns.where(member_of(orders.id, "ids", String(), dialect), away)
    by_lane = columns.where(
        member_of(orders.lane, "lanes", String(), dialect), unfinished(tables.orders), away
    )
    compiled = union_all(by_id, by_lane).compile(dialect=dialect)
    assert compiled.positiontup == ["ids", "without", "lanes", "without"]
    return str(compiled)


@lru_cache(maxsize=8)
def _wakes(tables: ViewSet) -> Select[Any]:
    """Those that wait for a time or a stage, and the queued ones at the head of their lane."""
    orders, earlier = tables.orders.c, tables.orders.alias()
    before = (
        select(earlier.c.place)
        .where(
            earlier.c.lane == orders.lane,
            unfinished(earlier),
            tuple_(earlier.c.lane_offset, earlier.c.passes)
            < tuple_(orders.lane_offset, orders.passes),
        )
        .correlate(tables.orders)
    )
    return select(
        orders.place,
        orders.id,
        orders.lane,
        orders.status,
        orders.updated,
        orders.wake_at,
        orders.wake_stage,
    ).where(
        orders.place >= bindparam("first"),
        orders.place < bindparam("behind"),
        awaited(tables.orders),
        ~and_(orders.status == "queued", exists(before)),
    )


def _wake(row: Any) -> Wake:
    due = row.updated if row.status == "queued" else row.wake_at
    return Wake(
        partition=parted(row.place)[0],
        order_id=row.id,
        lane=row.lane,
        due=None if due is None else moment_of(due),
        stage=row.wake_stage,
    )


def order_of(state: bytes, acceptance: bytes) -> Order:
    """The order from its folded state and the record of its acceptance."""
    accepted = decode(acceptance).fact
    assert isinstance(accepted, OrderAccepted)
    return restored(state, accepted)
