"""What each event makes of an order, and which events count at all."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from schemas.events import (
    Fact,
    MainPhaseCompleted,
    OrderCompleted,
    OrderFailed,
)
from schemas.steps import Sealed
from streams.core.evolve import contradicts, evolve
from streams.core.order import Order, State, StepStatus
from tests.facts import (
    START,
    accepted,
    after,
    announced,
    doubtful,
    event,
    failed,
    given,
    optional,
    post,
    reason,
    settled,
    skipped,
    started,
    step,
    succeeded,
)

ORDER_FAILED = OrderFailed(expected=2, step="a", plugin="p", failure=reason())


def ended(state: State) -> Order:
    if state is State.IN_DOUBT:
        return given(accepted(announced("a"), step("b")), doubtful("a"))
    result = failed("a") if state is State.FAILED else succeeded("a")
    order = settled(given(accepted(step("a")), result))
    assert order.state is state
    return order


ENDS = [ended(state) for state in (State.COMPLETED, State.FAILED)]


def test_an_acceptance_begins_the_order() -> None:
    order = given(accepted(step("a"), step("b")))
    assert (order.state, order.sequence, order.position) == (State.ACCEPTED, 1, 0)
    assert (order.offset, order.created, order.run) == (10, START, 1)
    assert (order.lane, order.tenant, order.trace) == ("default/SUB-1", "default", "00-trace-01")
    assert [progress.started for progress in order.progress] == [START, None]


@pytest.mark.parametrize(
    "fact",
    [succeeded("a"), failed("a"), doubtful("a"), skipped("a"), started("a", 0), ORDER_FAILED],
    ids=lambda fact: type(fact).__name__,
)
def test_an_order_begins_with_nothing_but_its_acceptance(fact: Fact) -> None:
    assert evolve(None, event(fact), 0) is None


def test_a_success_hands_on_its_output_and_opens_the_next_step() -> None:
    part = Sealed(paths=("/x",), key_id="k", subject="s", nonce=b"n", ciphertext=b"c")
    order = given(accepted(step("a"), step("b")), succeeded("a", sealed=(part,)))
    assert order.context == {"a": {"id": "a"}}
    assert order.sealed == {"a": (part,)}
    assert (order.state, order.position, order.open_at) == (State.PROCESSING, 1, 1)
    at = START + timedelta(minutes=1)
    done, following = order.progress
    assert (done.status, done.attempts, done.ended) == (StepStatus.SUCCEEDED, 1, at)
    assert (following.status, following.started) == (StepStatus.PENDING, at)


def test_outputs_of_all_steps_are_kept() -> None:
    order = given(accepted(step("a"), step("b"), post("c")), succeeded("a"), succeeded("b"))
    order = after(settled(order), succeeded("c"))
    assert order.context == {name: {"id": name} for name in "abc"}


def test_a_critical_failure_closes_the_waybill() -> None:
    order = given(accepted(step("a"), step("b")), failed("a", code="no_money"))
    assert (order.failed_step, order.failure) == ("a", reason(code="no_money"))
    assert (order.open_step, order.position) == (None, 0)
    assert order.progress[0].status is StepStatus.FAILED
    assert order.progress[0].failure == reason(code="no_money")
    assert after(order, succeeded("a"), succeeded("b")) is order


def test_a_non_critical_failure_is_recorded_and_the_order_goes_on() -> None:
    order = given(accepted(optional("a"), step("b")), failed("a"))
    assert order.progress[0].status is StepStatus.FAILED
    assert order.progress[0].failure == reason()
    assert (order.failure, order.failed_step) == (None, None)
    assert order.open_step == step("b")


def test_a_critical_doubt_rests() -> None:
    order = given(accepted(step("a"), step("b")), doubtful("a"))
    assert (order.state, order.open_step, order.position) == (State.IN_DOUBT, None, 0)
    assert order.progress[0].status is StepStatus.IN_DOUBT
    assert order.progress[0].ended is None


def test_a_non_critical_doubt_is_recorded_and_the_order_goes_on() -> None:
    order = given(accepted(optional("a"), step("b")), doubtful("a"))
    assert order.progress[0].status is StepStatus.IN_DOUBT
    assert order.progress[0].failure == reason(definite=False)
    assert (order.state, order.open_step) == (State.PROCESSING, step("b"))


@pytest.mark.parametrize("result", [failed("p"), doubtful("p")])
def test_nothing_in_the_post_phase_fails_an_order_or_holds_it(result: Fact) -> None:
    order = settled(given(accepted(step("a"), post("p"), post("q")), succeeded("a")))
    order = after(order, result)
    assert (order.state, order.failure) == (State.POST_PROCESSING, None)
    assert order.open_step == post("q")
    assert settled(after(order, succeeded("q"))).state is State.COMPLETED


def test_a_post_step_is_not_open_before_the_main_phase_has_ended() -> None:
    order = given(accepted(step("a"), post("p")), succeeded("a"))
    assert order.open_step is None
    assert after(order, succeeded("p")) is order


def test_a_skipped_step_hands_on_nothing_and_the_order_goes_on() -> None:
    order = given(accepted(step("a"), step("b")), skipped("a"))
    assert order.progress[0].status is StepStatus.SKIPPED
    assert (order.context, order.open_step) == ({}, step("b"))


def test_an_announcement_names_the_worker_until_the_step_ends() -> None:
    order = given(accepted(announced("a"), step("b")), started("a", 1, "worker-7"))
    assert (order.started_by, order.progress[0].status) == ("worker-7", StepStatus.STARTED)
    assert (order.sequence, order.open_step) == (2, announced("a"))
    assert after(order, succeeded("a")).started_by is None


def test_the_first_announcement_of_an_attempt_wins() -> None:
    order = given(accepted(announced("a")), started("a", 1, "worker-7"))
    assert after(order, started("a", 1, "worker-8")) is order


def test_an_announced_attempt_is_not_announced_again() -> None:
    order = given(accepted(announced("a")), started("a", 1, "worker-7"))
    assert after(order, started("a", order.sequence, "worker-8")) is order


@pytest.mark.parametrize(
    "late", [started("a", 2), started("c", 2), started("b", 2, attempt=2)], ids=str
)
def test_only_the_open_attempt_can_be_announced(late: Fact) -> None:
    order = given(accepted(announced("a"), announced("b"), announced("c")), succeeded("a"))
    assert after(order, late) is order
    assert after(order, started("b", 2)).started_by is not None


@pytest.mark.parametrize(
    "late",
    [
        succeeded("a"),
        failed("a"),
        doubtful("a"),
        skipped("a"),
        succeeded("b", attempt=2),
        failed("b", attempt=0),
        succeeded("c"),
        succeeded("unheard of"),
    ],
    ids=str,
)
def test_the_late_result_of_a_stale_worker_changes_nothing(late: Fact) -> None:
    order = given(accepted(step("a"), step("b"), step("c")), succeeded("a"))
    assert after(order, late) is order


def test_a_result_of_another_run_changes_nothing() -> None:
    order = given(accepted(step("a")))
    assert evolve(order, event(succeeded("a"), run=2), 20) is order


def test_a_result_applies_whatever_was_appended_meanwhile() -> None:
    order = given(accepted(announced("a")), started("a", 1), succeeded("a"))
    assert order.progress[0].status is StepStatus.SUCCEEDED


def test_a_repeated_acceptance_changes_nothing() -> None:
    order = given(accepted(step("a")), succeeded("a"))
    again = event(accepted(step("a")))
    assert evolve(order, again, 99) is order
    assert not contradicts(order, again)


def test_an_acceptance_of_another_body_changes_nothing_and_is_told() -> None:
    order = given(accepted(step("a")))
    other = event(accepted(step("b"), fingerprint=b"another"))
    assert evolve(order, other, 99) is order
    assert contradicts(order, other)


def test_nothing_but_an_acceptance_of_a_known_order_contradicts() -> None:
    assert not contradicts(None, event(accepted(step("a"))))
    assert not contradicts(given(accepted(step("a"))), event(succeeded("a")))


THROUGH = given(accepted(step("a")), succeeded("a"))


@pytest.mark.parametrize("off", [-1, 1, 100])
@pytest.mark.parametrize(
    ("order", "decided"),
    [
        (THROUGH, lambda expected: MainPhaseCompleted(expected=expected)),
        (
            after(THROUGH, MainPhaseCompleted(expected=2)),
            lambda expected: OrderCompleted(expected=expected, completion="order complete"),
        ),
        (
            given(accepted(step("a"), announced("b")), succeeded("a")),
            lambda expected: started("b", expected),
        ),
    ],
    ids=["MainPhaseCompleted", "OrderCompleted", "StepStarted"],
)
def test_what_was_decided_on_another_sequence_changes_nothing(
    order: Order, decided: Callable[[int], Fact], off: int
) -> None:
    assert after(order, decided(order.sequence + off)) is order
    assert after(order, decided(order.sequence)).sequence == order.sequence + 1


def test_a_decision_written_twice_counts_once() -> None:
    order = settled(given(accepted(step("a"), post("p")), succeeded("a")))
    assert order.sequence == 3
    assert after(order, MainPhaseCompleted(expected=2)) is order


@pytest.mark.parametrize("order", ENDS, ids=lambda order: order.state)
@pytest.mark.parametrize(
    "late", [succeeded("a"), failed("a"), doubtful("a"), skipped("a"), accepted(step("a"))], ids=str
)
def test_nothing_comes_after_the_end(order: Order, late: Fact) -> None:
    assert after(order, late) is order


def test_an_order_in_doubt_takes_no_late_result() -> None:
    order = ended(State.IN_DOUBT)
    assert after(order, succeeded("a"), failed("a"), succeeded("b")) is order


def test_the_generation_of_a_call_rises_with_its_definite_failures_only() -> None:
    waybill = accepted(optional("a"), optional("b"), optional("c"), optional("d"), step("e"))
    order = given(
        waybill,
        failed("a", call="charge"),
        failed("b", call="charge", definite=False),
        failed("c", call=None),
        doubtful("d"),
    )
    assert order.generations == {"a/charge": 1}


def test_a_critical_failure_raises_the_generation_too() -> None:
    assert given(accepted(step("a")), failed("a", call="pay")).generations == {"a/pay": 1}


def test_every_event_that_applies_counts_and_none_that_does_not() -> None:
    order = given(
        accepted(announced("a"), post("p")),
        accepted(announced("a"), post("p")),
        started("a", 1),
        started("a", 1, "worker-2"),
        succeeded("a"),
        succeeded("a"),
        MainPhaseCompleted(expected=3),
        succeeded("p"),
        OrderCompleted(expected=5, completion="order complete"),
    )
    assert (order.sequence, order.state) == (6, State.COMPLETED)
    assert order.updated == START + timedelta(minutes=8)


LAST_TWO = given(accepted(step("a"), step("b")), succeeded("a"))


@pytest.mark.parametrize(
    ("first", "ahead"),
    [
        (failed("b"), MainPhaseCompleted(expected=3)),
        (doubtful("b"), MainPhaseCompleted(expected=3)),
        (succeeded("b"), OrderCompleted(expected=3, completion="order complete")),
        (succeeded("b"), OrderFailed(expected=3, step="b", plugin="b", failure=reason())),
    ],
    ids=["failed", "in doubt", "main phase not over", "nothing failed"],
)
def test_what_was_written_ahead_of_a_result_that_came_second_changes_nothing(
    first: Fact, ahead: Fact
) -> None:
    order = after(LAST_TWO, first)
    assert order.sequence == 3
    assert after(order, ahead) is order
