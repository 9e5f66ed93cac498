"""A step whose conversation kills processes is named while it runs, and rests after three."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from plugins.api import Connector, Done, Request
from schemas.events import CompensationFailed, Result, StepFailed, StepInDoubt, StepSucceeded
from schemas.steps import OnUnknown
from streams.agents.fate import StoreCalls
from streams.agents.in_hand import MOST_DEATHS, InHand, Slot, _read
from streams.agents.stages import Stages
from tests.facts import START
from tests.unit.staging import Bench, an_order, answer
from tests.unit.virtual import virtually


class Counted:
    """The store's count, in memory."""

    def __init__(self) -> None:
        self.times: dict[str, int] = {}

    def count(self, _recorder: str, what: str, _at: datetime) -> None:
        self.times[what] = self.times.get(what, 0) + 1

    def known(self) -> Mapping[str, int]:
        return dict(self.times)

    def forget(self, what: str) -> None:
        del self.times[what]


class Watched(Bench):
    """A bench whose connector tells what was in hand while it ran."""

    def __init__(self, folder: Path, *answers: Any) -> None:
        super().__init__(*answers)
        self.counted = Counted()
        self.slot = Slot(folder, "me")
        self.hand = InHand(self.slot, folder, self.counted, StoreCalls(local=True), lambda: START)
        self.stages = Stages(replace(self.stages._equipment, in_hand=self.hand))
        self.named: list[str] = []
        self.at_send: list[str] = []

    def in_hand(self) -> str:
        return _read(bytes(self.slot._memory))

    def get(self, name: str) -> Connector:
        known = super().get(name)

        def talk(_: Any) -> Any:
            self.named.append(self.in_hand())
            reply = yield Request.post("/things", {}, call="make")
            self.named.append(self.in_hand())
            return Done(id=reply["id"])

        return Connector(known.manifest, talk, known.look_up, known.compensation)

    async def _answer(self, request: Any) -> Any:
        self.at_send.append(self.in_hand())
        return await super()._answer(request)

    async def learned(self, deaths: int, order: Any, **run: Any) -> Result:
        if self.named:
            self.counted.times[self.named[0]] = deaths
        await self.hand.learn()
        return await self.attempt(order, **run)


@pytest.fixture
def bench(tmp_path: Path) -> Watched:
    return Watched(tmp_path, answer())


def test_the_attempt_is_in_hand_while_its_connector_runs_and_not_while_it_waits(
    bench: Watched,
) -> None:
    order = an_order()
    assert isinstance(virtually(bench.attempt(order)), StepSucceeded)
    assert bench.named == [f"order {order.id}, run 1, step acme, attempt 1"] * 2
    assert bench.at_send == [""]
    assert bench.in_hand() == ""


@pytest.mark.parametrize(
    ("on_unknown", "run", "kind"),
    [
        (OnUnknown.REPEAT, {}, StepInDoubt),
        (OnUnknown.REST, {}, StepInDoubt),
        (OnUnknown.FAIL, {}, StepFailed),
        (OnUnknown.REPEAT, {"recover": True}, StepInDoubt),
    ],
)
def test_what_three_died_of_rests_for_a_person(
    bench: Watched, on_unknown: OnUnknown, run: Any, kind: type[Result]
) -> None:
    order = an_order(on_unknown=on_unknown)
    virtually(bench.attempt(order))
    sent = len(bench.sent)
    result = virtually(bench.learned(MOST_DEATHS, order, **run))
    assert isinstance(result, kind)
    assert not isinstance(result, StepSucceeded)
    failure = getattr(result, "failure")  # noqa: B009 - of whichever kind it is
    assert (failure.code, failure.definite) == ("poison", False)
    assert getattr(result, "next_attempt_at", None) is None
    assert len(bench.sent) == sent, "nobody takes it in hand again"


def test_another_attempt_has_a_count_of_its_own(bench: Watched) -> None:
    order = an_order()
    virtually(bench.attempt(order))
    progress = order.opened._replace(attempt=2)
    again = order._replace(progress=(progress, *order.progress[1:]))
    assert isinstance(virtually(bench.learned(MOST_DEATHS, again)), StepSucceeded)


def test_undoing_that_kills_is_in_doubt_too(bench: Watched) -> None:
    order = an_order()
    virtually(bench.attempt(order))
    bench.named[0] = bench.named[0].replace("acme", "acme undone")
    result = virtually(bench.learned(MOST_DEATHS, order, compensate=True))
    assert isinstance(result, CompensationFailed)
    assert (result.failure.code, result.unknown) == ("poison", True)


def test_two_deaths_are_forgotten_once_it_is_done(bench: Watched) -> None:
    order = an_order()
    virtually(bench.attempt(order))

    async def done() -> Result:
        result = await bench.learned(MOST_DEATHS - 1, order)
        for forgetting in tuple(bench.hand._forgetting):
            await forgetting
        return result

    assert isinstance(virtually(done()), StepSucceeded)
    assert bench.counted.times == {}
