"""Pages of `orders-rejected`, the newest first, read from the ends of its partitions backwards."""

import asyncio
import base64
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.core.sealing import TenantKeys
from streams.kafka.admin import Cluster
from waybill.rejected import Rejected, rejected_from

CHUNK = 100
"""Records of a partition that are fetched at once."""
MOST_READ = 2_000
"""Records that are looked through for one page: it may hold fewer and have a next one."""

_PATIENCE_S = 8.0
_FETCH_MS = 500
_MAX_BYTES = 9 << 20
_PLACE = re.compile(r"(\d{1,5}):(\d{1,18})")

_Answer = TypeVar("_Answer")

Wanted: TypeAlias = Callable[[Rejected], bool]
Ends: TypeAlias = Mapping[int, int]
"""By partition the offset before which a page looks."""


class RejectedUnknownError(Exception):
    """Kafka does not say what was rejected."""


class RejectedPage(NamedTuple):
    """Records, the newest first, and where the next page begins; None on the last one."""

    records: Sequence[Rejected]
    following: str | None


class RejectedLog(Protocol):
    """What was rejected, as far as the API asks."""

    @property
    def keys(self) -> Mapping[str, TenantKeys]:
        """What opens the originals."""

    async def page(self, wanted: Wanted, cursor: str | None, limit: int) -> RejectedPage:
        """A page; ValueError for a cursor that is none of ours, RejectedUnknownError."""

    async def one(self, partition: int, offset: int) -> Rejected | None:
        """The record at that place, if one is there; RejectedUnknownError."""


class RejectedRecords:
    """One connection, made when it is first asked for and again after it was lost."""

    def __init__(self, cluster: Cluster, topic: str, keys: Mapping[str, TenantKeys]) -> None:
        self.keys = keys
        self._cluster = cluster
        self._topic = topic
        self._consumer: AIOKafkaConsumer | None = None
        self._lock = asyncio.Lock()

    async def page(self, wanted: Wanted, cursor: str | None, limit: int) -> RejectedPage:
        """As the protocol says; one at a time."""
        tops = None if cursor is None else _ends(cursor)
        return await self._asked(lambda partitions: _page(partitions, tops, wanted, limit))

    async def one(self, partition: int, offset: int) -> Rejected | None:
        """As the protocol says; one at a time."""

        async def asked(partitions: Sequence[_Partition]) -> Rejected | None:
            for one in partitions:
                if one.place.partition == partition and one.begin <= offset < one.top:
                    found = await one.read(offset, offset + 1)
                    return found[0] if found else None
            return None

        return await self._asked(asked)

    async def close(self) -> None:
        """Lets the connection go."""
        async with self._lock:
            await self._drop()

    async def _asked(
        self, question: "Callable[[Sequence[_Partition]], Awaitable[_Answer]]"
    ) -> _Answer:
        async with self._lock:
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    return await question(await self._partitions())
            except (KafkaError, OSError, TimeoutError) as problem:
                await self._drop()
                raise RejectedUnknownError(type(problem).__name__) from problem
            except BaseException:
                await self._drop()
                raise

    async def _partitions(self) -> "Sequence[_Partition]":
        consumer = self._consumer or await self._connected()
        places = sorted(consumer.assignment())
        begins = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        return [_Partition(consumer, place, begins[place], ends[place]) for place in places]

    async def _connected(self) -> AIOKafkaConsumer:
        consumer = self._consumer = AIOKafkaConsumer(
            bootstrap_servers=self._cluster.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=_MAX_BYTES,
            **self._cluster.security.client_options(),
        )
        await consumer.start()
        # Asking for the metadata of a topic that nobody subscribed to.
        await consumer._client.add_topic(self._topic)  # noqa: SLF001 - no public way to ask once
        numbers = consumer.partitions_for_topic(self._topic) or ()
        consumer.assign([TopicPartition(self._topic, number) for number in numbers])
        consumer.pause(*consumer.assignment())
        return consumer

    async def _drop(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()


@dataclass(slots=True)
class _Partition:
    """One partition while a page is put together: `newest` are those fetched, the last first."""

    consumer: AIOKafkaConsumer
    place: TopicPartition
    begin: int
    top: int
    newest: list[Rejected] = field(default_factory=list)

    async def head(self) -> Rejected | None:
        """The newest record that was not taken; None where there is none."""
        while not self.newest and self.top > self.begin:
            start = max(self.begin, self.top - CHUNK)
            self.newest = await self.read(start, self.top)
            if not self.newest:
                self.top = start
        return self.newest[-1] if self.newest else None

    def take(self) -> Rejected:
        """The head; the next one is before it."""
        taken = self.newest.pop()
        self.top = taken.offset
        return taken

    async def read(self, start: int, end: int) -> list[Rejected]:
        """The records from `start` to before `end`, in their order."""
        consumer, place, found = self.consumer, self.place, list[Rejected]()
        consumer.seek(place, start)
        consumer.resume(place)
        try:
            while await consumer.position(place) < end:
                fetched = await consumer.getmany(place, timeout_ms=_FETCH_MS, max_records=CHUNK)
                found += [rejected_from(one) for one in fetched.get(place, ()) if one.offset < end]
        finally:
            consumer.pause(place)
        return found


async def _page(
    partitions: Sequence[_Partition], tops: Ends | None, wanted: Wanted, limit: int
) -> RejectedPage:
    if tops is not None:
        for one in partitions:
            one.top = min(one.top, tops.get(one.place.partition, one.top))
    found: list[Rejected] = []
    for _ in range(MOST_READ):
        heads = [(head, one) for one in partitions if (head := await one.head()) is not None]
        if not heads:
            return RejectedPage(found, None)
        if len(found) == limit:
            break
        _, newest = max(heads, key=lambda pair: (pair[0].at, pair[0].partition, pair[0].offset))
        record = newest.take()
        if wanted(record):
            found.append(record)
    return RejectedPage(found, _cursor({one.place.partition: one.top for one in partitions}))


def _cursor(tops: Ends) -> str:
    plain = ",".join(f"{partition}:{top}" for partition, top in sorted(tops.items()))
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def _ends(cursor: str) -> Ends:
    plain = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    found = [_PLACE.fullmatch(part) for part in plain.split(",")]
    if not all(found):
        raise ValueError("the cursor is not one that this API gave out")
    return {int(one[1]): int(one[2]) for one in found if one is not None}
