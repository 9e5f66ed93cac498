"""What a stage lets in, how long it makes wait, and whom it turns away."""

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from plugins.breaker import PROBES, BreakerState
from plugins.stage import Stage, TurnedAwayError
from schemas.connections import BreakerLimits, Limits, Rate
from tests.unit.virtual import clock, virtually

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = "acme@partner.test"


def stage(**limits: Any) -> Stage:
    return Stage("default", NAME, Limits(**limits), clock)


class Crowd:
    """Conversations of `lasting` seconds each, with what became of them."""

    def __init__(self, stage: Stage, lasting: float = 0.1, patience: float = 20.0) -> None:
        self.stage = stage
        self.lasting = lasting
        self.patience = patience
        self.went_well: Callable[[], bool | None] = lambda: True
        self.began: list[float] = []
        self.refused: list[tuple[str, float]] = []
        self.tasks: list[asyncio.Task[None]] = []
        self.running = self.most = 0

    def come(self, count: int = 1) -> None:
        self.tasks += [asyncio.create_task(self._converse()) for _ in range(count)]

    async def all_gone(self) -> None:
        await asyncio.gather(*self.tasks)

    async def _converse(self) -> None:
        try:
            era = await self.stage.enter(self.patience)
        except TurnedAwayError as refusal:
            self.refused.append((refusal.reason, clock()))
            return
        self.began.append(clock())
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.lasting)
        self.running -= 1
        self.stage.leave(era, went_well=self.went_well())


def test_so_many_are_under_way_at_a_time_and_the_others_wait_their_turn() -> None:
    async def scenario() -> None:
        crowd = Crowd(stage(max_in_flight=3))
        crowd.come(10)
        await crowd.all_gone()
        assert crowd.most == 3
        assert crowd.began == pytest.approx([0, 0, 0, 0.1, 0.1, 0.1, 0.2, 0.2, 0.2, 0.3])

    virtually(scenario())


def test_nobody_waits_longer_than_bounded() -> None:
    async def scenario() -> None:
        crowd = Crowd(stage(max_in_flight=1), lasting=100)
        crowd.come(3)
        await crowd.all_gone()
        assert crowd.refused == [("busy", 20.0)] * 2
        assert crowd.stage.state().waiting == 0

    virtually(scenario())


def test_requests_leave_at_the_rate() -> None:
    async def scenario() -> None:
        crowd = Crowd(stage(rate=Rate(per_second=50)))
        crowd.come(200)
        await crowd.all_gone()
        gaps = [after - before for before, after in zip(crowd.began, crowd.began[1:], strict=False)]
        assert crowd.began[-1] == pytest.approx(199 / 50, rel=0.01)
        assert min(gaps) >= 0.01

    virtually(scenario())


def test_who_would_wait_too_long_for_a_token_is_turned_away_at_once() -> None:
    async def scenario() -> None:
        crowd = Crowd(stage(rate=Rate(per_second=10)))
        crowd.come(300)
        await asyncio.sleep(0)
        assert {refused[0] for refused in crowd.refused} == {"rate"}
        assert len(crowd.refused) == 300 - 201
        await crowd.all_gone()

    virtually(scenario())


def test_further_requests_of_a_conversation_count() -> None:
    async def scenario() -> None:
        one = stage(rate=Rate(per_second=10))
        era = await one.enter(20)
        one.leave(era, went_well=True, requests=5)
        await one.enter(20)
        assert clock() == pytest.approx(0.5)

    virtually(scenario())


def test_a_partner_that_is_down_is_let_alone_and_found_again() -> None:
    async def scenario() -> None:
        crowd = Crowd(stage(rate=Rate(per_second=100)))
        crowd.went_well = lambda: clock() > 12
        for _ in range(2000):
            crowd.come()
            await asyncio.sleep(0.01)
        await crowd.all_gone()
        opened = min(at for _, at in crowd.refused)
        assert opened < 2
        assert {reason for reason, _ in crowd.refused} == {"breaker"}
        asked = [at for at in crowd.began if opened < at < 12]
        assert len(asked) <= 2 * PROBES
        assert crowd.stage.state().breaker is BreakerState.CLOSED
        assert max(at for _, at in crowd.refused) < 20

    virtually(scenario())


def test_after_it_was_down_a_partner_is_asked_a_little_more_each_time() -> None:
    async def scenario() -> None:
        one = stage(max_in_flight=500, breaker=BreakerLimits(at_least=1, open_s=1))
        one.leave(await one.enter(0), went_well=False)
        await asyncio.sleep(1)
        crowd = Crowd(one)
        crowd.come(PROBES)
        await asyncio.sleep(0.05)
        assert one.state().breaker is BreakerState.HALF_OPEN
        await crowd.all_gone()
        crowd.come(400)
        await asyncio.sleep(0.05)
        assert crowd.running <= PROBES + 1
        await crowd.all_gone()
        assert crowd.most > 100

    virtually(scenario())


