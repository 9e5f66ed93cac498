"""Writes to the log: one produce request for all that was appended within a tick."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

LONGEST_TICK_S = 0.010
TICK_PER_RECORD_S = 0.000_1
DELIVERY_MS = 30_000
MAX_REQUEST_BYTES = 9 << 20
MAX_BATCH_BYTES = 1 << 20

log = logging.getLogger(__name__)

Headers: TypeAlias = Sequence[tuple[str, bytes]]
ProducerFactory: TypeAlias = Callable[[], AIOKafkaProducer]


@dataclass(frozen=True, slots=True)
class _Waiting:
    written: "asyncio.Future[tuple[int, int]]"
    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


def producer_factory(bootstrap: str, client_id: str, security: dict[str, Any]) -> ProducerFactory:
    """Producers that never lose, reorder or repeat within one connection.

    Lingering is off: it would wait per partition; the writer's own tick merges partitions. The
    batch size keeps senders of large orders from waiting for each other.
    """
    return lambda: AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        client_id=client_id,
        acks="all",
        enable_idempotence=True,
        linger_ms=0,
        max_batch_size=MAX_BATCH_BYTES,
        max_request_size=MAX_REQUEST_BYTES,
        request_timeout_ms=DELIVERY_MS,
        **security,
    )


class LogWriter:
    """Appends records; each append is answered when all in-sync replicas have it."""

    def __init__(self, factory: ProducerFactory) -> None:
        self._factory = factory
        self._producer: AIOKafkaProducer | None = None
        self._waiting: list[_Waiting] = []
        self._flushing = False
        self._last_batch = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connects."""
        self._producer = self._factory()
        await self._producer.start()

    async def stop(self) -> None:
        """Writes what is waiting, then disconnects."""
        while self._waiting or self._flushing:  # noqa: ASYNC110 (an event per append costs more)
            await asyncio.sleep(0.005)
        if self._producer is not None:
            await self._producer.stop()

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers = ()
    ) -> "asyncio.Future[tuple[int, int]]":
        """The place (partition, offset) of the record, once it is durable.

        A `KafkaError` leaves it open whether the record is in the log: append it again, readers
        ignore what does not apply.
        """
        loop = asyncio.get_running_loop()
        written: asyncio.Future[tuple[int, int]] = loop.create_future()
        self._waiting.append(_Waiting(written, topic, key, value, headers))
        if len(self._waiting) == 1 and not self._flushing:
            self._schedule(loop)
        return written

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        self._flushing = True
        tick = min(LONGEST_TICK_S, self._last_batch * TICK_PER_RECORD_S)
        loop.call_later(tick, self._start_flush)

    def _start_flush(self) -> None:
        task = asyncio.ensure_future(self._flush())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        self._last_batch = len(batch)
        for waiting in batch:
            await self._send(waiting)
        if self._waiting:
            self._schedule(asyncio.get_running_loop())
        else:
            self._flushing = False

    async def _send(self, waiting: _Waiting) -> None:
        producer: Any = self._producer
        if producer is None:
            self._fail(waiting, KafkaError("there is no connection to write through"))
            return
        try:
            sent = await producer.send(
                waiting.topic, waiting.value, key=waiting.key, headers=list(waiting.headers)
            )
        except KafkaError as problem:
            self._fail(waiting, problem)
            await self._replace(producer, problem)
        else:
            sent.add_done_callback(lambda ack: self._acknowledged(waiting, ack, producer))

    def _acknowledged(
        self, waiting: _Waiting, ack: "asyncio.Future[Any]", producer: AIOKafkaProducer
    ) -> None:
        problem = None if ack.cancelled() else ack.exception()
        if ack.cancelled() or problem is not None:
            failure = problem if isinstance(problem, KafkaError) else KafkaError(repr(problem))
            self._fail(waiting, failure)
            task = asyncio.ensure_future(self._replace(producer, failure))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif not waiting.written.done():
            place = ack.result()
            waiting.written.set_result((place.partition, place.offset))

    @staticmethod
    def _fail(waiting: _Waiting, problem: KafkaError) -> None:
        if not waiting.written.done():
            waiting.written.set_exception(problem)

    async def _replace(self, broken: Any, problem: KafkaError) -> None:
        # An idempotent producer that lost a batch refuses every later one: only a new one helps.
        if self._producer is not broken:
            return
        log.warning("the producer is replaced after %r", problem)
        self._producer = None
        while True:
            fresh = self._factory()
            try:
                await fresh.start()
            except KafkaError as unreachable:
                log.warning("no producer yet: %r", unreachable)
                await fresh.stop()
                await asyncio.sleep(1.0)
            else:
                self._producer = fresh
                break
        if broken is not None:
            await broken.stop()
