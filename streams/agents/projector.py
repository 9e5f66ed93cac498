"""The projector: records of `order-events` into the views, each partition by compare-and-set."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from projections.store import Store, applied_offsets, hold_pointer, usable_set
from projections.writing import (
    AnotherProjectorError,
    Located,
    Record,
    SetWriter,
    UndecodableRecordError,
    decoded,
)
from streams.agents.metrics import VIEWS_SECONDS

__all__ = ["AnotherProjectorError", "Applied", "Projector", "Record", "UndecodableRecordError"]

_DECODE, _LOCK, _WRITE, _COMMIT = map(VIEWS_SECONDS.labels, ("decode", "lock", "write", "commit"))


@dataclass(frozen=True, slots=True)
class Applied:
    """`offset` is the last applied one; of `read` new records, `events` changed an order."""

    offset: int
    read: int
    events: int


class Projector:
    """Writes the current set of views. Not for several threads.

    After any exception `assign` again and read on from where it says; what was not committed has
    left no trace.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._writer: SetWriter | None = None
        self._applied: dict[int, int] = {}

    def assign(self, partitions: Iterable[int]) -> dict[int, int]:
        """Take over these partitions, and only these; the offset to read next of each.

        `StoreError` (`views_outdated`) where the views must be rebuilt first.
        """
        self._applied = {}
        with self._store.writer.begin() as connection:
            hold_pointer(connection, to_move=False)
            tables = usable_set(connection)
            writer = SetWriter(tables, connection.dialect)
            for partition in partitions:
                writer.begin_partition(connection, partition)
                self._applied[partition] = -1
            applied = applied_offsets(connection, tables.id)
        self._writer = writer
        self._applied = {partition: applied[partition] for partition in self._applied}
        return {partition: offset + 1 for partition, offset in self._applied.items()}

    def has_other_views(self) -> bool:
        """Whether a rebuild has put other views in the place of those that it was assigned."""
        return self._writer is not None and self._writer.tables.id != self._store.set_id()

    def apply(self, partition: int, records: Sequence[Record]) -> Applied:
        """Apply one partition's records; see `apply_all`."""
        return self.apply_all({partition: records})[partition]

    def apply_all(self, chunks: Mapping[int, Sequence[Record]]) -> dict[int, Applied]:
        """Apply the records of several partitions in one transaction; repeated ones are left out.

        `AnotherProjectorError`: nothing is applied, somebody else is at work. Where a record
        cannot be read, everything before it is applied, then `UndecodableRecordError` is raised.
        """
        if self._writer is None:
            raise AnotherProjectorError("no partitions are assigned")
        located: dict[int, list[Located]] = {}
        ends: dict[int, int] = {}
        broken: UndecodableRecordError | None = None
        with _DECODE.time():
            for partition in sorted(chunks):
                fresh = self._fresh(partition, chunks[partition])
                events, problem = decoded(partition, fresh)
                broken = broken or problem
                located[partition] = events
                ends[partition] = events[-1].offset if events else self._applied[partition]
        counts = self._commit(self._writer, located, ends)
        if broken is not None:
            raise broken
        return {
            partition: Applied(ends[partition], len(events), counts.get(partition, 0))
            for partition, events in located.items()
        }

    def _fresh(self, partition: int, records: Sequence[Record]) -> Sequence[Record]:
        if partition not in self._applied:
            raise AnotherProjectorError(f"partition {partition} is not assigned")
        applied = self._applied[partition]
        if records and records[0].offset > applied:
            return records
        return [record for record in records if record.offset > applied]

    def _commit(
        self,
        writer: SetWriter,
        located: Mapping[int, Sequence[Located]],
        ends: Mapping[int, int],
    ) -> Mapping[int, int]:
        work = {partition: events for partition, events in located.items() if events}
        if not work:
            return {}
        moves = {partition: (self._applied[partition], ends[partition]) for partition in work}
        with self._store.writer.connect() as connection:
            with _LOCK.time():
                transaction = connection.begin()
            with transaction:
                with _WRITE.time():
                    writer.advance(connection, moves)
                    folding = writer.write(connection, work)
                with _COMMIT.time():
                    transaction.commit()
        writer.committed(folding)
        self._applied.update({partition: ends[partition] for partition in work})
        return folding.applied
