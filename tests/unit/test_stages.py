"""What becomes of an attempt: repeated, looked up, tried again later, in doubt, put off."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from plugins.api import Idempotency
from plugins.recent import NONE
from schemas.connections import BreakerLimits
from schemas.events import StepDeferred, StepFailed, StepInDoubt, StepSkipped, StepSucceeded
from schemas.steps import ErrorKind, OnUnknown
from streams.agents.turn import NotSentError, Turn
from tests.facts import START, failing, then
from tests.unit.staging import (
    DOWN,
    LOST,
    MINE,
    STAGE,
    Bench,
    an_order,
    answer,
    looking_up,
)
from tests.unit.virtual import clock, virtually


def result(bench: Bench, order: Any = None, turn: Turn = MINE, **run: Any) -> Any:
    return virtually(bench.attempt(order, turn, **run))


class TestFailures:
    def test_one_that_may_pass_is_tried_again_within_full_jitter(self) -> None:
        failed = result(Bench(answer(429)))
        assert isinstance(failed, StepFailed)
        assert (failed.failure.kind, failed.unknown) == (ErrorKind.RATE_LIMITED, False)
        assert failed.next_attempt_at == START + timedelta(seconds=5)

    def test_not_before_the_partner_wants_it(self) -> None:
        failed = result(Bench(answer(429, retry_after="7")))
        assert failed.next_attempt_at == START + timedelta(seconds=7)

    def test_a_refusal_is_final(self) -> None:
        failed = result(Bench(answer(400)))
        assert (failed.failure.kind, failed.next_attempt_at) == (ErrorKind.PERMANENT, None)

    def test_without_retries_the_first_failure_is_the_last(self) -> None:
        assert result(Bench(answer(429)), an_order(retry=None)).next_attempt_at is None

    def test_the_last_attempt_is_the_last(self) -> None:
        order = an_order()
        for attempt in (1, 2):
            order = then(order, failing("acme", attempt))
            order = order._replace(open_at=0)
        assert result(Bench(answer(429)), order).next_attempt_at is None

    def test_what_could_not_be_sent_keeps_its_key_and_is_not_in_doubt(self) -> None:
        bench = Bench(DOWN)
        failed = result(bench)
        assert (failed.failure.definite, failed.unknown) == (False, False)
        assert failed.next_attempt_at is not None


class TestUnknownOutcomes:
    def test_repeated_with_the_same_key_until_it_is_known(self) -> None:
        bench = Bench(LOST, answer(500), answer(200))
        assert isinstance(result(bench), StepSucceeded)
        assert len(set(bench.keys)) == 1

    def test_still_unknown_it_is_tried_again_later_from_there(self) -> None:
        failed = result(Bench(LOST))
        assert isinstance(failed, StepFailed)
        assert (failed.unknown, failed.failure.definite) == (True, False)
        assert failed.next_attempt_at is not None

    def test_without_retries_a_person_has_to_look(self) -> None:
        assert isinstance(result(Bench(LOST), an_order(retry=None)), StepInDoubt)

    def test_after_the_last_attempt_a_person_has_to_look(self) -> None:
        order = an_order()
        for attempt in (1, 2):
            order = then(order, failing("acme", attempt, unknown=True))._replace(open_at=0)
        assert isinstance(result(Bench(LOST), order, doubt=True), StepInDoubt)

    def test_where_nobody_can_tell_it_is_asked_once(self) -> None:
        bench = Bench(LOST)
        assert isinstance(result(bench, an_order(on_unknown=OnUnknown.REST)), StepInDoubt)
        assert len(bench.sent) == 1

    def test_what_counts_as_failed_is_final(self) -> None:
        failed = result(Bench(LOST), an_order(on_unknown=OnUnknown.FAIL))
        assert (type(failed), failed.next_attempt_at) == (StepFailed, None)
        assert not failed.unknown

    def test_the_next_attempt_repeats_the_key_and_a_busy_partner_tells_nothing(self) -> None:
        bench = Bench(answer(429))
        order = then(an_order(), failing("acme", unknown=True))._replace(open_at=0)
        failed = result(bench, order, doubt=True)
        assert failed.unknown
        assert (bench.methods[-1], len(set(bench.keys) - {None})) == ("GET", 1)

    def test_a_refusal_to_the_same_key_is_how_the_first_one_ended(self) -> None:
        order = then(an_order(), failing("acme", unknown=True))._replace(open_at=0)
        failed = result(Bench(answer(402)), order, doubt=True)
        assert (failed.unknown, failed.next_attempt_at) == (False, None)

    def test_a_person_may_have_it_sent_again_where_nobody_can_tell(self) -> None:
        order = an_order(on_unknown=OnUnknown.REST)
        assert isinstance(result(Bench(answer(200)), order, doubt=True), StepSucceeded)


class TestLookUps:
    def bench(self, *answers: Any) -> Bench:
        bench = Bench(*answers)
        bench.idempotency = Idempotency.LOOK_UP
        return bench

    def test_what_is_found_is_not_done_again(self) -> None:
        bench = self.bench(LOST, answer(200))
        assert isinstance(result(bench, an_order(**looking_up())), StepSucceeded)
        assert bench.methods == ["POST", "GET"]

    def test_what_is_not_found_is_done(self) -> None:
        bench = self.bench(LOST, answer(404), answer(200))
        assert isinstance(result(bench, an_order(**looking_up())), StepSucceeded)
        assert bench.methods == ["POST", "GET", "POST"]

    def test_a_later_attempt_looks_first(self) -> None:
        bench = self.bench(answer(200))
        order = then(an_order(**looking_up()), failing("acme", unknown=True))._replace(open_at=0)
        assert isinstance(result(bench, order, doubt=True), StepSucceeded)
        assert bench.methods == ["GET"]

    def test_an_attempt_taken_over_is_looked_up_when_it_must_have_ended(self) -> None:
        bench = self.bench(answer(200))

        async def scenario() -> None:
            order = an_order(**looking_up(timeout_s=10))
            assert isinstance(await bench.attempt(order, recover=True), StepSucceeded)
            assert clock() == 20

        virtually(scenario())
        assert bench.methods == ["GET"]

    def test_however_late_it_is_looked_up_and_never_sent_past_its_window(self) -> None:
        bench = self.bench(LOST, answer(404))
        original = bench._answer

        async def slowly(request: Any) -> Any:
            await asyncio.sleep(9 if request.method == "POST" else 13)
            return await original(request)

        bench.performer._instruments.transport._wire._answer = slowly
        order = an_order(**looking_up(timeout_s=15))
        failed = result(bench, order)
        assert bench.methods == ["POST", "GET"]
        assert failed.failure.code == "not_done"
        assert failed.unknown, "another worker may have sent it meanwhile"
        assert failed.next_attempt_at is not None


class TestPuttingOff:
    async def break_(self, bench: Bench) -> None:
        bench.answers = [DOWN]
        for _ in range(20):
            await bench.attempt()
        bench.sent.clear()

    def test_a_partner_that_is_down_is_not_asked_and_no_attempt_is_used_up(self) -> None:
        async def scenario() -> None:
            bench = Bench()
            await self.break_(bench)
            until = START + timedelta(seconds=clock() + 5)
            assert await bench.attempt() == StepDeferred(
                step="acme", attempt=1, reason="breaker", stage=STAGE, until=until
            )
            assert bench.sent == []

        virtually(scenario())

    def test_nor_by_those_that_find_out_whether_it_is_back(self) -> None:
        async def scenario() -> None:
            bench = Bench()
            await self.break_(bench)
            await asyncio.sleep(5)
            probe = await bench.attempt()
            assert (type(probe), probe.reason, len(bench.sent)) == (StepDeferred, "breaker", 1)

        virtually(scenario())

    def test_it_drains_when_the_partner_is_back(self) -> None:
        async def scenario() -> None:
            bench = Bench()
            await self.break_(bench)
            assert bench.stages.admits(STAGE, "default", 50) == 0
            await asyncio.sleep(5)
            bench.answers = [answer(200)]
            admitted = bench.stages.admits(STAGE, "default", 50)
            assert 1 <= admitted <= 3
            for _ in range(3):
                assert isinstance(await bench.attempt(), StepSucceeded)
            assert bench.stages.admits(STAGE, "default", 50) >= 1

        virtually(scenario())

    def test_a_doubt_is_not_lost_by_it(self) -> None:
        async def scenario() -> None:
            bench = Bench()
            await self.break_(bench)
            order = then(an_order(), failing("acme", unknown=True))._replace(open_at=0)
            assert isinstance(await bench.attempt(order, doubt=True), StepDeferred)

        virtually(scenario())

    def test_what_was_sent_before_the_breaker_opened_is_in_doubt(self) -> None:
        bench = Bench(LOST, breaker=BreakerLimits(at_least=1))
        failed = result(bench)
        assert (type(failed), failed.unknown, len(bench.sent)) == (StepFailed, True, 1)

    @pytest.mark.parametrize("name", [STAGE, "acme"])
    def test_a_held_stage_sends_nothing(self, name: str) -> None:
        async def scenario() -> None:
            bench = Bench(answer(200))
            bench.performer.stages.hold("default", name, held=True)
            deferred = await bench.attempt()
            assert (deferred.reason, deferred.stage, bench.sent) == ("held", STAGE, [])
            assert bench.stages.admits(STAGE, "default", 50) == 0
            bench.performer.stages.hold("default", name, held=False)
            assert bench.stages.admits(STAGE, "default", 50) == 50
            assert isinstance(await bench.attempt(), StepSucceeded)

        virtually(scenario())

    def test_a_step_with_nothing_to_do_does_not_wait_for_its_stage(self) -> None:
        async def scenario() -> None:
            bench = Bench(answer(200))
            bench.performer.stages.hold("default", "acme", held=True)
            assert isinstance(await bench.attempt(an_order(when="nothing")), StepSkipped)
            assert isinstance(await bench.attempt(an_order(when="order")), StepDeferred)

        virtually(scenario())

    def test_what_came_of_the_latest_attempts_is_told_for_five_minutes(self) -> None:
        async def scenario() -> None:
            bench = Bench(answer(200), answer(400), LOST)
            for _ in range(3):
                await bench.attempt(an_order(retry=None))
            await bench.attempt(an_order(when="nothing"))
            [told] = bench.performer.stages.states()
            assert (told.recent.attempts, told.recent.failed) == (3, 2)
            assert told.recent.median_ms is not None
            await asyncio.sleep(301)
            [told] = bench.performer.stages.states()
            assert told.recent == NONE

        virtually(scenario())

    def test_an_order_that_is_to_stop_sends_nothing(self) -> None:
        bench = Bench(answer(200))
        deferred = result(bench, turn=Turn(lambda: True, lambda: True))
        assert (deferred.reason, deferred.stage, bench.sent) == ("command", None, [])

    def test_an_announced_attempt_of_another_worker_is_not_sent(self) -> None:
        bench = Bench(answer(200))
        with pytest.raises(NotSentError):
            result(bench, an_order(**looking_up()), turn=Turn(lambda: False, lambda: False))
        assert bench.sent == []

    def test_nor_put_off(self) -> None:
        async def scenario() -> None:
            bench = Bench()
            bench.performer.stages.hold("default", "acme", held=True)
            with pytest.raises(NotSentError):
                await bench.attempt(an_order(**looking_up()), Turn(lambda: False, lambda: False))

        virtually(scenario())

    def test_nobody_waits_longer_than_20_seconds_for_a_busy_stage(self) -> None:
        async def scenario() -> None:
            bench = Bench(answer(200), max_in_flight=1)
            stage = bench.performer.stages.of("default", "acme", bench.connection)
            await stage.enter(0)
            deferred = await bench.attempt()
            assert (deferred.reason, clock()) == ("busy", 20)

        virtually(scenario())
