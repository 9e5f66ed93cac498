"""A topic that is read in portions, each committed once its outcome is durable elsewhere."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from streams.agents.fate import Fatal, guarded
from streams.agents.inbox import Inbox
from streams.kafka.reader import Records

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Chunk:
    """Records up to `last`; `landed` when the outcome of each is durable."""

    last: int
    landed: bool = False


@dataclass(slots=True)
class Ledger:
    """What of one partition is durable elsewhere, in the order it was read."""

    partition: int
    position: int
    open: deque[Chunk] = field(default_factory=deque)

    def committable(self) -> int:
        """Behind the first record whose outcome is not durable."""
        while self.open and self.open[0].landed:
            self.position = self.open.popleft().last + 1
        return self.position


class LedgerReader:
    """Reads a topic; nothing is committed before its outcome is durable."""

    def __init__(self, most_waiting: int, fatal: Fatal) -> None:
        self._ledgers: dict[int, Ledger] = {}
        self._inbox: Inbox[Ledger] = Inbox(most_waiting)
        self._fatal = fatal
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Starts its loop."""
        self._tasks.add(guarded(self._loop(), self._fatal))

    async def stop(self) -> None:
        """Ends its loop; what is not durable is read again by another worker."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def assigned(
        self, committed: Mapping[int, int], ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        """Starts at the committed offsets; at 0 where nothing was committed yet.

        It has to be said: without a committed offset the consumer would go on where it stands,
        past what was fetched while the partitions were being moved.
        """
        del ends
        self._ledgers = {number: Ledger(number, offset) for number, offset in committed.items()}
        return committed

    def revoked(self) -> None:
        """Forgets its place; what is being written lands or is read again."""
        self._ledgers = {}
        self._inbox.clear()

    @property
    def has_room(self) -> bool:
        """Whether it keeps up."""
        return self._inbox.has_room

    def take(self, partition: int, records: Records) -> None:
        """Takes records, to be handled soon."""
        ledger = self._ledgers.get(partition)
        if ledger is not None:
            self._inbox.put(ledger, records)

    def committable(self, partition: int) -> int | None:
        """Behind the first record whose outcome is not durable."""
        ledger = self._ledgers.get(partition)
        return None if ledger is None else ledger.committable()

    def _land(self, ledger: Ledger, last: int, work: Coroutine[Any, Any, None]) -> None:
        """Runs `work`, which returns when the outcome of the records up to `last` is durable."""
        chunk = Chunk(last)
        ledger.open.append(chunk)

        async def landing() -> None:
            try:
                await work
            except Exception as problem:
                # A fault of ours: the next process reads them again. Going on would hold up the
                # partition's commits unseen.
                log.critical("records up to %d have no outcome", last, exc_info=True)
                self._fatal(problem)
            else:
                chunk.landed = True

        task = asyncio.ensure_future(landing())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _loop(self) -> None:
        raise NotImplementedError
