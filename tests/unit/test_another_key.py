"""Where a partner keeps its errors under a key, a call in doubt gets another key."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, ClassVar

import pytest

from schemas.events import StepInDoubt, StepSucceeded
from schemas.steps import ErrorKind, Retry
from streams.core.order import Order
from tests.facts import START, failing, then
from tests.unit.staging import DOWN, LOST, RETRY, Bench, an_order, answer, looking_up
from tests.unit.virtual import clock, virtually


def result(bench: Bench, order: Order, **run: Any) -> Any:
    return virtually(bench.attempt(order, **run))


def opened(order: Order, since: datetime = START) -> Order:
    """Its step's next attempt has opened, and it fails `since` then."""
    return order._replace(open_at=0, progress=(order.progress[0]._replace(failing_since=since),))


class TestAnotherKey:
    """A partner that keeps its error under the key gives nothing else to a repetition."""

    ANSWERED: ClassVar = {"code": "server_error", "call": "make", "unknown": True}
    CLAIMED: ClassVar = {"code": "not_done", "call": "make"}

    def order(self, failure: dict[str, Any], **step: Any) -> Order:
        return opened(then(an_order(**looking_up(**step)), failing("acme", **failure)))

    def test_a_look_up_that_finds_nothing_ends_the_doubt_and_nothing_is_sent(self) -> None:
        bench = Bench(answer(404))
        order = self.order(self.ANSWERED)
        failed = result(bench, order, doubt=True)
        why = failed.failure
        assert (why.code, why.call, why.definite, why.kind) == (
            *("not_done", "make", True),
            ErrorKind.TRANSIENT,
        )
        assert not failed.unknown
        assert bench.methods == ["GET"]
        assert then(order, failed).generations == {"acme/make": 1}

    def test_the_next_attempt_waits_for_what_may_be_under_way(self) -> None:
        failed = result(Bench(answer(404)), self.order(self.ANSWERED, timeout_s=15), doubt=True)
        assert failed.next_attempt_at == START + timedelta(seconds=30)

    def test_which_looks_once_more_and_sends_under_another_key(self) -> None:
        first = Bench(answer(500), *[answer(404), answer(500)] * 3)
        second = Bench(answer(404), answer(200))
        order = an_order(**looking_up())
        failed = result(first, order)
        order = opened(then(order, failed))
        order = opened(then(order, result(Bench(answer(404)), order, doubt=True)))
        assert isinstance(result(second, order), StepSucceeded)
        assert second.methods == ["GET", "POST"]
        assert len(set(first.keys) - {None}) == 1
        assert second.keys[-1] not in first.keys

    def test_and_adopts_what_has_come_meanwhile(self) -> None:
        bench = Bench(answer(200))
        assert isinstance(result(bench, self.order(self.CLAIMED)), StepSucceeded)
        assert bench.methods == ["GET"]

    @pytest.mark.parametrize("reply", [answer(503), answer(429), LOST, DOWN])
    def test_not_where_the_look_up_tells_nothing(self, reply: Any) -> None:
        bench = Bench(reply)
        failed = result(bench, self.order(self.ANSWERED), doubt=True)
        assert (failed.unknown, failed.failure.definite) == (True, False)
        assert "POST" not in bench.methods

    @pytest.mark.parametrize(
        "code", ["in_progress", "timeout", "disconnected", "bad_gateway", "connector_error"]
    )
    def test_not_where_the_request_may_go_on(self, code: str) -> None:
        bench = Bench(answer(404), answer(500))
        order = self.order({**self.ANSWERED, "code": code})
        failed = result(bench, order, doubt=True)
        assert (failed.unknown, failed.failure.definite) == (True, False)
        assert bench.methods[:2] == ["GET", "POST"]

    def test_not_within_the_attempt_that_was_left_in_doubt(self) -> None:
        failed = result(Bench(answer(500), answer(404), answer(500)), an_order(**looking_up()))
        assert (failed.unknown, failed.failure.code) == (True, "server_error")

    def test_not_where_the_call_is_unknown(self) -> None:
        bench = Bench(answer(404), answer(200))
        order = self.order({**self.ANSWERED, "call": None})
        assert isinstance(result(bench, order, doubt=True), StepSucceeded)

    @pytest.mark.parametrize("retry", [None, replace(RETRY, attempts=2), replace(RETRY, age_s=15)])
    def test_not_where_no_attempt_would_follow(self, retry: Retry | None) -> None:
        bench = Bench(answer(404), answer(500))
        doubtful = result(bench, self.order(self.ANSWERED, retry=retry), doubt=True)
        assert (doubtful.failure.code, doubtful.failure.definite) == ("server_error", False)
        assert bench.methods[:2] == ["GET", "POST"]

    def test_not_for_partners_that_are_asked_again_under_the_same_key(self) -> None:
        bench = Bench(answer(500))
        order = opened(then(an_order(), failing("acme", **self.ANSWERED)))
        assert result(bench, order, doubt=True).unknown
        assert bench.methods[0] == "POST"

    def test_who_takes_such_an_attempt_over_sends_nothing_either(self) -> None:
        async def scenario() -> None:
            bench = Bench(answer(404))
            order = self.order(self.ANSWERED, retry=replace(RETRY, age_s=35))
            order = opened(order, START - timedelta(seconds=30))
            failed = await bench.attempt(order, doubt=True, recover=True)
            assert (clock(), bench.methods) == (20, ["GET"])
            assert isinstance(failed, StepInDoubt), "its time is up"
            failed = await bench.attempt(self.order(self.ANSWERED), doubt=True, recover=True)
            assert (failed.failure.code, failed.failure.definite) == ("not_done", True)

        virtually(scenario())
