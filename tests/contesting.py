"""Processes that write one compacted topic at once, read it as they are let, and die."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar

import pytest
from hypothesis import strategies as st

from streams.core.first_holds import restated

PROCESSES = 3


class Book(Protocol):
    """What a process has read of the topic."""

    def take(self, value: bytes) -> None: ...


B = TypeVar("B", bound=Book)
T = TypeVar("T")
Records = list[bytes]
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
    """A topic of one key, and processes with a book each that they have of their number."""

    def __init__(self, book: Callable[[int], B], bytes_of: Callable[[Any], bytes]) -> None:
        self.topic: Records = []
        self.books = [book(process) for process in range(PROCESSES)]
        self.written: list[asyncio.Task[Any]] = []
        self._book, self._bytes_of = book, bytes_of
        self._unread: list[Records] = [[] for _ in range(PROCESSES)]
        self._late: Records = []
        self._losing = False

    async def add(self, record: Any) -> None:
        await asyncio.sleep(0)
        value = self._bytes_of(record)
        if self._losing:
            self._losing = False
            self._late.append(value)
            raise LostError
        self._append(value)

    async def restate(self, record: Any) -> None:
        await asyncio.sleep(0)
        self._append(restated(self._bytes_of(record)))

    def read(self, process: int) -> bool:
        unread = self._unread[process]
        if unread:
            self.books[process].take(unread.pop(0))
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
            self._append(self._late.pop(0))
        elif kind == "restart":
            for task in self.written:
                if task.get_name() == f"{process}":
                    task.cancel()
            # Compaction keeps its distance: it has not come to what nobody has answered yet.
            self.books[process] = self._book(process)
            self._unread[process] = self.topic.copy()

    async def settle(self) -> None:
        """Until everything is read, and nobody has anything to write any more."""
        self._losing = False
        length = -1
        while length < len(self.topic):
            length = len(self.topic)
            reading = True
            while reading or not all(task.done() for task in self.written):
                await asyncio.sleep(0)
                # Each one reads, whatever the others found.
                reading = max([self.read(process) for process in range(PROCESSES)])
            for process in range(PROCESSES):
                await self.settled_by(process)

    async def settled_by(self, process: int) -> None:
        """That process restates what it finds to hold, and not to stand last."""
        raise NotImplementedError

    def outcomes(self) -> list[Any]:
        """What came of each writing of which somebody was told: a result or an exception."""
        told = [task for task in self.written if not task.cancelled()]
        return [task.exception() or task.result() for task in told]

    def fresh(self) -> list[B]:
        """Books of processes that begin now, however far compaction has been."""
        books = []
        for begin in range(len(self.topic)):
            books.append(self._book(0))
            for value in self.topic[begin:]:
                books[-1].take(value)
        return books

    def _append(self, value: bytes) -> None:
        for records in (self.topic, *self._unread):
            records.append(value)
