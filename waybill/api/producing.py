"""Putting records on their topics: acknowledged, or surely given up."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from streams.kafka.admin import Cluster
from streams.topics import Topics

log = logging.getLogger(__name__)

GIVE_UP_S = 4.0
"""Seconds until a submission is given up: the caller has its 503 within five."""

_RECONNECT_S = 0.5
_PROBE_S = 2.0
_MAX_REQUEST = 2 << 20
_MAX_BATCH = 1 << 20


class KafkaUnavailableError(Exception):
    """Kafka did not acknowledge in time. `sent` says that it may still have got the record."""

    def __init__(self, *, sent: bool) -> None:
        super().__init__("Kafka did not acknowledge the record in time")
        self.sent = sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """A record of `topic`."""

    topic: str
    key: bytes
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class Producer(Protocol):
    """Where submitted orders and commands go."""

    async def send(self, record: Outgoing) -> None:
        """Returns when Kafka has acknowledged; KafkaUnavailableError when it has not."""

    async def answers(self) -> bool:
        """Whether Kafka answers now."""

    async def log_end(self) -> Mapping[int, int]:
        """The next offset of each partition of `order-events`; KafkaError where not to be had."""


class _RetiredError(Exception):
    """The connection was given up while a record was on its way."""


class _Connection:
    """One aiokafka producer from its start until it is given up."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer
        self._pending: set[asyncio.Future[Any]] = set()

    async def send(self, record: Outgoing) -> None:
        acknowledged = await self.producer.send(
            record.topic, record.value, record.key, headers=list(record.headers)
        )
        # A future of our own: aiokafka's is never resolved once its sender is gone.
        done = asyncio.get_running_loop().create_future()
        self._pending.add(done)
        acknowledged.add_done_callback(lambda future: _pass_on(future, done))
        try:
            await done
        finally:
            self._pending.discard(done)

    async def abort(self) -> None:
        """Ends it without sending what is still queued.

        aiokafka's `stop` would deliver first, and with idempotence it repeats for ever: what
        was answered with 503 would be taken when Kafka is back.
        """
        for done in self._pending:
            if not done.done():
                done.set_exception(_RetiredError)
        producer, sender = self.producer, self.producer._sender.sender_task  # noqa: SLF001 - no public way to drop
        producer._closed = True  # noqa: SLF001 - else it complains that nobody stopped it
        if sender is not None:
            sender.cancel()
        for connection in producer.client._conns.values():  # noqa: SLF001 - unsent bytes must not go out
            if connection._writer is not None:  # noqa: SLF001 - as above
                connection._writer.transport.abort()  # noqa: SLF001 - as above
        with contextlib.suppress(KafkaError):
            await producer.client.close()
        if sender is not None:
            await asyncio.wait([sender], timeout=_PROBE_S)


def _pass_on(future: asyncio.Future[Any], done: asyncio.Future[Any]) -> None:
    if done.done():
        future.cancelled() or future.exception()
    elif future.cancelled():
        done.set_exception(_RetiredError)
    elif (problem := future.exception()) is not None:
        done.set_exception(problem)
    else:
        done.set_result(None)


class KafkaProducing:
    """One shared connection to Kafka, replaced when it does not deliver."""

    def __init__(self, cluster: Cluster, topics: Topics) -> None:
        self._cluster = cluster
        self._topics = topics
        self._connection: _Connection | None = None
        self._connecting: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._endings: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begins to connect, and goes on trying until it works."""
        self._connecting = asyncio.create_task(self._connect(), name="producer")

    async def send(self, record: Outgoing) -> None:
        """Returns when Kafka has acknowledged; KafkaUnavailableError after `GIVE_UP_S` else."""
        connection: _Connection | None = None
        try:
            async with asyncio.timeout(GIVE_UP_S):
                while True:
                    await self._ready.wait()
                    connection = self._connection
                    assert connection is not None
                    # Another's failure may retire the connection: a repetition does no harm,
                    # because the same order or command is taken once.
                    with contextlib.suppress(_RetiredError):
                        return await connection.send(record)
        except (TimeoutError, KafkaError) as problem:
            if connection is not None:
                self._retire(connection, type(problem).__name__)
            raise KafkaUnavailableError(sent=connection is not None) from problem

    async def answers(self) -> bool:
        """Whether Kafka says within two seconds that the topic `orders` is there."""
        connection = self._connection
        if connection is None or not self._ready.is_set():
            return False
        try:
            async with asyncio.timeout(_PROBE_S):
                known = await connection.producer.client.fetch_all_metadata()
                return bool(known.partitions_for_topic(self._topics.orders))
        except (TimeoutError, KafkaError):
            return False

    async def log_end(self) -> Mapping[int, int]:
        """The next offset of each partition of `order-events`."""
        topic = self._topics.order_events
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._cluster.bootstrap, **self._cluster.security.client_options()
        )
        try:
            async with asyncio.timeout(2 * GIVE_UP_S):
                await consumer.start()
                # Asking for the metadata of a topic that nobody subscribed to.
                await consumer._client.add_topic(topic)  # noqa: SLF001 - no public way to ask once
                numbers = consumer.partitions_for_topic(topic)
                if not numbers:
                    raise UnknownTopicOrPartitionError(topic)
                ends = await consumer.end_offsets([TopicPartition(topic, n) for n in numbers])
        finally:
            await consumer.stop()
        return {place.partition: offset for place, offset in ends.items()}

    async def close(self) -> None:
        """Delivers what is on its way, for as long as a submission may take."""
        if self._connecting is not None:
            self._connecting.cancel()
            await asyncio.wait([self._connecting])
        if self._connection is not None:
            try:
                async with asyncio.timeout(GIVE_UP_S):
                    await self._connection.producer.stop()
            except (TimeoutError, KafkaError):
                await self._connection.abort()
        if self._endings:
            await asyncio.wait(self._endings)

    def _retire(self, connection: _Connection, why: str) -> None:
        if connection is not self._connection:
            return
        log.warning("the connection to Kafka is given up: %s", why)
        self._connection = None
        self._ready.clear()
        self.start()
        ending = asyncio.create_task(connection.abort(), name="producer-end")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)

    async def _connect(self) -> None:
        while True:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._cluster.bootstrap,
                acks="all",
                enable_idempotence=True,
                max_request_size=_MAX_REQUEST,
                max_batch_size=_MAX_BATCH,
                request_timeout_ms=int(GIVE_UP_S * 1000),
                **self._cluster.security.client_options(),
            )
            started = False
            try:
                async with asyncio.timeout(2 * GIVE_UP_S):
                    await producer.start()
                    await producer.partitions_for(self._topics.orders)
                started = True
            except (TimeoutError, KafkaError) as problem:
                log.debug("Kafka cannot be reached: %s", type(problem).__name__)
            finally:
                if not started:
                    await _Connection(producer).abort()
            if started:
                self._connection = _Connection(producer)
                self._ready.set()
                return
            await asyncio.sleep(_RECONNECT_S)
