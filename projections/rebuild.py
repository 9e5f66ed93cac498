"""Rebuild: a new set of views from the log, beside the one in use, then in its place."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError

from projections.filling import Filling, Log, LogTooShortError, hold_against
from projections.proving import prove
from projections.removing import drop_unused_sets
from projections.search import index_bit_by_bit, leave_index
from projections.store import (
    APPLIED,
    SETS,
    Store,
    applied_offsets,
    create_set,
    current_set,
    hold_pointer,
)
from projections.viewset import ViewSet
from projections.writing import AnotherProjectorError, decoded

_NEAR = 2_000
"""Events that the new set may lack when the pointer is held: what comes then is applied quickly."""
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild is: so many `records` of `total`.

    `stage`: `filling`, `indexing`, `verifying` or `swapping`. The total grows with the log.
    """

    set_id: int
    stage: str
    records: int
    total: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`before` is the set that was in use: still there, until `drop_unused_sets`.

    `proven` is the number of orders that were folded anew and found equal.
    """

    set_id: int
    before: int
    records: int
    proven: int


class Crew(Protocol):
    """Fills partitions side by side, where there are cores to spare."""

    def fill(
        self, set_id: int, ends: Mapping[int, int], look: Callable[[], None]
    ) -> Mapping[int, tuple[int, int]]:
        """Fill a set as far as these ends, and call `look` now and then.

        By partition: the last offset in the set, and how many events have changed an order.
        """


def rebuild(
    store: Store, log: Log, report: Callable[[Progress], None], crew: Crew | None = None
) -> Rebuilt:
    """Fill a new set, by a crew if there is one, verify it and put it in place of the current one.

    Projectors of the old set meet `AnotherProjectorError` at their next write and go on with the
    new set. `LogTooShortError`, `UndecodableRecordError`, `UnprovenSetError` and
    `OvertakenError` leave everything as it was, and so does a crash.
    """
    hold_against(store, log)
    with store.writer.begin() as connection:
        newest = connection.scalar(select(func.max(SETS.c.id)))
        assert newest is not None
        tables = create_set(connection, newest + 1)
        # Nobody looks for words before the set is filled, and all at once cost far less.
        leave_index(connection, tables.words)
    # Now that its own set has an id that nobody else had.
    drop_unused_sets(store, but=tables.id)
    try:
        return _Rebuild(store, tables, log, report).run(crew)
    except (AnotherProjectorError, SQLAlchemyError) as problem:
        if _newest(store) > tables.id:
            raise OvertakenError(tables.id) from problem
        raise


class OvertakenError(Exception):
    """A second rebuild has begun, which takes the unfinished sets of others away."""

    def __init__(self, set_id: int) -> None:
        super().__init__(
            f"Another rebuild has begun and has taken set {set_id} away. The views are kept as "
            "they are; the other rebuild goes on."
        )


def _newest(store: Store) -> int:
    with store.reader.begin() as connection:
        return connection.scalar(select(func.max(SETS.c.id))) or 0


class _Rebuild:
    def __init__(
        self, store: Store, tables: ViewSet, log: Log, report: Callable[[Progress], None]
    ) -> None:
        self._store = store
        self._tables = tables
        self._log = log
        self._report = report
        self._filling = Filling(store, tables, lambda _: self._say("filling"))
        self._ends: dict[int, int] = {}

    def run(self, crew: Crew | None) -> Rebuilt:
        if crew is not None:
            self._ends = dict(self._log.ends())
            filled = crew.fill(self._tables.id, self._ends, self._look)
            self._filling.adopt(filled)
        self._approach()
        self._say("indexing")
        with self._store.writer.connect() as connection:
            index_bit_by_bit(connection, self._tables.words)
        self._say("verifying")
        proven = prove(self._store, self._tables, self._filling.counts)
        self._approach()
        self._say("swapping")
        return Rebuilt(self._tables.id, self._swap(), self._filling.records, proven)

    def _look(self) -> None:
        with self._store.reader.begin() as connection:
            self._filling.applied = applied_offsets(connection, self._tables.id)
        self._say("filling")

    def _approach(self) -> None:
        """Fill the set until the log has hardly grown meanwhile."""
        for _ in range(_ROUNDS):
            self._ends = dict(self._log.ends())
            lacking = sum(self._ends.values()) - self._filling.records
            for partition, end in sorted(self._ends.items()):
                self._filling.fill(self._log, partition, end)
            if lacking <= _NEAR:
                return

    def _say(self, stage: str) -> None:
        records = self._filling.records
        total = max(records, sum(self._ends.values()))
        self._report(Progress(self._tables.id, stage, records, total))

    def _swap(self) -> int:
        """In one transaction, in which the old set's projectors cannot move: no way back in time.

        A worker forgets an order once the store has it, so the new set must not know less.
        """
        with self._store.writer.begin() as connection:
            hold_pointer(connection, to_move=True)
            before = current_set(connection)
            old = APPLIED.c.set_id == before
            connection.execute(select(APPLIED.c.partition).where(old).with_for_update()).all()
            for partition, offset in applied_offsets(connection, before).items():
                self._catch_up(connection, partition, offset)
            connection.execute(delete(APPLIED).where(old))
            connection.execute(update(SETS).where(SETS.c.id == before).values(current=0))
            connection.execute(update(SETS).where(SETS.c.id == self._tables.id).values(current=1))
        return before

    def _catch_up(self, connection: Connection, partition: int, offset: int) -> None:
        self._filling.begin(connection, partition)
        if self._filling.applied[partition] >= offset:
            return
        for chunk in self._log.read(partition, self._filling.applied[partition] + 1):
            events, problem = decoded(partition, chunk)
            if problem is not None:
                raise problem
            self._filling.write(connection, partition, events)
            if self._filling.applied[partition] >= offset:
                return
        raise LogTooShortError(partition, self._filling.applied[partition], offset)
