"""How far those who read a topic are: its end, their place, and how old what they read next is."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from streams.kafka.admin import Cluster

_GIVE_UP_S = 5.0
_AGAIN_S = 0.1
_FETCH_S = 1.0
_FETCH_MS = 200
_LEAST_BYTES = 1
"""The broker answers with one batch at least: more is not needed to know when it was written."""


@dataclass(frozen=True, slots=True)
class TopicReader:
    """Somebody who reads a topic; the place is in `reached` (the next offset), else the group's."""

    name: str
    topic: str
    group: str | None = None
    reached: Mapping[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A reader's place in a partition: `position` is the next offset that it reads.

    `end` is the offset that is written next; `waiting_since` when the record at `position` was
    written, None where there is none, or it could not be had in time.
    """

    partition: int
    end: int
    position: int
    waiting_since: datetime | None

    @property
    def behind(self) -> int:
        """How many offsets are still to be read."""
        return max(0, self.end - self.position)


class LagUnknownError(Exception):
    """Kafka does not say how far its readers are."""


class LagProbe:
    """Asks Kafka, one question at a time; keeps its connection until it fails or is closed."""

    def __init__(self, cluster: Cluster) -> None:
        self._options = {
            "bootstrap_servers": cluster.bootstrap,
            **cluster.security.client_options(),
        }
        self._asking = asyncio.Lock()
        self._consumer: Any = None
        self._admin: Any = None

    async def look(self, readers: Sequence[TopicReader]) -> dict[str, list[Standing]]:
        """The standings of each reader by its name; a topic that is not there has none.

        `LagUnknownError` where Kafka does not answer within five seconds.
        """
        async with self._asking:
            try:
                async with asyncio.timeout(_GIVE_UP_S):
                    return await self._look(readers)
            except (KafkaError, OSError, TimeoutError) as problem:
                await self.close()
                raise LagUnknownError(type(problem).__name__) from problem

    async def close(self) -> None:
        """Gives the connections back."""
        consumer, admin = self._consumer, self._admin
        self._consumer = self._admin = None
        for client in (consumer, admin):
            if client is not None:
                stopping = client.stop() if client is consumer else client.close()
                try:
                    async with asyncio.timeout(_FETCH_S):
                        await stopping
                except (KafkaError, OSError, TimeoutError):
                    continue

    async def _look(self, readers: Sequence[TopicReader]) -> dict[str, list[Standing]]:
        if self._consumer is None:
            self._consumer = AIOKafkaConsumer(
                group_id=None,
                enable_auto_commit=False,
                max_partition_fetch_bytes=_LEAST_BYTES,
                **self._options,
            )
            await self._consumer.start()
            self._admin = AIOKafkaAdminClient(**self._options)
            await self._admin.start()
        # Asking for the metadata of topics that nobody subscribed to.
        await self._consumer._client.set_topics({reader.topic for reader in readers})  # noqa: SLF001 - no public way
        places = {reader.topic: self._places(reader.topic) for reader in readers}
        every = [place for of_topic in places.values() for place in of_topic]
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(every)
        begins: Mapping[TopicPartition, int] = await self._consumer.beginning_offsets(every)
        found: dict[str, list[Standing]] = {}
        for reader in readers:
            mine = places[reader.topic]
            reached = await self._reached(reader, mine)
            # What has no place begins with the oldest record, and so does what lost its own.
            at = {one: max(reached.get(one.partition, -1), begins[one]) for one in mine}
            written = await self._written({one: at[one] for one in mine if at[one] < ends[one]})
            found[reader.name] = [
                Standing(one.partition, ends[one], at[one], written.get(one)) for one in mine
            ]
        return found

    def _places(self, topic: str) -> list[TopicPartition]:
        numbers = self._consumer.partitions_for_topic(topic) or ()
        return [TopicPartition(topic, number) for number in sorted(numbers)]

    async def _reached(
        self, reader: TopicReader, places: Collection[TopicPartition]
    ) -> Mapping[int, int]:
        if reader.group is None or not places:
            return reader.reached or {}
        while True:
            try:
                committed = await self._admin.list_consumer_group_offsets(
                    reader.group, partitions=list(places)
                )
            except KafkaError as problem:
                # A broker that is new, or has just taken over, looks for its groups first.
                if not problem.retriable:
                    raise
                await asyncio.sleep(_AGAIN_S)
            else:
                return {place.partition: found.offset for place, found in committed.items()}

    async def _written(
        self, wanted: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, datetime]:
        """When the records at these places were written, as far as they can be had soon."""
        written: dict[TopicPartition, datetime] = {}
        if not wanted:
            return written
        self._consumer.assign(list(wanted))
        for place, offset in wanted.items():
            self._consumer.seek(place, offset)
        loop = asyncio.get_running_loop()
        until = loop.time() + _FETCH_S
        while len(written) < len(wanted) and loop.time() < until:
            missing = [place for place in wanted if place not in written]
            batches = await self._consumer.getmany(*missing, timeout_ms=_FETCH_MS, max_records=1)
            for place, records in batches.items():
                for record in records[:1]:
                    written[place] = datetime.fromtimestamp(record.timestamp / 1000, UTC)
        self._consumer.unsubscribe()
        return written
