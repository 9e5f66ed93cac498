"""The simulated log: partitions with offsets, and writers that do not always learn the outcome."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from tests.simulation.chance import Chance
from tests.simulation.loop import Host, SimLoop

if TYPE_CHECKING:
    import asyncio

GIVES_UP_S = 2.0


class Entry(NamedTuple):
    """One record as readers get it."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int


class Unsent(NamedTuple):
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    written: "asyncio.Future[tuple[int, int]]"


class SimLog:
    """Topics by name; `landed` is called with the place of what was appended."""

    def __init__(self, partitions: dict[str, int], now: Callable[[], float]) -> None:
        self.topics: dict[str, list[list[Entry]]] = {
            topic: [[] for _ in range(count)] for topic, count in partitions.items()
        }
        self._now = now
        self.landed: list[Callable[[str, int, list[Entry]], None]] = []

    def partition_of(self, topic: str, key: bytes | None) -> int:
        return _hash(key or b"") % len(self.topics[topic])

    def land(self, topic: str, partition: int, batch: Sequence[Unsent]) -> int:
        """Appends the batch as a whole; the offset of its first record."""
        records = self.topics[topic][partition]
        first = len(records)
        at = int(self._now() * 1000)
        entries = [
            Entry(first + number, one.key, one.value, one.headers, at)
            for number, one in enumerate(batch)
        ]
        records.extend(entries)
        for listener in self.landed:
            listener(topic, partition, entries)
        return first

    def end(self, topic: str, partition: int) -> int:
        return len(self.topics[topic][partition])


@cache
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF


@dataclass(slots=True)
class _Queue:
    topic: str
    partition: int
    waiting: deque[Unsent] = field(default_factory=deque)
    busy: bool = False
    end: int = 0


@dataclass(slots=True)
class Link:
    """Whether a process reaches the brokers; `cut_from_group` cuts its heartbeats alone."""

    cut: bool = False
    cut_from_group: bool = False


class SimWriter:
    """What `LogWriter` is to a worker. One batch per partition is under way at a time."""

    def __init__(self, loop: SimLoop, log: SimLog, chance: Chance, host: Host | None) -> None:
        self._loop = loop
        self._log = log
        self._chance = chance
        self._host = host
        self.link = Link()
        self._queues: dict[tuple[str, int], _Queue] = {}

    def end(self, topic: str, partition: int) -> int:
        queue = self._queues.get((topic, partition))
        return 0 if queue is None else queue.end

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> "asyncio.Future[tuple[int, int]]":
        written: asyncio.Future[tuple[int, int]] = self._loop.create_future()
        if self._host is not None and not self._host.alive:
            return written
        partition = self._log.partition_of(topic, key)
        queue = self._queues.get((topic, partition))
        if queue is None:
            queue = self._queues[topic, partition] = _Queue(topic, partition)
        queue.waiting.append(Unsent(key, value, headers, written))
        if len(queue.waiting) == 1 and not queue.busy:
            self._own(self._chance.between(0, 0.004), lambda: self._send(queue))
        return written

    def _own(self, seconds: float, call: Callable[[], None]) -> None:
        """Something that this process does or learns later, if it is there."""
        self._loop.within(self._host, lambda: self._loop.call_later(seconds, call))

    def _network(self, seconds: float, call: Callable[[], None]) -> None:
        """Something that happens whatever becomes of this process."""
        self._loop.within(None, lambda: self._loop.call_later(seconds, call))

    def _send(self, queue: _Queue) -> None:
        if queue.busy or not queue.waiting:
            return
        queue.busy = True
        batch = list(queue.waiting)
        queue.waiting.clear()
        chance = self._chance
        fault = (
            "write_lost"
            if self.link.cut
            else chance.first(
                "write_lost", "write_ack_lost", "write_late", "write_twice", "write_slow"
            )
        )
        trip = chance.between(0.0005, 0.004)
        match fault:
            case "write_lost":
                self._own(GIVES_UP_S, lambda: self._failed(queue, batch))
            case "write_ack_lost":
                self._network(trip, lambda: self._land(queue, batch))
                self._own(GIVES_UP_S, lambda: self._failed(queue, batch))
            case "write_late":
                self._network(chance.between(0, 3 * GIVES_UP_S), lambda: self._land(queue, batch))
                self._own(chance.between(0.1, GIVES_UP_S), lambda: self._failed(queue, batch))
            case _:
                slow = chance.between(0.2, GIVES_UP_S) if fault == "write_slow" else 0
                self._network(trip + slow, lambda: self._land_and_tell(queue, batch))
                if fault == "write_twice":
                    again = trip + chance.between(0, 1)
                    self._network(again, lambda: self._land(queue, batch))

    def _land(self, queue: _Queue, batch: list[Unsent]) -> int:
        first = self._log.land(queue.topic, queue.partition, batch)
        if self._host is not None and self._chance.hits("crash_on_landing"):
            self._host.dies_soon(self._chance.below(3))
        return first

    def _land_and_tell(self, queue: _Queue, batch: list[Unsent]) -> None:
        first = self._land(queue, batch)
        self._own(
            self._chance.between(0.0005, 0.004), lambda: self._acknowledged(queue, batch, first)
        )

    def _acknowledged(self, queue: _Queue, batch: list[Unsent], first: int) -> None:
        for number, one in enumerate(batch):
            if not one.written.done():
                one.written.set_result((queue.partition, first + number))
        queue.end = first + len(batch)
        if self._host is not None and self._chance.hits("crash_on_ack"):
            self._host.dies_soon(self._chance.below(5))
        self._next(queue)

    def _failed(self, queue: _Queue, batch: list[Unsent]) -> None:
        for one in batch:
            if not one.written.done():
                one.written.set_exception(KafkaError("nobody knows whether this was written"))
        self._next(queue)

    def _next(self, queue: _Queue) -> None:
        queue.busy = False
        if queue.waiting:
            self._send(queue)