def test_who_waits_is_turned_away_when_the_breaker_opens() -> None:
    async def scenario() -> None:
        crowd = Crowd(stage(max_in_flight=20, breaker=BreakerLimits(at_least=1)))
        crowd.went_well = lambda: False
        crowd.come(100)
        await crowd.all_gone()
        assert crowd.refused == [("breaker", pytest.approx(0.1))] * 80

    virtually(scenario())


def test_a_stage_that_is_held_takes_nothing_until_it_is_released() -> None:
    async def scenario() -> None:
        one = stage(max_in_flight=1)
        crowd = Crowd(one)
        crowd.come(2)
        await asyncio.sleep(0.05)
        one.hold(held=True)
        crowd.come()
        await crowd.all_gone()
        assert [reason for reason, _ in crowd.refused] == ["held", "held"]
        assert one.admits(1000) == 0
        one.hold(held=False)
        assert one.admits(1000) == 1

    virtually(scenario())


def test_a_cancelled_wait_gives_its_slot_back() -> None:
    async def scenario() -> None:
        one = stage(max_in_flight=1)
        era = await one.enter(0)
        waits = asyncio.create_task(one.enter(20))
        await asyncio.sleep(0)
        one.leave(era, went_well=True)
        waits.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waits
        assert (one.state().in_flight, one.state().waiting) == (0, 0)
        await one.enter(0)

    virtually(scenario())


def test_a_share_of_the_limits() -> None:
    async def scenario() -> None:
        one = stage(max_in_flight=9, rate=Rate(per_second=90))
        one.scale(1 / 3)
        assert (one.state().slots, one.state().per_second) == (3, 30)
        one.scale(0.01)
        assert one.state().slots == 1
        one.scale(1)
        assert (one.state().slots, one.state().per_second) == (9, 90)

    virtually(scenario())


def test_the_stricter_of_two_connections_to_one_host_holds() -> None:
    async def scenario() -> None:
        one = stage(max_in_flight=9)
        one.also_bound_by(Limits(max_in_flight=20, rate=Rate(per_second=5)))
        one.also_bound_by(Limits(max_in_flight=4))
        assert (one.state().slots, one.state().per_second) == (4, 5)

    virtually(scenario())


class TestDraining:
    """10,000 deferred steps, and who lets how many of them go on."""

    async def drained(self, one: Stage, deferred: int, late: float = 0.02) -> Crowd:
        crowd = Crowd(one)

        async def go_on(count: int) -> None:
            await asyncio.sleep(late)
            crowd.come(count)

        while deferred:
            let_go = one.admits(deferred)
            deferred -= let_go
            crowd.tasks.append(asyncio.create_task(go_on(let_go)))
            await asyncio.sleep(0.1)
        await asyncio.sleep(1)
        await crowd.all_gone()
        return crowd

    def test_at_the_rate_and_without_a_burst(self) -> None:
        async def scenario() -> None:
            crowd = await self.drained(stage(rate=Rate(per_second=100)), 2000)
            took = crowd.began[-1] - crowd.began[0]
            assert 1999 / took == pytest.approx(100, rel=0.02)
            assert crowd.refused == []
            for second in range(int(took)):
                assert sum(second <= at < second + 1 for at in crowd.began) <= 115

        virtually(scenario())

    def test_without_a_rate_by_free_slots(self) -> None:
        async def scenario() -> None:
            crowd = await self.drained(stage(max_in_flight=50), 2000)
            assert crowd.most <= 50
            assert crowd.refused == []
            assert crowd.began[-1] < 15

        virtually(scenario())

    def test_at_a_slow_rate_one_at_a_time(self) -> None:
        async def scenario() -> None:
            crowd = await self.drained(stage(rate=Rate(per_second=0.2)), 5)
            assert crowd.refused == []
            assert crowd.began[-1] - crowd.began[0] == pytest.approx(20, rel=0.1)

        virtually(scenario())

    def test_some_go_on_however_busy_the_stage_is_with_new_ones(self) -> None:
        async def scenario() -> None:
            one = stage(max_in_flight=2)
            crowd = Crowd(one)
            let_go = 0
            for _ in range(100):
                crowd.come(3)
                let_go += one.admits(1000)
                await asyncio.sleep(0.1)
            assert 5 <= let_go <= 15
            await crowd.all_gone()

        virtually(scenario())

    def test_single_ones_while_nobody_knows_whether_the_partner_is_back(self) -> None:
        async def scenario() -> None:
            one = stage(breaker=BreakerLimits(at_least=1, open_s=5))
            one.leave(await one.enter(0), went_well=False)
            assert one.admits(1000) == 0
            await asyncio.sleep(5)
            assert one.admits(1000) == PROBES
            assert one.admits(1000) == 0

        virtually(scenario())
