"""Reads a topic from the beginning, outside any group: for rebuilds and audits."""

import asyncio
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Any, Self

import uvloop
from aiokafka import AIOKafkaConsumer, TopicPartition

AT_ONCE = 5_000
FETCH_BYTES = 8 << 20
ANSWER_MS = 1_000


class History:
    """One topic's records by partition; blocking, for a thread of its own. A context manager."""

    def __init__(self, topic: str, bootstrap: str, security: dict[str, Any]) -> None:
        self._topic = topic
        self._options = {"bootstrap_servers": bootstrap, **security}
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._consumer: Any = None

    def __enter__(self) -> Self:
        self._consumer = self._runner.run(self._connected())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._runner.run(self._consumer.stop())
        self._runner.close()

    @property
    def partitions(self) -> list[int]:
        """The partitions of the topic."""
        return sorted(self._consumer.partitions_for_topic(self._topic) or ())

    def read(self, partition: int, offset: int) -> Iterator[Sequence[Any]]:
        """Chunks of records from `offset` to the end of the partition as it is now."""
        place = TopicPartition(self._topic, partition)
        end = self._runner.run(self._placed(place, offset))
        while offset < end:
            records = self._runner.run(self._next(place))
            if records:
                offset = records[-1].offset + 1
                yield records

    async def _connected(self) -> Any:
        consumer = AIOKafkaConsumer(
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=FETCH_BYTES,
            **self._options,
        )
        await consumer.start()
        await consumer.topics()
        return consumer

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
