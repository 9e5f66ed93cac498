"""Resting orders go on: by time, by their stage, behind one another, and after a take-over."""

import asyncio
from datetime import timedelta

from projections.snapshots import Wake
from schemas.events import Fact, MainPhaseCompleted, OrderCompleted, OrderQueued
from streams.core.order import Order
from tests.facts import (
    LANE,
    LATER,
    STAGE,
    START,
    accepted,
    command,
    deferred,
    doubtful,
    event,
    failing,
    given,
    step,
    succeeded,
)
from tests.unit.rig import Rig, until

SECOND = timedelta(seconds=1)


def stored(rig: Rig, *facts: Fact, order: str = "order-1", **wakes: object) -> Order:
    """The order as it rests in the store, and what the store says of its waking."""
    known = given(*facts, order=order, offset=len(rig.log.events))
    rig.log.events += [event(fact, order=order) for fact in facts]
    rig.store.orders[order] = known
    if wakes:
        rig.store.waking.append(Wake(0, order, LANE, **{"due": None, "stage": None, **wakes}))  # type: ignore[arg-type]
    return known


async def settle() -> None:
    await asyncio.sleep(0.3)


async def test_a_timer_of_the_store_fires_at_its_time_without_the_order_in_memory() -> None:
    rig = Rig()
    stored(rig, accepted(step("a")), failing("a"), due=LATER)
    async with rig.worker() as worker:
        await settle()
        assert (worker.held, rig.stages.performed) == (0, [])
        rig.now = LATER - SECOND
        await settle()
        assert rig.facts() == ["OrderAccepted", "StepFailed"], "never early"
        rig.now = LATER
        await until(lambda: "OrderCompleted" in rig.facts())
        assert rig.facts().count("RetryDue") == 1
        assert rig.stages.performed == ["order-1/a"]


async def test_an_overdue_timer_fires_at_once() -> None:
    rig = Rig(now=LATER + timedelta(days=400))
    stored(rig, accepted(step("a")), failing("a"), due=LATER)
    async with rig.worker():
        await until(lambda: "OrderCompleted" in rig.facts())


async def test_an_order_that_fails_here_is_repeated_here() -> None:
    rig = Rig()
    answers = [failing("a", until=LATER), succeeded("a", 2)]
    rig.stages.answer = lambda _: answers.pop(0)
    async with rig.worker():
        rig.log.put(event(accepted(step("a"))))
        await until(lambda: "StepFailed" in rig.facts())
        await settle()
        assert rig.facts()[-1] == "StepFailed"
        rig.now = LATER
        await until(lambda: "OrderCompleted" in rig.facts())
        assert rig.facts().count("RetryDue") == 1


async def test_deferred_orders_go_on_when_their_stage_takes_them_and_no_more_than_it_takes() -> (
    None
):
    rig = Rig(now=LATER)
    for number in range(5):
        name = f"order-{number}"
        known = given(accepted(step("a")), deferred("a"), order=name, offset=2 * number)
        lane = f"default/SUB-{number}"
        rig.store.orders[name] = known._replace(lane=lane)
        rig.log.events += [event(fact, order=name) for fact in (known.accepted, deferred("a"))]
        rig.store.waking.append(Wake(0, name, lane, None, STAGE))
    async with rig.worker() as worker:
        await settle()
        assert (rig.stages.performed, worker.held) == ([], 0)
        rig.stages.takes = 2
        await until(lambda: len(rig.stages.performed) == 2)
        await settle()
        assert len(rig.stages.performed) == 2
        rig.stages.takes = 9
        await until(lambda: len(rig.stages.performed) == 5)


async def test_a_queued_order_goes_on_when_the_one_before_it_has_ended() -> None:
    rig = Rig()
    async with rig.worker():
        rig.log.put(event(accepted(step("a"))))
        rig.log.put(event(accepted(step("a")), order="order-2"))
        await until(lambda: "OrderCompleted" in rig.facts("order-2"))
        assert rig.facts("order-2")[1:3] == ["OrderQueued", "OrderReleased"]
        assert rig.stages.performed == ["order-1/a", "order-2/a"]


async def test_the_head_of_a_queue_that_nobody_released_is_released_at_assignment() -> None:
    rig = Rig()
    stored(rig, accepted(step("a")), OrderQueued(expected=1, behind="order-0"), due=START)
    async with rig.worker():
        await until(lambda: "OrderCompleted" in rig.facts())
        assert "OrderReleased" in rig.facts()


async def test_a_lane_is_loaded_before_an_order_of_it_runs() -> None:
    rig = Rig()
    stored(rig, accepted(step("a")), doubtful("a"))
    async with rig.worker():
        rig.log.put(event(accepted(step("a")), order="order-2"))
        await until(lambda: "OrderQueued" in rig.facts("order-2"))
        await settle()
        assert rig.stages.performed == []


async def test_a_command_wakes_an_order_that_rests_in_the_store() -> None:
    rig = Rig()
    stored(rig, accepted(step("a")), doubtful("a"))
    async with rig.worker():
        rig.log.put(event(command("skip")))
        await until(lambda: "OrderCompleted" in rig.facts())
        assert "StepResolved" in rig.facts()


async def test_a_released_order_passes_one_that_rests_in_the_store() -> None:
    rig = Rig()
    stored(rig, accepted(step("a")), doubtful("a"))
    async with rig.worker():
        rig.log.put(event(accepted(step("a")), order="order-2"))
        await until(lambda: "OrderQueued" in rig.facts("order-2"))
        rig.log.put(event(command("release"), order="order-2"))
        await until(lambda: "OrderCompleted" in rig.facts("order-2"))
        assert "OrderQueued" in rig.facts()
        await until(lambda: rig.facts()[-1] == "OrderReleased")


async def test_the_commit_stays_behind_an_end_until_the_next_of_the_lane_is_released() -> None:
    rig = Rig()
    rig.stages.holds = True
    async with rig.worker() as worker:
        rig.log.put(event(accepted(step("a"))))
        rig.log.put(event(accepted(step("a")), order="order-2"))
        await until(lambda: "OrderQueued" in rig.facts("order-2"))
        rig.store.offset = 99
        await settle()
        rig.log.connected = False  # what it writes from now on is lost
        end = rig.log.put(event(succeeded("a")))
        await settle()
        assert worker.committable(0) == 0, "the order itself still moves"
        rig.log.put(event(MainPhaseCompleted(expected=2)))
        last = rig.log.put(event(OrderCompleted(expected=3, completion="order complete")))
        await settle()
        assert end < last
        assert worker.committable(0) == last


async def test_its_part_of_the_limits_is_that_of_the_partitions() -> None:
    rig = Rig()
    async with rig.worker():
        assert rig.stages.shared == 1 / 8
