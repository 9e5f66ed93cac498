"""Writing settings to a topic that others write at the same time: whoever is first, holds."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from streams.core.first_holds import FirstHolds

READ_BACK_S = 5.0
"""Seconds until a record that Kafka has acknowledged has to be read."""

Record = TypeVar("Record")
_Record_contra = TypeVar("_Record_contra", contravariant=True)


class SettingsTopic(Protocol[_Record_contra]):
    """A compacted topic of one partition, for those who write it."""

    async def add(self, record: _Record_contra) -> None:
        """Returns when the record is there, once, under a key that no other record ever has."""

    async def remove(self, key: bytes) -> None:
        """Has compaction take away the record of that key; where it fails the record stays."""


class Contested(Generic[Record]):
    """What holds of a topic's records, and whether what is written here does. For one event loop.

    Its owner hands it every record of the topic in order. See `FirstHolds` for what holds.
    """

    def __init__(self) -> None:
        self._first: FirstHolds[Record] = FirstHolds()
        self._awaited: defaultdict[str, list[tuple[Record, asyncio.Future[bool]]]] = defaultdict(
            list
        )

    def get(self, name: str) -> Record | None:
        """What holds; None for a name that has no record."""
        return self._first.get(name)

    def all(self) -> Iterable[Record]:
        """What holds, of every name."""
        return self._first.all()

    def take(self, key: bytes, name: str, rank: float, record: Record) -> bool:
        """Whether the next record of the topic holds from here on."""
        is_first = self._first.take(key, name, rank, record)
        holds = self._first.get(name) == record
        for expected, fate in self._awaited.get(name, ()):
            if expected == record and not fate.done():
                fate.set_result(holds)
        return is_first

    def remove(self, key: bytes) -> None:
        """The next record of the topic is a tombstone."""
        self._first.remove(key)

    async def write(self, name: str, record: Record, topic: SettingsTopic[Record]) -> bool:
        """Whether the record holds, once it is in the topic and was read back.

        False where another was first; an equal record of somebody else is as good as this one.
        TimeoutError where nobody can tell yet. What is known to have passed is removed then,
        whoever wrote it: what a writer that died has left behind, too.
        """
        fate: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._awaited[name].append((record, fate))
        try:
            await topic.add(record)
            async with asyncio.timeout(READ_BACK_S):
                holds = await fate
        finally:
            self._forget(name, fate)
        await asyncio.gather(*(topic.remove(key) for key in self._first.passed))
        return holds

    def _forget(self, name: str, fate: asyncio.Future[bool]) -> None:
        left = [one for one in self._awaited[name] if one[1] is not fate]
        if left:
            self._awaited[name] = left
        else:
            del self._awaited[name]
