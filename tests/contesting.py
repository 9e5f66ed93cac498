"""Processes that write one compacted topic at once, read it as they are let, and die."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

import pytest
from hypothesis import strategies as st

PROCESSES = 3


class Book(Protocol):
    """What a process has read of the topic."""

    def take(self, key: bytes, value: bytes | None) -> None: ...


B = TypeVar("B", bound=Book)
T = TypeVar("T")
Records = list[tuple[bytes, bytes | None]]
Steps = list[tuple[str, int]]
"""What happens, and in which process."""


class LostError(Exception):
    """Kafka did not acknowledge: the record may come later, or never."""


def run(playing: Coroutine[Any, Any, T]) -> T:
    """What was played: whoever writes waits for as long as it takes, on a busy machine, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("streams.agents.contested.READ_BACK_S", 3600)
        return asyncio.run(playing)


def steps(**weights: int) -> st.SearchStrategy[Steps]:
    """Reading one record each, and what else happens, as often as it weighs beside the reading."""
    weighed = {"read": 4, **weights}
    kinds = [kind for kind, weight in weighed.items() for _ in range(weight)]
    return st.lists(st.tuples(st.sampled_from(kinds), st.integers(0, PROCESSES - 1)), max_size=40)


class World(Generic[B]):
    """A topic, and processes with a book each that they have of their number."""

    def __init__(self, book: Callable[[int], B], bytes_of: Callable[[Any], bytes]) -> None:
        self.topic: Records = []
        self.books = [book(process) for process in range(PROCESSES)]
        self.written: list[asyncio.Task[Any]] = []
        self._book, self._bytes_of = book, bytes_of
        self._unread: list[Records] = [[] for _ in range(PROCESSES)]
        self._late: Records = []
        self._losing = False
        self._keys = 0

    async def add(self, record: Any) -> None:
        await asyncio.sleep(0)
        self._keys += 1
        made = f"{self._keys}".encode(), self._bytes_of(record)
        if self._losing:
            self._losing = False
            self._late.append(made)
            raise LostError
        self._append(*made)

    async def remove(self, key: bytes) -> None:
        await asyncio.sleep(0)
        self._append(key, None)

    def read(self, process: int) -> bool:
        unread = self._unread[process]
        if unread:
            self.books[process].take(*unread.pop(0))
        return bool(unread)

    def write(self, process: int, writing: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(writing, name=f"{process}")
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        self.written.append(task)

    def trouble(self, kind: str, process: int) -> None:
        """The next record is lost, a lost one comes, or a process dies and begins anew."""
        if kind == "lose":
            self._losing = True
        elif kind == "land" and self._late:
            self._append(*self._late.pop(0))
        elif kind == "restart":
            for task in self.written:
                if task.get_name() == f"{process}":
                    task.cancel()
            self.books[process] = self._book(process)
            self._unread[process] = self.left()

    async def settle(self) -> None:
        """Until everything is read and nobody writes any more."""
        self._losing, reading = False, True
        while reading or not all(task.done() for task in self.written):
            await asyncio.sleep(0)
            # Each one reads, whatever the others found.
            reading = max([self.read(process) for process in range(PROCESSES)])

    def outcomes(self) -> list[Any]:
        """What came of each writing of which somebody was told: a result or an exception."""
        told = [task for task in self.written if not task.cancelled()]
        return [task.exception() or task.result() for task in told]

    def fresh(self) -> list[B]:
        """Books of processes that begin now, however far compaction has been."""
        books = []
        for records in {tuple(compacted(self.topic, end)) for end in range(len(self.topic) + 1)}:
            books.append(self._book(0))
            for record in records:
                books[-1].take(*record)
        return books

    def left(self) -> Records:
        """What compaction leaves in the end."""
        return compacted(self.topic, len(self.topic))

    def _append(self, key: bytes, value: bytes | None) -> None:
        for records in (self.topic, *self._unread):
            records.append((key, value))


def compacted(topic: Records, end: int) -> Records:
    """Of the first `end` records the last of each key, unless it was removed; then the others."""
    last = {key: n for n, (key, _) in enumerate(topic[:end])}
    kept = [topic[n] for n in sorted(last.values())]
    return [record for record in kept if record[1] is not None] + topic[end:]
