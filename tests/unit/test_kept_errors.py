"""Errors that a partner keeps under their keys hold up the orders that met them, and no others."""

import asyncio
from typing import Any

import httpx
import pytest

from plugins.api import Connector
from plugins.breaker import PROBES, Breaker, BreakerState
from schemas.connections import BreakerLimits
from schemas.events import StepFailed, StepInDoubt, StepSucceeded
from schemas.steps import Retry
from streams.core.order import Order
from tests.facts import START, accepted, given, then
from tests.unit.staging import STAGE, Bench, a_step, answer, make
from tests.unit.virtual import clock, virtually

LIMITS = BreakerLimits()
RETRY = Retry(attempts=8, first_s=0.5, longest_s=2, age_s=600)


class Keeping(Bench):
    """A partner that is well, but for the errors of some orders that it has kept."""

    def __init__(self, kept: int, **limits: Any) -> None:
        super().__init__(**limits)
        self.troubled = [self.order(f"kept-{number}") for number in range(kept)]
        self.ends: list[type] = []
        self.status = 500

    def order(self, name: str) -> Order:
        return given(accepted(a_step(retry=RETRY)), order=name)

    def get(self, name: str) -> Connector:
        return Connector(super().get(name).manifest, make)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        await asyncio.sleep(0.1)
        troubled = request.headers["waybill-order"].startswith("kept")
        return answer(self.status if troubled else 200)

    async def to_its_end(self, order: Order) -> None:
        """Attempt by attempt, each when it is due; none is put off."""
        while True:
            result = await self.attempt(order, doubt=order.opened.doubt)
            if isinstance(result, StepInDoubt):
                return
            assert isinstance(result, StepFailed), "the stage takes nothing"
            assert result.next_attempt_at is not None
            await asyncio.sleep((result.next_attempt_at - START).total_seconds() - clock())
            order = then(order, result)._replace(open_at=0)


def test_the_partner_is_not_let_alone_for_them() -> None:
    async def scenario() -> None:
        bench = Keeping(kept=7)
        await asyncio.gather(*(bench.to_its_end(order) for order in bench.troubled))
        assert isinstance(await bench.attempt(bench.order("well")), StepSucceeded)
        assert clock() < 30

    virtually(scenario())


def opened() -> Breaker:
    breaker = Breaker(LIMITS)
    for number in range(LIMITS.at_least):
        breaker.failed(breaker.era, 0.0, kept=f"key-{number}")
    return breaker


def test_one_key_counts_once_in_a_window() -> None:
    breaker = Breaker(LIMITS)
    for second in range(600):
        breaker.failed(breaker.era, float(second), kept=f"key-{second % (LIMITS.at_least - 1)}")
    assert breaker.state is BreakerState.CLOSED


def test_a_partner_that_answers_everybody_with_errors_is_let_alone() -> None:
    assert opened().state is BreakerState.OPEN


def test_what_is_known_already_does_not_lengthen_the_pause() -> None:
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(4):
        now = breaker.until
        for number in range(PROBES):
            assert breaker.begins(now)
            breaker.failed(breaker.era, now, kept=f"key-{number}")
        pauses.append(breaker.until - now)
    assert pauses == [LIMITS.open_s] * 4


def test_nor_does_it_outweigh_that_others_go_well() -> None:
    breaker = opened()
    for kept in ("key-0", None, "key-1", None, "key-2", "key-3", "key-4", None):
        assert breaker.begins(5.0)
        if kept is None:
            breaker.succeeded(breaker.era, 5.0)
        else:
            breaker.failed(breaker.era, 5.0, kept=kept)
    assert breaker.state is BreakerState.CLOSED


def test_an_error_that_is_new_doubles_the_pause() -> None:
    breaker = opened()
    assert breaker.begins(5.0)
    breaker.failed(breaker.era, 5.0, kept="another key")
    assert breaker.until == 5.0 + 2 * LIMITS.open_s


@pytest.mark.parametrize(("status", "opens"), [(500, False), (409, False), (502, True)])
def test_only_what_the_partner_itself_answers_is_kept(status: int, *, opens: bool) -> None:
    """A gateway in front of it keeps nothing: each time it says anew that nobody answers."""

    async def scenario() -> None:
        bench = Keeping(kept=1, breaker=LIMITS.model_copy(update={"at_least": 2}))
        bench.status = status
        assert isinstance(await bench.attempt(bench.troubled[0]), StepFailed)
        assert len(set(bench.keys)) == 1
        assert (bench.stages.admits(STAGE, "default", 1) == 0) is opens

    virtually(scenario())
