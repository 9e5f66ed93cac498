"""The queue of deliveries as the webhooks process works on it; see `tables` for what a lane is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

import orjson
from sqlalchemy import (
    Dialect,
    Integer,
    String,
    Subquery,
    and_,
    bindparam,
    cast,
    func,
    literal,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB

from projections.store import Store
from projections.tables import Bulk, Text, insert_into, listed, member_of
from projections.webhooks.heads import hold, promote
from projections.webhooks.tables import (
    ATTEMPTS,
    DELIVERIES,
    MESSAGES,
    PENDING,
    POSITIONS,
)

_D = DELIVERIES.c
_M = MESSAGES.c


class AnotherSenderError(Exception):
    """A position is not where this process left it: another one has taken the partition over."""


class Message(NamedTuple):
    """A body as it is sent; sealed for `subject`, unless that is None. One row of its table."""

    id: str
    variant: str
    created: int
    subject: str | None
    body: bytes


class New(NamedTuple):
    """A delivery that is to be made. `place` and `n` are its position in its lane."""

    id: str
    tenant: str
    endpoint: str
    message: str
    variant: str
    type: str
    lane: str
    partition: int
    place: int
    n: int
    created: int


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What updates led to. `moves` are the positions, by partition: from where, to where."""

    moves: Mapping[int, tuple[int, int]]
    messages: Sequence[Message] = ()
    deliveries: Sequence[New] = ()


class Due(NamedTuple):
    """A delivery that is to be tried now, with its message."""

    id: str
    tenant: str
    endpoint: str
    message: str
    variant: str
    type: str
    lane: str
    partition: int
    attempts: int
    tries: int
    replays: int
    created: int
    next_at: int
    subject: str | None
    body: bytes


class Result(NamedTuple):
    """What became of one attempt at `due`, which leaves the delivery as `status`.

    `next_at` is given where another attempt follows. `at` is when it began.
    """

    due: Due
    at: int
    duration_ms: int
    code: int | None
    error: str | None
    response: str | None
    status: str
    next_at: int | None


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many deliveries are wanted for an endpoint, and which ones are at hand already."""

    limit: int
    known: Collection[str] = field(default=())


Key: TypeAlias = tuple[str, str]
"""Endpoint and lane."""


class DeliveryQueue:
    """May be called from several threads; every call may wait for the database.

    After an exception the same call can be made again, `arrived` only behind `assign`.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        dialect = store.writer.dialect
        self._insert_messages = _ignoring(MESSAGES, dialect)
        self._insert_attempts = _ignoring(ATTEMPTS, dialect)
        self._insert_deliveries = _ignoring(DELIVERIES, dialect)
        self._settle = _settling(dialect)

    def assign(self, partitions: Collection[int]) -> dict[int, int]:
        """The last offset of each partition whose deliveries are here; -1 where there is none."""
        with self._store.writer.begin() as connection:
            new = insert_into(POSITIONS, connection.dialect).on_conflict_do_nothing()
            rows = [{"partition": partition, "offset": -1} for partition in sorted(partitions)]
            if rows:
                connection.execute(new, rows)
            found = connection.execute(
                select(POSITIONS.c.partition, POSITIONS.c.offset).where(
                    POSITIONS.c.partition.in_(sorted(partitions))
                )
            )
            return dict(found.tuples().all())

    def rewind(self, partitions: Collection[int]) -> None:
        """Has those partitions read from their beginning; what is queued already stays."""
        with self._store.writer.begin() as connection:
            connection.execute(
                update(POSITIONS)
                .where(POSITIONS.c.partition.in_(sorted(partitions)))
                .values(offset=-1)
            )

    def arrived(self, arrivals: Arrivals, now: int) -> None:
        """Queues deliveries and moves the positions; those that are there already stay.

        `AnotherSenderError`: nothing is queued.
        """
        with self._store.writer.begin() as connection:
            for partition, (start, end) in sorted(arrivals.moves.items()):
                moved = connection.execute(_MOVE, {"of": partition, "start": start, "offset": end})
                if moved.rowcount != 1:
                    raise AnotherSenderError(f"partition {partition} no longer stands at {start}")
            self._insert_messages.write(connection, list(arrivals.messages))
            self._insert_deliveries.write(connection, list(map(_row, arrivals.deliveries)))
            promote(connection, {(new.endpoint, new.lane) for new in arrivals.deliveries}, now)

    def settle(self, results: Sequence[Result], now: int) -> None:
        """Writes down what became of attempts; what somebody else has written first stays."""
        ended: set[Key] = {(r.due.endpoint, r.due.lane) for r in results if r.status != PENDING}
        with self._store.writer.begin() as connection:
            hold(connection, {result.due.partition for result in results})
            connection.exec_driver_sql(self._settle, [_settled(one, now) for one in results])
            self._insert_attempts.write(connection, [_attempt(one) for one in results])
            if ended:
                promote(connection, ended, now)

    def due(self, wanted: Mapping[str, Wanted], partitions: Collection[int], now: int) -> list[Due]:
        """The deliveries of those partitions that are due, the longest waiting first."""
        parts = tuple(sorted(partitions))
        found: list[Due] = []
        if not parts:
            return found
        with self._store.reader.begin() as connection:
            dialect = connection.dialect
            query = _due(parts, dialect)
            for endpoint, want in wanted.items():
                bound = {
                    "endpoint": endpoint,
                    "now": now,
                    "most": want.limit,
                    "reach": want.limit + len(want.known),
                    "known": listed(want.known, dialect),
                }
                found += map(Due._make, connection.execute(query, bound))
        # Not by the database, which would move the bodies about.
        return sorted(found, key=attrgetter("next_at", "id"))

    def earliest(self, endpoints: Collection[str], partitions: Collection[int]) -> dict[str, int]:
        """When the next delivery to each endpoint is due; none for those that nothing is for."""
        pairs = [(endpoint, part) for endpoint in endpoints for part in partitions]
        if not pairs:
            return {}
        with self._store.reader.begin() as connection:
            rows = connection.execute(
                _earliest(connection.dialect), {"pairs": orjson.dumps(pairs).decode()}
            )
            soonest: dict[str, int] = {}
            for endpoint, at in rows:
                if at is not None:
                    soonest[endpoint] = min(at, soonest.get(endpoint, at))
        return soonest


