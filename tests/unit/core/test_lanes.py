"""Orders of one lane run one at a time, in the order in which they stand in it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import pytest

from schemas.events import (
    CommandRejected,
    Fact,
    OrderPaused,
    OrderQueued,
    OrderReleased,
    OrderReopened,
    RetryDue,
)
from streams.core import lanes
from streams.core.decide import Append, Decision, Rest, RunStep, decide
from streams.core.order import ENDED, Order, State
from tests.facts import (
    LATER,
    START,
    accepted,
    after,
    around,
    command,
    doubtful,
    failed,
    failing,
    given,
    post,
    step,
    succeeded,
    then,
)


@dataclass
class Lane:
    """The orders of one lane, whose events come one after the other."""

    orders: dict[str, Order] = field(default_factory=dict)
    offset: int = 10
    now: datetime = START

    def accept(self, *names: str) -> None:
        for name in names:
            taken = accepted(step("a"), step("b"), post("p"))
            self.orders[name] = given(taken, order=name, offset=self.offset)
            self.offset += 1
            self.settle()

    def write(self, name: str, *facts: Fact, settles: bool = True) -> None:
        for fact in facts:
            self.orders[name] = then(self.orders[name], fact, offset=self.offset)
            self.offset += 1
        if settles:
            self.settle()

    def next(self, name: str) -> Decision:
        order = self.orders[name]
        unfinished = [one for one in self.orders.values() if one.state not in ENDED]
        return decide(order, around(unfinished, now=self.now))

    def settle(self) -> None:
        """Everything that the core itself appends is in the log."""
        for _ in range(50):
            appends = [one for one in map(self.next, self.orders) if isinstance(one, Append)]
            if not appends:
                return
            self.write(appends[0].order.id, appends[0].fact, settles=False)
        raise AssertionError("the lane goes on and on")

    def finish(self, name: str) -> None:
        """Every step of the order succeeds."""
        while isinstance(run := self.next(name), RunStep):
            self.write(name, succeeded(run.step, run.attempt))

    @property
    def running(self) -> list[str]:
        return [name for name in self.orders if isinstance(self.next(name), RunStep)]

    @property
    def queued(self) -> dict[str, str | None]:
        return {name: one.behind for name, one in self.orders.items() if one.behind is not None}

    def standing(self) -> list[str]:
        left = [one for one in self.orders.values() if one.state not in ENDED]
        return [one.id for one in sorted(left, key=lanes.place)]


def lane(*names: str) -> Lane:
    made = Lane()
    made.accept(*names)
    return made


def test_the_first_runs_and_the_others_queue_behind_the_one_before_them() -> None:
    three = lane("x", "y", "z")
    assert three.running == ["x"]
    assert three.queued == {"y": "x", "z": "y"}
    assert three.orders["y"].state is State.QUEUED
    assert three.next("y") == Rest()


def test_an_order_is_queued_before_anything_of_it_is_sent() -> None:
    two = Lane()
    two.accept("x")
    fresh = given(accepted(step("a")), order="y", offset=20)
    two.orders["y"] = fresh
    assert two.next("y") == Append(OrderQueued(expected=1, behind="x"), fresh)


@pytest.mark.parametrize("end", ["completed", "failed", "cancelled"])
def test_the_next_is_released_at_the_end_of_the_one_before_it(end: str) -> None:
    two = lane("x", "y")
    if end == "completed":
        two.finish("x")
    elif end == "failed":
        two.write("x", failed("a"))
    else:
        two.write("x", failing("a"))
        two.write("x", command("cancel"))
    assert two.orders["x"].state == end
    assert (two.running, two.queued) == (["y"], {})


@pytest.mark.parametrize("last", [failing("a"), doubtful("a")])
def test_an_order_that_waits_or_is_in_doubt_keeps_its_place(last: Fact) -> None:
    two = lane("x", "y")
    two.write("x", last)
    assert (two.running, two.queued) == ([], {"y": "x"})


def test_the_post_phase_belongs_to_the_order() -> None:
    two = lane("x", "y")
    two.write("x", succeeded("a"))
    two.write("x", succeeded("b"))
    assert two.running == ["x"]
    two.write("x", succeeded("p"))
    assert two.running == ["y"]


def test_orders_run_in_the_order_of_their_acceptance() -> None:
    four = lane("x", "y", "z", "w")
    ran = []
    while four.running:
        [name] = four.running
        ran.append(name)
        four.finish(name)
    assert ran == ["x", "y", "z", "w"]


def test_a_queued_order_always_names_the_one_before_it() -> None:
    four = lane("x", "y", "z", "w")
    four.write("z", command("cancel"))
    assert four.queued == {"y": "x", "w": "y"}
    four.write("x", failing("a"))
    four.write("w", command("release"))
    assert four.queued == {"x": "w", "y": "x"}


def test_a_reopened_order_goes_to_the_tail() -> None:
    three = lane("x", "y", "z")
    three.write("x", failed("a"))
    three.write("x", command("retry"))
    assert three.standing() == ["y", "z", "x"]
    assert (three.running, three.queued) == (["y"], {"z": "y", "x": "z"})
    three.finish("y")
    three.finish("z")
    assert three.running == ["x"]
    assert three.next("x") == RunStep("x", 2, "a", 2)


def test_an_order_reopened_alone_goes_on_at_once() -> None:
    one = lane("x")
    one.write("x", failed("a"))
    one.write("x", command("retry"))
    assert (one.running, one.queued) == (["x"], {})


# Release


def test_a_released_order_passes_one_that_waits() -> None:
    two = lane("x", "y")
    two.write("x", failing("a"))
    two.write("y", command("release"))
    assert two.running == ["y"]
    assert two.standing() == ["y", "x"]
    assert two.queued == {"x": "y"}
    two.now = LATER
    two.settle()
    assert two.running == ["y"], "the time of the one passed over is no reason to run"
    two.finish("y")
    two.settle()
    assert two.running == ["x"]


def test_a_released_order_passes_all_before_it_and_they_keep_their_order() -> None:
    four = lane("x", "y", "z", "w")
    four.write("x", doubtful("a"))
    four.write("z", command("release"))
    assert four.standing() == ["z", "x", "y", "w"]
    assert four.running == ["z"]
    assert four.orders["z"].pending == ()
    four.finish("z")
    assert (four.running, four.orders["x"].state) == ([], State.IN_DOUBT)
    four.write("y", command("release"))
    assert four.standing() == ["y", "x", "w"]


def test_an_order_can_be_passed_twice() -> None:
    three = lane("x", "y", "z")
    three.write("x", failing("a"))
    three.write("y", command("release"))
    three.write("y", failing("a"))
    three.write("z", command("release"))
    assert three.standing() == ["z", "y", "x"]
    three.finish("z")
    assert (three.running, three.orders["y"].state) == ([], State.WAITING)
    three.write("x", command("release", command="again"))
    assert three.standing() == ["x", "y"]


def test_an_order_at_work_is_not_passed() -> None:
    two = lane("x", "y")
    two.write("y", command("release"), settles=False)
    decision = two.next("y")
    assert isinstance(decision, Append)
    assert isinstance(decision.fact, CommandRejected)
    assert (decision.fact.code, "x" in decision.fact.reason) == ("at_work", True)
    two.settle()
    assert two.standing() == ["x", "y"]


def test_an_order_whose_command_is_undecided_is_not_passed() -> None:
    two = lane("x", "y")
    two.write("x", failing("a"))
    two.write("x", command("pause"), settles=False)
    two.write("y", command("release"), settles=False)
    decision = two.next("y")
    assert isinstance(decision, Append)
    assert getattr(decision.fact, "code", None) == "at_work"


def test_who_moved_first_is_not_passed() -> None:
    """Its time has come while it was being passed: the first in the log wins."""
    two = lane("x", "y")
    two.write("x", failing("a"))
    two.write("y", command("release"), settles=False)
    passed = two.next("y")
    assert isinstance(passed, Append)
    assert passed.order.id == "x"
    x = two.orders["x"]
    due = RetryDue(expected=x.sequence, step="a")
    moved = then(x, due)
    assert after(moved, passed.fact) is moved
    queued = then(x, passed.fact)
    assert after(queued, due) is queued
    two.write("x", due)
    assert two.running == ["x"]
    assert two.orders["y"].pending == (), "the release was answered"


def test_an_order_that_is_not_queued_has_nobody_to_pass() -> None:
    two = lane("x", "y")
    two.write("x", command("release"), settles=False)
    decision = two.next("x")
    assert isinstance(decision, Append)
    assert getattr(decision.fact, "code", None) == "not_queued"


def test_only_orders_at_rest_can_be_passed() -> None:
    waits = given(accepted(step("a")), failing("a"))
    assert lanes.is_at_rest(waits)
    assert lanes.is_at_rest(given(accepted(step("a")), doubtful("a")))
    assert not lanes.is_at_rest(given(accepted(step("a"))))
    assert not lanes.is_at_rest(then(waits, command("pause")))
    paused = then(waits, command("pause"), OrderPaused(expected=3, command="pause-1"))
    assert lanes.is_at_rest(paused)
    passed = OrderQueued(expected=1, behind="y", passed_by=20)
    running = given(accepted(step("a")))
    assert after(running, passed) is running
    pausing = then(waits, command("pause"))
    assert after(pausing, OrderQueued(expected=3, behind="y", passed_by=20)) is pausing


# What the fold asks


def test_an_order_that_is_not_queued_is_not_released() -> None:
    order = given(accepted(step("a")))
    assert after(order, OrderReleased(expected=1)) is order


def test_an_ended_order_is_not_queued() -> None:
    order = given(accepted(step("a")), failed("a"))
    ended = lane("x")
    ended.write("x", failed("a"))
    x = ended.orders["x"]
    assert after(x, OrderQueued(expected=x.sequence, behind="y")) is x
    assert order.behind is None


def test_what_a_queued_order_had_open_is_closed() -> None:
    order = then(given(accepted(step("a"))), OrderQueued(expected=1, behind="x"))
    assert (order.open_step, order.state) == (None, State.QUEUED)
    assert after(order, succeeded("a"), failed("a")) is order
    order = then(order, OrderReleased(expected=2))
    assert (order.open_step, order.state) == (step("a"), State.PROCESSING)


def test_a_paused_order_in_the_queue_stays_paused() -> None:
    two = lane("x", "y")
    two.write("y", command("pause"))
    assert two.orders["y"].state is State.PAUSED
    two.finish("x")
    assert two.running == []
    two.write("y", command("resume"))
    assert two.running == ["y"]


def test_places_are_told_apart_by_offset_then_by_passes() -> None:
    def places(orders: Iterable[Order]) -> Iterator[tuple[int, int]]:
        return map(lanes.place, orders)

    x, y = (given(accepted(step("a")), order=name, offset=at) for name, at in (("x", 3), ("y", 4)))
    assert list(places((x, y))) == [(3, 0), (4, 0)]
    assert lanes.before(y, (x, y)) == [x]
    assert lanes.before(x, (x, y)) == []
    assert lanes.predecessor(y, (y, x)) is x
    passed = x._replace(offset=4, passes=9)
    assert lanes.before(passed, (passed, y)) == [y]
    assert lanes.predecessor(y, (passed, y)) is None


def test_the_predecessor_is_the_last_of_those_before() -> None:
    orders = [given(accepted(step("a")), order=str(at), offset=at) for at in range(5)]
    assert lanes.predecessor(orders[4], orders[::-1]) is orders[3]
    assert lanes.before(orders[3], orders[::-1]) == orders[:3]
    ended = [orders[0], orders[1], orders[2]._replace(state=State.FAILED), orders[3]]
    assert lanes.predecessor(orders[3], ended) is orders[1]


def test_reopening_is_no_way_past_the_queue() -> None:
    two = lane("x", "y")
    two.write("x", failed("a"), settles=False)
    two.settle()
    x = two.orders["x"]
    opened = then(
        then(x, command("retry")),
        OrderReopened(expected=x.sequence + 1, command="retry-1", step="a"),
        offset=99,
    )
    two.orders["x"] = opened
    assert isinstance(two.next("x"), Append)
    two.settle()
    assert two.running == ["y"]
