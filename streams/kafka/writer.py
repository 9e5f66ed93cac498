"""Writes to the log: per partition one batch for all that waits, all partitions in one request."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError
from aiokafka.partitioner import murmur2

LONGEST_TICK_S = 0.010
TICK_PER_RECORD_S = 0.000_1
DELIVERY_MS = 30_000
MAX_REQUEST_BYTES = 9 << 20
MAX_BATCH_BYTES = 1 << 20
REMEMBERED_KEYS = 100_000
AGAIN_AFTER_S = 1.0

log = logging.getLogger(__name__)

Headers: TypeAlias = Sequence[tuple[str, bytes]]
Place: TypeAlias = tuple[int, int]
"""Partition and offset."""
ProducerFactory: TypeAlias = Callable[[], AIOKafkaProducer]


class _Waiting(NamedTuple):
    written: "asyncio.Future[Place]"
    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


@dataclass(slots=True)
class _Queue:
    """What waits for one partition; an idempotent producer has one batch of it under way."""

    topic: str
    partition: int
    waiting: deque[_Waiting] = field(default_factory=deque)
    busy: bool = False
    end: int = 0


def producer_factory(bootstrap: str, client_id: str, security: dict[str, Any]) -> ProducerFactory:
    """Producers that never lose, reorder or repeat within one connection.

    Lingering is off: it would wait per partition; the writer's own tick merges partitions.
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
        self._producer: Any = None
        self._arrived: list[_Waiting] = []
        self._queues: dict[tuple[str, int], _Queue] = {}
        self._partitions: dict[tuple[str, bytes], int] = {}
        self._scheduled = False
        self._last_batch = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Connects."""
        self._producer = self._factory()
        await self._producer.start()

    async def stop(self) -> None:
        """Writes what is waiting, then disconnects."""
        while self._arrived or any(q.busy or q.waiting for q in self._queues.values()):  # noqa: ASYNC110 (an event per append costs more)
            await asyncio.sleep(0.005)
        if self._producer is not None:
            await self._producer.stop()

    def end(self, topic: str, partition: int) -> int:
        """The offset behind the last record that this writer knows to be there; 0: none."""
        queue = self._queues.get((topic, partition))
        return 0 if queue is None else queue.end

    def append(
        self, topic: str, key: bytes | None, value: bytes, headers: Headers = ()
    ) -> "asyncio.Future[Place]":
        """The place of the record, once it is durable. Records of one key keep their order.

        A `KafkaError` leaves it open whether the record is in the log: append it again, readers
        ignore what does not apply.
        """
        written: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._arrived.append(_Waiting(written, topic, key, value, headers))
        self._schedule()
        return written

    def _schedule(self) -> None:
        if self._scheduled:
            return
        self._scheduled = True
        tick = min(LONGEST_TICK_S, self._last_batch * TICK_PER_RECORD_S)
        asyncio.get_running_loop().call_later(tick, self._spawn, self._flush)

    def _spawn(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        task = asyncio.ensure_future(work())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _flush(self) -> None:
        self._scheduled = False
        arrived, self._arrived = self._arrived, []
        self._last_batch = len(arrived)
        try:
            for waiting in arrived:
                (await self._queue(waiting.topic, waiting.key)).waiting.append(waiting)
        except KafkaError as problem:
            _fail(arrived, problem)
        for queue in self._queues.values():
            if queue.waiting and not queue.busy:
                await self._send(queue)

    async def _queue(self, topic: str, key: bytes | None) -> _Queue:
        partition = self._partitions.get((topic, key or b""))
        if partition is None:
            if self._producer is None:
                raise KafkaError("there is no connection to write through")
            count = len(await self._producer.partitions_for(topic))
            partition = (murmur2(key or b"") & 0x7FFFFFFF) % count
            if len(self._partitions) >= REMEMBERED_KEYS:
                self._partitions.clear()
            self._partitions[topic, key or b""] = partition
        queue = self._queues.get((topic, partition))
        if queue is None:
            queue = self._queues[topic, partition] = _Queue(topic, partition)
        return queue

    async def _send(self, queue: _Queue) -> None:
        producer, queue.busy = self._producer, True
        taken: list[_Waiting] = []
        try:
            if producer is None:
                raise KafkaError("there is no connection to write through")  # noqa: TRY301 (one way to fail)
            batch = producer.create_batch()
            while queue.waiting and _added(batch, queue.waiting[0]):
                taken.append(queue.waiting.popleft())
            if not taken:
                taken.append(queue.waiting.popleft())
                raise MessageSizeTooLargeError
            sent = await producer.send_batch(batch, queue.topic, partition=queue.partition)
        except KafkaError as problem:
            self._failed(queue, taken or list(queue.waiting), producer, problem)
        else:
            sent.add_done_callback(partial(self._acknowledged, queue, taken, producer))

    def _acknowledged(
        self, queue: _Queue, taken: list[_Waiting], producer: Any, ack: "asyncio.Future[Any]"
    ) -> None:
        problem = KafkaError("cancelled") if ack.cancelled() else ack.exception()
        if problem is not None:
            self._failed(queue, taken, producer, problem)
            return
        first = ack.result().offset
        for number, waiting in enumerate(taken):
            if not waiting.written.done():
                waiting.written.set_result((queue.partition, first + number))
        queue.end = first + len(taken)
        queue.busy = False
        if queue.waiting:
            self._schedule()

    def _failed(
        self, queue: _Queue, taken: list[_Waiting], producer: Any, problem: BaseException
    ) -> None:
        _fail(taken, problem)
        queue.waiting = deque(w for w in queue.waiting if not w.written.done())
        queue.busy = False
        if producer is not None and not isinstance(problem, MessageSizeTooLargeError):
            self._spawn(partial(self._replace, producer, problem))
        if queue.waiting:
            self._schedule()

    async def _replace(self, broken: Any, problem: BaseException) -> None:
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
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                self._producer = fresh
                break
        await broken.stop()


def _added(batch: Any, waiting: _Waiting) -> bool:
    added = batch.append(
        timestamp=None, key=waiting.key, value=waiting.value, headers=list(waiting.headers)
    )
    return added is not None


def _fail(taken: Sequence[_Waiting], problem: BaseException) -> None:
    failure = problem if isinstance(problem, KafkaError) else KafkaError(repr(problem))
    for waiting in taken:
        if not waiting.written.done():
            waiting.written.set_exception(failure)
