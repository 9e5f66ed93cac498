"""Reads a topic from the beginning, outside any group: for rebuilds and audits."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

import uvloop
from aiokafka import TopicPartition
from aiokafka.client import AIOKafkaClient
from aiokafka.errors import (
    CorruptRecordException,
    KafkaError,
    LeaderNotAvailableError,
    UnknownTopicOrPartitionError,
    for_code,
)
from aiokafka.protocol.fetch import FetchRequest
from aiokafka.protocol.offset import OffsetRequest
from aiokafka.record.memory_records import MemoryRecords

AT_ONCE = 8_000
FETCH_BYTES = 8 << 20
LONGEST_FETCH_MS = 500
"""A fetch that finds nothing is answered after so long; nobody asks where there is nothing."""
PATIENCE_S = 60.0
"""So long brokers may be away, or a partition without a leader."""
PAUSE_S = 0.05
_CLIENT, _LATEST = -1, -1
_UNCOMMITTED = 0
"""The isolation level: nothing is written to the topic in transactions."""

Answer = TypeVar("Answer")


class History:
    """One topic's records by partition; blocking. A context manager.

    Its loop has a thread of its own, in which the next fetch arrives while one is worked on. It
    asks the leaders itself: a consumer's records carry all that could be asked about them, and to
    make those takes as long as to read what is in them.
    """

    def __init__(self, topic: str, bootstrap: str, security: dict[str, Any]) -> None:
        self._topic = topic
        self._options = {"bootstrap_servers": bootstrap, **security}
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._thread = ThreadPoolExecutor(1, "history")
        self._client: Any = None
        self._partitions: list[int] = []

    def __enter__(self) -> Self:
        self._client = self._run(self._connected()).result()
        self._partitions = self._run(self._found()).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._client.close()).result()
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions of the topic."""
        return self._partitions

    def ends(self) -> Mapping[int, int]:
        """The offset behind the last record of each partition, as the log is now."""
        return self._run(self._ends(self._partitions)).result()

    def read(self, partition: int, offset: int) -> Iterator[Sequence[Any]]:
        """Chunks of records (`offset`, `value`) from `offset` to the end as it is now.

        `KafkaError` where the log does not hold the offset, or nobody answers for a minute.
        """
        end = self._run(self._ends([partition])).result()[partition]
        coming = self._run(self._fetched(partition, offset)) if offset < end else None
        while coming is not None:
            records, offset = coming.result()
            coming = self._run(self._fetched(partition, offset)) if offset < end else None
            for start in range(0, len(records), AT_ONCE):
                yield records[start : start + AT_ONCE]

    def _run(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        return self._thread.submit(self._runner.run, work)

    async def _connected(self) -> Any:
        client = AIOKafkaClient(**self._options)
        await client.bootstrap()
        return client

    async def _found(self) -> list[int]:
        """A client hears of a topic's partitions only once it has asked for them."""
        async with asyncio.timeout(PATIENCE_S):
            await self._client.set_topics([self._topic])
            while not (found := self._client.cluster.partitions_for_topic(self._topic)):
                await asyncio.sleep(PAUSE_S)
                await self._client.force_metadata_update()
        return sorted(found)

    async def _ends(self, partitions: Sequence[int]) -> Mapping[int, int]:
        async def ask() -> Mapping[int, int]:
            wanted = defaultdict(list)
            for partition in partitions:
                wanted[self._leader(partition)].append((partition, _LATEST))
            ends: dict[int, int] = {}
            for leader, of_leader in wanted.items():
                request = OffsetRequest(_CLIENT, _UNCOMMITTED, [(self._topic, of_leader)])
                answer = await self._client.send(leader, request)
                for partition, error, *_, end in answer.topics[0][1]:
                    self._refuse(error, partition)
                    ends[partition] = end
            return ends

        return await self._patiently(ask)

    async def _fetched(self, partition: int, offset: int) -> tuple[Sequence[Any], int]:
        """Some records from `offset` on, and where the next ones begin."""

        async def ask() -> tuple[Sequence[Any], int]:
            wanted = [(self._topic, [(partition, offset, FETCH_BYTES)])]
            request = FetchRequest(LONGEST_FETCH_MS, 1, FETCH_BYTES, _UNCOMMITTED, wanted)
            answer = await self._client.send(self._leader(partition), request)
            [(_, [(_, error, *_, found)])] = answer.topics
            self._refuse(error, partition)
            return _unpacked(found, offset)

        return await self._patiently(ask)

    def _leader(self, partition: int) -> int:
        place = TopicPartition(self._topic, partition)
        leader: int | None = self._client.cluster.leader_for_partition(place)
        if leader is None:
            raise UnknownTopicOrPartitionError(str(place))
        if leader < 0:
            raise LeaderNotAvailableError(str(place))
        return leader

    def _refuse(self, error: int, partition: int) -> None:
        if error:
            raise for_code(error)(f"{self._topic} partition {partition}")

    async def _patiently(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while True:
            try:
                return await ask()
            except KafkaError as problem:
                if not problem.retriable or loop.time() > until:
                    raise
                if problem.invalid_metadata:
                    await self._client.force_metadata_update()
            await asyncio.sleep(PAUSE_S)


def _unpacked(found: bytes, offset: int) -> tuple[Sequence[Any], int]:
    """The records of some batches, without those before `offset`; the first batch may have some."""
    batches, records = MemoryRecords(found), []
    while batches.has_next():
        batch = batches.next_batch()
        assert batch is not None
        if not batch.validate_crc():
            raise CorruptRecordException(f"the batch at {batch.base_offset} has another checksum")
        if not batch.is_control_batch:
            records += [record for record in batch if record.offset >= offset]
        offset = max(offset, batch.next_offset)
    return records, offset
