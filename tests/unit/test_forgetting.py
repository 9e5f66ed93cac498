"""An order is forgotten only while nothing that was read of it is still to be folded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from schemas.events import Fact, MainPhaseCompleted, OrderCompleted
from streams.agents.orchestrator import Orchestrator
from tests.facts import accepted, event, given, step, succeeded
from tests.unit.rig import Rig, Stages, records, until

ENDED: list[Fact] = [
    accepted(step("a")),
    succeeded("a"),
    MainPhaseCompleted(expected=2),
    OrderCompleted(expected=3, completion="order complete"),
]
UNSEEN = event(accepted(step("a", items=())), order="order-2")


def forget(rig: Rig) -> None:
    """The store has the order at its end."""
    rig.store.offset = len(ENDED) - 1
    rig.store.orders = {"order-1": given(*ENDED, offset=0)}


@asynccontextmanager
async def worker(rig: Rig) -> AsyncIterator[Orchestrator]:
    """A worker that holds one order at its end."""
    rig.stages = Stages(holds=True)
    async with rig.orchestrator() as orchestrator:
        await orchestrator.assigned({0: 0}, {0: len(ENDED)})
        orchestrator.take(0, records([event(fact) for fact in ENDED]))
        await until(lambda: orchestrator.ready and orchestrator.held == 1)
        rig.store.may_answer.clear()
        rig.store.asked.clear()
        yield orchestrator


async def test_an_order_at_its_end_is_forgotten_once_the_store_has_it() -> None:
    rig = Rig()
    async with worker(rig) as orchestrator:
        forget(rig)
        await until(lambda: orchestrator.held == 0)
        assert rig.died == []


@pytest.mark.parametrize("late", [succeeded("a"), accepted(step("a"))], ids=["result", "order"])
async def test_an_order_read_again_while_others_are_loaded_is_not_forgotten(late: Fact) -> None:
    rig = Rig()
    async with worker(rig) as orchestrator:
        other = event(accepted(step("a", items=())), order="order-2", lane="default/SUB-2")
        orchestrator.take(0, records([event(late), other], len(ENDED)))
        await until(rig.store.asked.is_set)
        forget(rig)
        await asyncio.sleep(0.3)
        rig.store.may_answer.set()
        [part] = orchestrator.partitions
        await until(lambda: part.position == len(ENDED) + 2 or part.halted is not None)
        await asyncio.sleep(0.05)
        assert part.halted is None
        assert "order-1/a" not in rig.stages.performed, "a finished order began anew"


async def test_an_order_read_again_while_a_contradiction_is_told_is_not_forgotten() -> None:
    rig = Rig()
    other = event(accepted(step("a"), fingerprint=b"another"), order="order-2")
    async with worker(rig) as orchestrator:
        again = [event(succeeded("a")), UNSEEN, other]
        rig.store.may_answer.set()
        orchestrator.take(0, records(again, len(ENDED)))
        await rig.rejecting.wait()
        forget(rig)
        await asyncio.sleep(0.3)
        rig.rejected.set()
        await asyncio.sleep(0.1)
        assert rig.died == []
