"""The heads of lanes: of a lane's pending deliveries the first one is due, the others wait."""

from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import Any, Final

import orjson
from sqlalchemy import (
    Connection,
    Dialect,
    Select,
    Subquery,
    bindparam,
    cast,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from projections.tables import Text
from projections.webhooks.tables import DELIVERIES, PENDING, POSITIONS


def hold(connection: Connection, partitions: Collection[int] | None = None) -> None:
    """Nobody else changes the queue of those partitions (None: of any) until the transaction ends.

    Without it, PostgreSQL could let one transaction settle a head while another, which does not
    see that yet, queues a delivery behind it.
    """
    query = select(POSITIONS.c.partition).order_by(POSITIONS.c.partition).with_for_update()
    if partitions is not None:
        query = query.where(POSITIONS.c.partition.in_(sorted(partitions)))
    connection.execute(query).all()


def promote(
    connection: Connection, lanes: Iterable[tuple[str, str]], now: int, *, at_once: bool = False
) -> None:
    """Makes the first pending delivery of each lane (endpoint, lane) due where none is.

    `at_once`: those that wait for their next attempt are due, too.
    """
    wanted = orjson.dumps(list(lanes)).decode()
    dialect = connection.dialect
    if at_once:
        connection.execute(_woken(dialect), {"lanes": wanted, "now": now})
    connection.execute(_promoted(dialect), {"lanes": wanted, "now": now})


_WAITING: Final = DELIVERIES.alias("waiting")
_HEAD: Final = DELIVERIES.alias("head")


def _lanes(dialect: Dialect) -> Subquery:
    """The bound list of [endpoint, lane] as a table."""
    if dialect.name == "postgresql":
        pairs = func.jsonb_array_elements(cast(bindparam("lanes", type_=Text), JSONB))
        value: Any = pairs.table_valued("value", name="pairs").c.value
        endpoint, lane = value.op("->>")(0), value.op("->>")(1)
    else:
        value = func.json_each(bindparam("lanes")).table_valued("value", name="pairs").c.value
        endpoint, lane = func.json_extract(value, "$[0]"), func.json_extract(value, "$[1]")
    return select(endpoint.label("endpoint"), lane.label("lane")).distinct().subquery("lanes")


def _firsts(dialect: Dialect) -> Select[Any]:
    lanes, waiting, head = _lanes(dialect), _WAITING.c, _HEAD.c
    first = (
        select(waiting.id)
        .where(
            waiting.lane == lanes.c.lane,
            waiting.endpoint == lanes.c.endpoint,
            # Not by `settled`: a lane is short, the index of all that is pending is not.
            waiting.status == PENDING,
        )
        .order_by(waiting.place, waiting.n)
        .limit(1)
        .correlate(lanes)
        .scalar_subquery()
    )
    has_head = exists().where(
        head.lane == lanes.c.lane,
        head.endpoint == lanes.c.endpoint,
        head.next_at.is_not(None),
    )
    return select(first).select_from(lanes).where(~has_head)


@lru_cache(maxsize=4)
def _promoted(dialect: Dialect) -> Any:
    return (
        update(DELIVERIES)
        .where(DELIVERIES.c.id.in_(_firsts(dialect)))
        .values(next_at=bindparam("now"))
    )


@lru_cache(maxsize=4)
def _woken(dialect: Dialect) -> Any:
    lanes, head = _lanes(dialect), _HEAD.c
    heads = select(head.id).where(
        head.lane == lanes.c.lane,
        head.endpoint == lanes.c.endpoint,
        head.next_at > bindparam("now"),
    )
    return update(DELIVERIES).where(DELIVERIES.c.id.in_(heads)).values(next_at=bindparam("now"))
