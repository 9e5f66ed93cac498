"""Reads a topic from the beginning, outside any group: for rebuilds and audits."""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Self, TypeVar

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

AT_ONCE = 8_000
FETCH_BYTES = 16 << 20
ANSWER_MS = 1_000
LONGEST_FETCH_MS = 20
"""A fetch that finds nothing stands in the way of the next partition's for so long."""
PARTITIONS_S = 30.0
PAUSE_S = 0.05

Answer = TypeVar("Answer")


class History:
    """One topic's records by partition; blocking. A context manager.

    Its loop has a thread of its own, in which the next chunk arrives while one is worked on.
    """

    def __init__(self, topic: str, bootstrap: str, security: dict[str, Any]) -> None:
        self._topic = topic
        self._options = {"bootstrap_servers": bootstrap, **security}
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._thread = ThreadPoolExecutor(1, "history")
        self._consumer: Any = None
        self._partitions: list[int] = []

    def __enter__(self) -> Self:
        self._consumer = self._run(self._connected()).result()
        self._partitions = self._run(self._found()).result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._run(self._consumer.stop()).result()
        self._thread.submit(self._runner.close).result()
        self._thread.shutdown()

    @property
    def partitions(self) -> Sequence[int]:
        """The partitions of the topic."""
        return self._partitions

    def ends(self) -> Mapping[int, int]:
        """The offset behind the last record of each partition, as the log is now."""
        return self._run(self._ends()).result()

    def read(self, partition: int, offset: int) -> Iterator[Sequence[Any]]:
        """Chunks of records from `offset` to the end of the partition as it is now."""
        place = TopicPartition(self._topic, partition)
        end = self._run(self._placed(place, offset)).result()
        coming = self._run(self._next(place)) if offset < end else None
        while coming is not None:
            records = coming.result()
            if records:
                offset = records[-1].offset + 1
            coming = self._run(self._next(place)) if offset < end else None
            if records:
                yield records

    def _run(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        return self._thread.submit(self._runner.run, work)

    async def _connected(self) -> Any:
        consumer = AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            fetch_max_wait_ms=LONGEST_FETCH_MS,
            **self._options,
        )
        await consumer.start()
        return consumer

    async def _found(self) -> list[int]:
        """A consumer hears of a topic's partitions only once it has asked for one of them."""
        self._consumer.assign([TopicPartition(self._topic, 0)])
        async with asyncio.timeout(PARTITIONS_S):
            while True:
                found = self._consumer.partitions_for_topic(self._topic)
                if found:
                    return sorted(found)
                await asyncio.sleep(PAUSE_S)

    async def _ends(self) -> Mapping[int, int]:
        places = [TopicPartition(self._topic, number) for number in self._partitions]
        ends = await self._consumer.end_offsets(places)
        return {place.partition: end for place, end in ends.items()}

    async def _placed(self, place: TopicPartition, offset: int) -> int:
        self._consumer.assign([place])
        self._consumer.seek(place, offset)
        ends = await self._consumer.end_offsets([place])
        end: int = ends[place]
        return end

    async def _next(self, place: TopicPartition) -> Sequence[Any]:
        found = await self._consumer.getmany(place, timeout_ms=ANSWER_MS, max_records=AT_ONCE)
        records: Sequence[Any] = found.get(place, ())
        return records
