"""What was fetched and not handled yet, handed out in portions that leave the loop its breath."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from streams.kafka.reader import Records

Owner = TypeVar("Owner")

LATE_S = 0.005
LONGEST_WAIT_S = 1.0


class Inbox(Generic[Owner]):
    """Chunks with whom they belong to, in the order they came."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._chunks: deque[tuple[Owner, Records]] = deque()
        self._waiting = 0
        self._arrived = asyncio.Event()

    @property
    def has_room(self) -> bool:
        """Whether fewer records wait than may."""
        return self._waiting < self._most

    def put(self, owner: Owner, records: Records) -> None:
        """Keeps the records."""
        self._chunks.append((owner, records))
        self._waiting += len(records)
        self._arrived.set()

    async def take(self, most: int) -> list[tuple[Owner, Records]]:
        """At most so many records, once there are any."""
        await self.filled()
        return self.taken(most)

    async def filled(self) -> None:
        """Returns once there are any."""
        while not self._chunks:
            self._arrived.clear()
            await self._arrived.wait()

    def taken(self, most: int) -> list[tuple[Owner, Records]]:
        """At most so many records of those that are there."""
        taken: list[tuple[Owner, Records]] = []
        while self._chunks and most > 0:
            owner, records = self._chunks.popleft()
            if len(records) > most:
                self._chunks.appendleft((owner, records[most:]))
                records = records[:most]
            taken.append((owner, records))
            most -= len(records)
            self._waiting -= len(records)
        return taken

    def clear(self) -> None:
        """Forgets everything."""
        self._chunks.clear()
        self._waiting = 0


def by_owner(taken: Iterable[tuple[Owner, Records]]) -> dict[Owner, list[Any]]:
    """The records of each owner in one list, in the order they came."""
    found: dict[Owner, list[Any]] = {}
    for owner, records in taken:
        found.setdefault(owner, []).extend(records)
    return found


async def until_loop_is_free(monotonic: Callable[[], float]) -> None:
    """Returns when the loop answers promptly, or after a second.

    New work is taken on as fast as the work at hand is done: otherwise a burst would sit in memory
    and make everything slower, while it is safe where it is, in the topic.
    """
    until = monotonic() + LONGEST_WAIT_S
    while True:
        before = monotonic()
        await asyncio.sleep(0)
        after = monotonic()
        if after - before < LATE_S or after > until:
            return
        await asyncio.sleep(LATE_S)
