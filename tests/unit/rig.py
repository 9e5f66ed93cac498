"""An orchestrator with a log, a store, stages and a clock in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from projections.snapshots import Wake
from schemas.codec import Memo, decode, encode
from schemas.events import Event, Result
from streams.agents.fate import StoreCalls
from streams.agents.journal import Journal
from streams.agents.means import Means
from streams.agents.orchestrator import Orchestrator
from streams.agents.turn import Turn
from streams.core.decide import RunStep
from streams.core.order import ENDED, Order
from streams.kafka.writer import LogWriter, Place
from tests.facts import START, succeeded


@dataclass
class Record:
    offset: int
    value: bytes
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()
    timestamp: int = 0


def records(events: Sequence[Event], first: int = 0) -> list[Record]:
    return [Record(offset, encode(one)) for offset, one in enumerate(events, start=first)]


@dataclass
class Store:
    """Answers when it may, as it stands when it is asked."""

    offset: int = -1
    orders: dict[str, Order] = field(default_factory=dict)
    waking: list[Wake] = field(default_factory=list)
    asked: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def applied(self) -> dict[int, int]:
        return {0: self.offset}

    def wakes(self, partitions: Collection[int]) -> list[Wake]:
        return [one for one in self.waking if one.partition in partitions]

    def load(
        self,
        begun: Mapping[str, tuple[int, int]],
        wanted: Collection[str],
        lanes: Collection[str],
    ) -> dict[str, Order]:
        found = {
            name: order
            for name, order in self.orders.items()
            if name in wanted
            or (name in begun and order.offset != begun[name][1])
            or (name not in begun and order.lane in lanes and order.state not in ENDED)
        }
        self.asked.set()
        assert self.may_answer.wait(5)
        return found


class MemoryLog(LogWriter):
    """One partition. What is appended is read back, unless it gets lost on the way."""

    def __init__(self) -> None:
        super().__init__(lambda: cast("Any", None))
        self.events: list[Event] = []
        self.reader: Callable[[Record], None] = lambda _: None
        self.connected = False

    def append(
        self,
        topic: str,
        key: bytes | None,
        value: bytes,
        headers: Sequence[tuple[str, bytes]] = (),
    ) -> "asyncio.Future[Place]":
        if not self.connected:
            return super().append(topic, key, value, headers)
        place: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        place.set_result((0, self.put(decode(value))))
        return place

    def put(self, event: Event) -> int:
        """Somebody's event, to be read by all."""
        offset = len(self.events)
        self.events.append(event)
        asyncio.get_running_loop().call_soon(self.reader, Record(offset, encode(event)))
        return offset


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not met():  # noqa: ASYNC110 (what is waited for tells nobody)
            await asyncio.sleep(0.01)


@dataclass
class Stages:
    """Performs every attempt at once, or holds it back."""

    performed: list[str] = field(default_factory=list)
    holds: bool = False
    takes: int = 0
    shared: float | None = None
    answer: Callable[[RunStep], Result] = lambda run: succeeded(run.step, run.attempt)

    async def __call__(self, order: Order, run: RunStep, turn: Turn) -> Result:
        assert turn.is_mine()
        self.performed.append(f"{order.id}/{run.step}")
        if self.holds:
            await asyncio.sleep(60)
        return self.answer(run)

    def admits(self, stage: str, tenant: str, wanted: int) -> int:
        del stage, tenant
        taken = min(self.takes, wanted)
        self.takes -= taken
        return taken

    def share(self, fraction: float) -> None:
        self.shared = fraction


@dataclass
class Rig:
    """A worker, and what went on around it."""

    store: Store = field(default_factory=Store)
    stages: Stages = field(default_factory=Stages)
    log: MemoryLog = field(default_factory=MemoryLog)
    now: datetime = START
    died: list[BaseException] = field(default_factory=list)
    rejecting: asyncio.Event = field(default_factory=asyncio.Event)
    rejected: asyncio.Event = field(default_factory=asyncio.Event)

    async def reject(self, _: Event) -> None:
        self.rejecting.set()
        await self.rejected.wait()

    def facts(self, order: str = "order-1") -> list[str]:
        """What stands in the log about the order."""
        told = [one for one in self.log.events if one.envelope.order_id == order]
        return [type(one.fact).__name__ for one in told]

    @asynccontextmanager
    async def orchestrator(self) -> AsyncIterator[Orchestrator]:
        """Started, with nothing assigned."""
        journal = Journal(
            worker="worker-1",
            topic="order-events",
            writer=self.log,
            memo=Memo(),
            now=lambda: self.now,
        )
        means = Means(
            journal=journal,
            snapshots=self.store,
            calls=StoreCalls(local=False),
            stages=self.stages,
            reject=self.reject,
            now=lambda: self.now,
            monotonic=lambda: 0.0,
            fatal=self.died.append,
            partitions=8,
        )
        orchestrator = Orchestrator(means)
        self.log.reader = lambda record: orchestrator.take(0, [record])
        orchestrator.start()
        self.store.may_answer.set()
        try:
            yield orchestrator
        finally:
            self.store.may_answer.set()
            await orchestrator.drain(0)
            await asyncio.sleep(0.05)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[Orchestrator]:
        """With partition 0, connected to the log, from its end on."""
        async with self.orchestrator() as orchestrator:
            self.log.connected = True
            end = len(self.log.events)
            self.store.offset = end - 1
            await orchestrator.assigned({0: end}, {0: end})
            yield orchestrator
            assert self.died == []
