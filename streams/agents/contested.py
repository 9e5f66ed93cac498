"""Writing settings to a topic that others write at the same time: whoever is first, holds."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from typing import Generic, Protocol, TypeVar

from streams.core.first_holds import FirstHolds

READ_BACK_S = 5.0
"""Seconds until a record that Kafka has acknowledged has to be read."""
SETTLE_EVERY_S = 2.0
"""Seconds in which a record that does not hold may be the last one of its name."""

Record = TypeVar("Record")
_Record_contra = TypeVar("_Record_contra", contravariant=True)


class SettingsTopic(Protocol[_Record_contra]):
    """A compacted topic of one partition, for those who write it."""

    async def add(self, record: _Record_contra) -> None:
        """Returns when the record is there."""

    async def restate(self, record: _Record_contra) -> None:
        """Writes once more what holds; where it fails, it is asked for again."""


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

    def take(self, name: str, rank: float, record: Record, *, is_restated: bool) -> bool:
        """Whether something else holds from the topic's next record on."""
        is_news = self._first.take(name, rank, record, is_restated=is_restated)
        holds = self._first.get(name) == record
        for expected, fate in self._awaited.get(name, ()):
            if expected == record and not fate.done():
                fate.set_result(holds)
        return is_news

    async def write(self, name: str, record: Record, topic: SettingsTopic[Record]) -> bool:
        """Whether the record holds, once it is in the topic and was read back.

        False where another was first; an equal record of somebody else is as good as this one.
        TimeoutError where nobody can tell yet.
        """
        fate: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._awaited[name].append((record, fate))
        try:
            await topic.add(record)
            async with asyncio.timeout(READ_BACK_S):
                return await fate
        finally:
            self._forget(name, fate)

    async def settle(self, topic: SettingsTopic[Record]) -> None:
        """Restates what holds where another record stands last, whoever wrote it.

        To be asked again and again by one who has read all that was there: the record of a writer
        that gave up or died may come at any time.
        """
        for record in self._first.unsettled:
            await topic.restate(record)

    def _forget(self, name: str, fate: asyncio.Future[bool]) -> None:
        left = [one for one in self._awaited[name] if one[1] is not fate]
        if left:
            self._awaited[name] = left
        else:
            del self._awaited[name]
