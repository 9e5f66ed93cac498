"""Fills a set of views that nobody reads yet, as fast as it goes and out of everybody's way."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from sqlalchemy import Connection

from projections.store import Store
from projections.tables import in_pieces
from projections.viewset import ViewSet
from projections.writing import Folding, Located, Readable, SetWriter, decoded

_REMEMBERED = 50_000
"""Moving orders of a partition that are kept at hand: there is no worker's memory beside ours."""
_STEP = 200
"""Records that are read between two pieces of what is written: about as long as a piece."""


class Log(Protocol):
    """`order-events` as it can be read from anywhere."""

    def ends(self) -> Mapping[int, int]:
        """The offset behind the last record of each partition, as the log is now."""

    def read(self, partition: int, offset: int) -> Iterator[Sequence[Readable]]:
        """Chunks of records from `offset` to the end of the partition as it is now."""


class LogTooShortError(Exception):
    """The log ends before what the views have applied: it is not the log they were made from."""

    def __init__(self, partition: int, end: int, applied: int) -> None:
        super().__init__(
            f"order-events partition {partition} ends at {end}, the views stand at {applied}. "
            "The views are kept as they are. Look whether Kafka has lost records."
        )


def hold_against(store: Store, log: Log) -> None:
    """`LogTooShortError` where the log cannot be the one that the views were made from."""
    # Asked first: what is applied while the log tells its ends must not look like lost records.
    stands = store.applied()
    ends = log.ends()
    for partition, applied in stands.items():
        end = ends.get(partition, 0) - 1
        if end < applied:
            raise LogTooShortError(partition, end, applied)


class Filling:
    """Writes chunk after chunk, of one partition after the other.

    Each order is written once per chunk, whatever happens to it there. In SQLite a chunk is
    written in many short transactions, between which the next one is decoded: whoever else wants
    to write gets his turn. After a crash the set is of no use to anybody.
    """

    def __init__(self, store: Store, tables: ViewSet, report: Callable[[int], None]) -> None:
        self._store = store
        self._report = report
        self.writer = SetWriter(tables, store.writer.dialect, _REMEMBERED)
        self.applied: dict[int, int] = {}
        """The last offset of each partition that is in the set."""
        self.counts: dict[int, int] = {}
        """How many events of each partition have changed an order."""

    @property
    def records(self) -> int:
        """How many records the set was made from."""
        return sum(offset + 1 for offset in self.applied.values())

    def fill(self, log: Log, partition: int, behind: int) -> None:
        """All records of a partition that are not in the set yet, as far as those before `behind`.

        `AnotherProjectorError`: somebody has taken the set away. `UndecodableRecordError`.
        """
        with self._store.writer.connect() as connection:
            self.begin(connection, partition)
            connection.commit()
            start = self.applied[partition] + 1
            if start >= behind:
                return
            ahead = _Ahead(partition, _before(behind, log.read(partition, start)))
            if self._store.has_one_writer:
                in_pieces(connection, ahead.step)
            while events := ahead.take():
                self._chunk(connection, partition, events)
        self.writer.forget(partition)

    def begin(self, connection: Connection, partition: int) -> None:
        """Make sure that the partition has a place to go on from."""
        if partition not in self.applied:
            self.writer.begin_partition(connection, partition)
            self.applied[partition], self.counts[partition] = -1, 0

    def adopt(self, filled: Mapping[int, tuple[int, int]]) -> None:
        """Go on from what others have filled: last offset and count of events by partition."""
        self.applied = {partition: offset for partition, (offset, _) in filled.items()}
        self.counts = {partition: count for partition, (_, count) in filled.items()}

    def write(self, connection: Connection, partition: int, events: Sequence[Located]) -> None:
        """Write events that come next in the caller's transaction."""
        self._advance(connection, partition, events)
        self._note(partition, events, self.writer.write(connection, {partition: events}))

    def _chunk(self, connection: Connection, partition: int, events: Sequence[Located]) -> None:
        # Looked up beside the writer's connection, which would keep all others from writing.
        with self._store.reader.begin() as looking_up:
            folding = self.writer.fold(looking_up, {partition: events})
        self._advance(connection, partition, events)
        folding.write(connection)
        connection.commit()
        self._note(partition, events, folding)

    def _advance(self, connection: Connection, partition: int, events: Sequence[Located]) -> None:
        move = (self.applied[partition], events[-1].offset)
        self.writer.advance(connection, {partition: move})

    def _note(self, partition: int, events: Sequence[Located], folding: Folding) -> None:
        self.writer.committed(folding)
        self.applied[partition] = events[-1].offset
        self.counts[partition] += folding.applied[partition]
        self._report(partition)


class _Ahead:
    """The next chunk of a partition, decoded step by step."""

    def __init__(self, partition: int, chunks: Iterator[Sequence[Readable]]) -> None:
        self._partition = partition
        self._chunks = chunks
        self._chunk: Sequence[Readable] | None = None
        self._events: list[Located] = []
        self._at = 0

    def step(self) -> None:
        """Decode some records of the chunk, if any are left."""
        if self._chunk is None:
            self._chunk, self._at = next(self._chunks, ()), 0
        part = self._chunk[self._at : self._at + _STEP]
        self._at += len(part)
        events, problem = decoded(self._partition, part)
        if problem is not None:
            raise problem
        self._events += events

    def take(self) -> list[Located]:
        """The chunk, once all of it is decoded; an empty one at the end."""
        self.step()
        while self._chunk is not None and self._at < len(self._chunk):
            self.step()
        events = self._events
        self._chunk, self._events = None, []
        return events


def _before(behind: int, chunks: Iterator[Sequence[Readable]]) -> Iterator[Sequence[Readable]]:
    for chunk in chunks:
        if chunk[-1].offset < behind:
            yield chunk
            continue
        part = [record for record in chunk if record.offset < behind]
        if part:
            yield part
        return