def _ignoring(table: Any, dialect: Dialect) -> Bulk:
    return Bulk(insert_into(table, dialect).on_conflict_do_nothing(), table, dialect)


_MOVE = (
    update(POSITIONS)
    .where(POSITIONS.c.partition == bindparam("of"), POSITIONS.c.offset == bindparam("start"))
    .values(offset=bindparam("offset"))
)


def _row(new: New) -> tuple[Any, ...]:
    return (*new[:10], PENDING, 0, 0, 0, new.created, None, None, None, None, None)


_SETTLING = (
    *("status", "attempts", "tries", "next_at", "settled"),
    *("last_status", "last_error", "last_latency_ms", "of", "before"),
)


def _settling(dialect: Dialect) -> str:
    """The text of the update; its values are those of `_settled`."""
    changed: dict[str, Any] = {name: bindparam(name) for name in _SETTLING[:-2]}
    statement = (
        update(DELIVERIES)
        .where(_D.id == bindparam("of"), _D.attempts == bindparam("before"), _D.settled.is_(None))
        .values(changed)
    )
    compiled = statement.compile(dialect=dialect)
    assert tuple(compiled.positiontup or ()) == _SETTLING
    return str(compiled)


def _settled(result: Result, now: int) -> tuple[Any, ...]:
    due = result.due
    return (
        *(result.status, due.attempts + 1, due.tries + 1, result.next_at),
        *(None if result.status == PENDING else now, result.code, result.error),
        *(result.duration_ms, due.id, due.attempts),
    )


def _attempt(result: Result) -> tuple[Any, ...]:
    return (
        *(result.due.id, result.due.attempts + 1, result.at, result.code),
        *(result.duration_ms, result.error, result.response),
    )


@lru_cache(maxsize=64)
def _due(partitions: tuple[int, ...], dialect: Dialect) -> Any:
    """Chosen by the index alone; only of those that are wanted the rows and bodies are read."""
    parts = union_all(*(select(_first_of(partition)) for partition in partitions)).subquery("due")
    chosen = (
        select(parts.c.id)
        .where(~member_of(parts.c.id, "known", String(), dialect))
        .order_by(parts.c.next_at, parts.c.id)
        .limit(bindparam("most"))
        .subquery("chosen")
    )
    kept = [_D[name] for name in Due._fields if name in _D]
    return (
        select(*kept, _M.subject, _M.body)
        .select_from(chosen)
        .join(DELIVERIES, _D.id == chosen.c.id)
        .join(MESSAGES, and_(_M.id == _D.message, _M.variant == _D.variant))
    )


def _first_of(partition: int) -> Subquery:
    """One partition's part of the index: its first are found without a sort."""
    return (
        select(_D.id, _D.next_at)
        .where(
            _D.endpoint == bindparam("endpoint"),
            _D.partition == literal(partition),
            _D.next_at.is_not(None),
            _D.next_at <= bindparam("now"),
        )
        .order_by(_D.next_at)
        .limit(bindparam("reach"))
        .subquery(f"in_{partition}")
    )


@lru_cache(maxsize=4)
def _earliest(dialect: Dialect) -> Any:
    if dialect.name == "postgresql":
        bound = cast(bindparam("pairs", type_=Text), JSONB)
        value: Any = func.jsonb_array_elements(bound).table_valued("value", name="pair").c.value
        endpoint: Any = value.op("->>")(0)
        partition: Any = cast(value.op("->>")(1), Integer)
    else:
        value = func.json_each(bindparam("pairs")).table_valued("value", name="pair").c.value
        endpoint, partition = func.json_extract(value, "$[0]"), func.json_extract(value, "$[1]")
    pairs = select(endpoint.label("endpoint"), partition.label("partition")).subquery("pairs")
    soonest = (
        select(func.min(_D.next_at))
        .where(
            _D.endpoint == pairs.c.endpoint,
            _D.partition == pairs.c.partition,
            _D.next_at.is_not(None),
        )
        .correlate(pairs)
        .scalar_subquery()
    )
    return select(pairs.c.endpoint, soonest)
