"""Records of `orders-rejected`: reading them, and sending the originals again."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.agents.rejections import DEFAULT_TENANT, Refused, opened
from streams.core.sealing import TenantKeys
from streams.kafka.admin import Cluster

IDENTITY = "waybill-identity"
TENANT = "waybill-tenant"
REPLAY_OF = "waybill-replay-of"
"""The header that names the rejected record that was sent again."""

_LONGEST_WAIT_MS = 1_000
_MAX_REQUEST = 9 << 20


@dataclass(frozen=True, slots=True)
class Rejected:
    """One record: where it stands, why it is there, and the record itself."""

    partition: int
    offset: int
    at: datetime
    told: Mapping[str, str]
    record: Any

    @property
    def place(self) -> str:
        """What it is called by: `partition/offset`."""
        return f"{self.partition}/{self.offset}"

    @property
    def tenant(self) -> str:
        """Whose it is."""
        return self.told.get(TENANT, DEFAULT_TENANT)

    @property
    def topic(self) -> str:
        """Where the original came from; empty where that is not known."""
        return self.told.get("origin", "").rpartition("/")[0].rpartition("/")[0]

    def shape(self) -> dict[str, Any]:
        """For people and programs; nothing of the original's content."""
        names = ("code", "reason", "remedy", "field", "origin")
        told = {name: self.told.get(name) for name in names}
        return {"place": self.place, "at": self.at.isoformat(), "tenant": self.tenant, **told}

    def original(self, keys: Mapping[str, TenantKeys]) -> Refused:
        """The record that was refused, whole."""
        tenants = (self.tenant, DEFAULT_TENANT, *keys)
        return opened(self.record, next(keys[name] for name in tenants if name in keys))


async def read_rejected(cluster: Cluster, topic: str) -> AsyncIterator[Rejected]:
    """All that stands in the topic now, partition by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=cluster.bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=_MAX_REQUEST,
        **cluster.security.client_options(),
    )
    await consumer.start()
    try:
        # Asking for the metadata of a topic that nobody subscribed to.
        await consumer._client.add_topic(topic)  # noqa: SLF001 - no public way to ask once
        numbers = consumer.partitions_for_topic(topic) or ()
        places = [TopicPartition(topic, number) for number in sorted(numbers)]
        starts = await consumer.beginning_offsets(places)
        ends = await consumer.end_offsets(places)
        for place in places:
            if starts[place] == ends[place]:
                continue  # to assign one takes the client a moment, even where nothing is
            consumer.assign([place])
            await consumer.seek_to_beginning(place)
            while await consumer.position(place) < ends[place]:
                found = await consumer.getmany(place, timeout_ms=_LONGEST_WAIT_MS)
                for record in found.get(place, ()):
                    yield rejected_from(record)
    finally:
        await consumer.stop()


def rejected_from(record: Any) -> Rejected:
    """What stands in a record of the topic."""
    told = {name: (text or b"").decode(errors="replace") for name, text in record.headers}
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
    return Rejected(record.partition, record.offset, at, told, record)


class Replay:
    """Sends originals again, to the topics that they came from."""

    def __init__(
        self, producer: AIOKafkaProducer, topic: str, keys: Mapping[str, TenantKeys]
    ) -> None:
        self._producer = producer
        self._topic = topic
        self._keys = keys

    async def send(self, rejected: Rejected) -> None:
        """Returns when Kafka has it. Sent again and again, an order is still taken once."""
        original = rejected.original(self._keys)
        headers = replay_headers(original.headers, rejected, f"{self._topic}/{rejected.place}")
        await self._producer.send_and_wait(
            rejected.topic, original.value, original.key, headers=headers
        )


@asynccontextmanager
async def replaying(
    cluster: Cluster, topic: str, keys: Mapping[str, TenantKeys]
) -> AsyncIterator[Replay]:
    """A way to send originals again."""
    producer = AIOKafkaProducer(
        bootstrap_servers=cluster.bootstrap,
        acks="all",
        enable_idempotence=True,
        max_request_size=_MAX_REQUEST,
        **cluster.security.client_options(),
    )
    await producer.start()
    try:
        yield Replay(producer, topic, keys)
    finally:
        await producer.stop()


def replay_headers(
    sent: Iterable[tuple[str, bytes]], rejected: Rejected, place: str
) -> Sequence[tuple[str, bytes]]:
    """Those of the original; its identity is what it would have been had it been taken."""
    headers = dict(sent)
    headers.setdefault(TENANT, rejected.tenant.encode())
    headers.setdefault(IDENTITY, rejected.told.get("origin", place).encode())
    headers[REPLAY_OF] = place.encode()
    return list(headers.items())
