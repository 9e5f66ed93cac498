"""Rebuild: a new set of views from the log, beside the one in use, then in its place."""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Table, delete, func, select, update

from projections.store import (
    APPLIED,
    SETS,
    Store,
    applied_offsets,
    create_set,
    current_set,
    hold_pointer,
)
from projections.viewset import ViewSet, view_set
from projections.writing import Located, Record, SetWriter, decoded

Read = Callable[[int, int], Iterable[Sequence[Record]]]
"""`read(partition, offset)`: chunks of records from that offset to the end of the log as it is."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild is; `offset` is the last one applied of `partition`."""

    set_id: int
    partition: int
    offset: int
    records: int


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """`before` is the set that was in use: still there, until `drop_unused_sets`."""

    set_id: int
    before: int
    records: int


def rebuild(
    store: Store, partitions: Iterable[int], read: Read, report: Callable[[Progress], None]
) -> Rebuilt:
    """Fill a new set and put it in the place of the current one.

    Projectors of the old set meet `AnotherProjectorError` at their next write and go on with the
    new set. `UndecodableRecordError` leaves everything as it was, and so does a crash.
    """
    drop_unused_sets(store)
    with store.writer.begin() as connection:
        newest = connection.scalar(select(func.max(SETS.c.id)))
        assert newest is not None
        tables = create_set(connection, newest + 1)
    return _Rebuild(store, tables, read, report).run(sorted(partitions))


def drop_unused_sets(store: Store) -> None:
    """Remove every set but the current one: the one before, and what crashed rebuilds left."""
    with store.writer.begin() as connection:
        unused = connection.scalars(select(SETS.c.id).where(SETS.c.current == 0)).all()
        for set_id in unused:
            view_set(set_id).metadata.drop_all(connection)
            connection.execute(delete(APPLIED).where(APPLIED.c.set_id == set_id))
            connection.execute(delete(SETS).where(SETS.c.id == set_id))


class _Rebuild:
    def __init__(
        self, store: Store, tables: ViewSet, read: Read, report: Callable[[Progress], None]
    ) -> None:
        self._store = store
        self._tables = tables
        self._read = read
        self._report = report
        self._writer = SetWriter(tables, store.writer.dialect)
        self._applied: dict[int, int] = {}
        self._records = 0

    def run(self, partitions: Sequence[int]) -> Rebuilt:
        for partition in partitions:
            with self._store.writer.begin() as connection:
                self._writer.begin_partition(connection, partition)
            self._applied[partition] = -1
            for chunk in self._read(partition, 0):
                with self._store.writer.begin() as connection:
                    self._apply(connection, partition, chunk)
        return Rebuilt(self._tables.id, self._swap(), self._records)

    def _apply(self, connection: Connection, partition: int, chunk: Sequence[Record]) -> None:
        events, problem = decoded(partition, chunk)
        if problem is not None:
            raise problem
        if not events:
            return
        located: dict[int, Sequence[Located]] = {partition: events}
        end = events[-1].offset
        self._writer.advance(connection, partition, self._applied[partition], end)
        self._writer.committed(self._writer.write(connection, located))
        self._applied[partition] = end
        self._records += len(events)
        self._report(Progress(self._tables.id, partition, end, self._records))

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
        if partition not in self._applied:
            self._writer.begin_partition(connection, partition)
            self._applied[partition] = -1
        if self._applied[partition] >= offset:
            return
        for chunk in self._read(partition, self._applied[partition] + 1):
            self._apply(connection, partition, chunk)
            if self._applied[partition] >= offset:
                return
        raise LogTooShortError(partition, self._applied[partition], offset)


class LogTooShortError(Exception):
    """The log ends before what the views have applied: it is not the log they were made from."""

    def __init__(self, partition: int, end: int, applied: int) -> None:
        super().__init__(
            f"order-events partition {partition} ends at {end}, the views stand at {applied}. "
            "The views are kept as they are. Look whether Kafka has lost records."
        )


def table_hashes(store: Store, set_id: int) -> dict[str, str]:
    """SHA-256 of each table dumped by key: equal for equal views, on either database."""
    prefix = f"v{set_id}_"
    with store.reader.begin() as connection:
        return {
            table.name.removeprefix(prefix): _hash(connection, table)
            for table in view_set(set_id).metadata.sorted_tables
        }


def _hash(connection: Connection, table: Table) -> str:
    digest = hashlib.sha256()
    rows = connection.execution_options(yield_per=500).execute(
        select(table).order_by(*table.primary_key)
    )
    for row in rows:
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()
