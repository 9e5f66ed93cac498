"""An order is forgotten only while nothing that was read of it is still to be folded."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from schemas.codec import Memo, encode
from schemas.events import (
    Event,
    Fact,
    MainPhaseCompleted,
    OrderCompleted,
)
from streams.agents.fate import StoreCalls
from streams.agents.journal import Journal
from streams.agents.means import Means
from streams.agents.orchestrator import Orchestrator
from streams.core.decide import RunStep
from streams.core.order import Order
from streams.kafka.writer import LogWriter
from tests.facts import START, accepted, event, given, step, succeeded

ENDED: list[Fact] = [
    accepted(step("a")),
    succeeded("a"),
    MainPhaseCompleted(expected=2),
    OrderCompleted(expected=3, completion="order complete"),
]
UNSEEN = event(accepted(step("a", items=())), order="order-2")


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
class Slow:
    """Stands where the store does: it answers when it may, as it stands when it is asked."""

    offset: int = -1
    orders: dict[str, Order] = field(default_factory=dict)
    asked: threading.Event = field(default_factory=threading.Event)
    may_answer: threading.Event = field(default_factory=threading.Event)

    def applied(self) -> dict[int, int]:
        return {0: self.offset}

    def begun_elsewhere(self, begun: Mapping[str, tuple[int, int]]) -> set[str]:
        found = {name for name in begun if name in self.orders}
        self.asked.set()
        assert self.may_answer.wait(5)
        return found

    def load(self, order_ids: Sequence[str]) -> dict[str, Order]:
        found = {name: self.orders[name] for name in order_ids if name in self.orders}
        self.asked.set()
        assert self.may_answer.wait(5)
        return found


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not met():  # noqa: ASYNC110 (what is waited for tells nobody)
            await asyncio.sleep(0.01)


@dataclass
class Rig:
    """A worker that holds one order at its end, and what went on around it."""

    store: Slow
    performed: list[str] = field(default_factory=list)
    died: list[BaseException] = field(default_factory=list)
    rejecting: asyncio.Event = field(default_factory=asyncio.Event)
    rejected: asyncio.Event = field(default_factory=asyncio.Event)

    async def perform(self, order: Order, run: RunStep, *_: Any) -> Any:
        self.performed.append(f"{order.id}/{run.step}")
        await asyncio.sleep(60)

    async def reject(self, _: Event) -> None:
        self.rejecting.set()
        await self.rejected.wait()

    def forget(self) -> None:
        self.store.offset = len(ENDED) - 1
        self.store.orders = {"order-1": given(*ENDED)}


@asynccontextmanager
async def worker(rig: Rig) -> AsyncIterator[Orchestrator]:
    journal = Journal(
        worker="worker-1",
        topic="order-events",
        writer=LogWriter(lambda: cast("Any", None)),
        memo=Memo(),
        now=lambda: START,
    )
    means = Means(
        journal=journal,
        snapshots=rig.store,
        calls=StoreCalls(local=False),
        perform=rig.perform,
        reject=rig.reject,
        monotonic=lambda: 0.0,
        fatal=rig.died.append,
    )
    orchestrator = Orchestrator(means)
    orchestrator.start()
    await orchestrator.assigned({0: 0}, {0: len(ENDED)})
    rig.store.may_answer.set()
    orchestrator.take(0, records([event(fact) for fact in ENDED]))
    await until(lambda: orchestrator.ready and orchestrator.held == 1)
    rig.store.may_answer.clear()
    rig.store.asked.clear()
    try:
        yield orchestrator
    finally:
        rig.store.may_answer.set()
        await orchestrator.drain(0)
        await asyncio.sleep(0.05)


async def test_an_order_at_its_end_is_forgotten_once_the_store_has_it() -> None:
    rig = Rig(Slow())
    async with worker(rig) as orchestrator:
        rig.forget()
        await until(lambda: orchestrator.held == 0)
        assert rig.died == []


@pytest.mark.parametrize("late", [succeeded("a"), accepted(step("a"))], ids=["result", "order"])
async def test_an_order_read_again_while_others_are_loaded_is_not_forgotten(late: Fact) -> None:
    rig = Rig(Slow())
    async with worker(rig) as orchestrator:
        orchestrator.take(0, records([event(late), UNSEEN], len(ENDED)))
        await until(rig.store.asked.is_set)
        rig.forget()
        await asyncio.sleep(0.3)
        rig.store.may_answer.set()
        [part] = orchestrator.partitions
        await until(lambda: part.position == len(ENDED) + 2 or part.halted is not None)
        await asyncio.sleep(0.05)
        assert part.halted is None
        assert "order-1/a" not in rig.performed, "a finished order began anew"


async def test_an_order_read_again_while_a_contradiction_is_told_is_not_forgotten() -> None:
    rig = Rig(Slow())
    other = event(accepted(step("a"), fingerprint=b"another"), order="order-2")
    async with worker(rig) as orchestrator:
        again = [event(succeeded("a")), UNSEEN, other]
        rig.store.may_answer.set()
        orchestrator.take(0, records(again, len(ENDED)))
        await rig.rejecting.wait()
        rig.forget()
        await asyncio.sleep(0.3)
        rig.rejected.set()
        await asyncio.sleep(0.1)
        assert rig.died == []
