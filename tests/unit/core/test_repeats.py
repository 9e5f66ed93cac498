"""Failed attempts that are followed by others, deferred ones, doubts, and what wakes an order."""

from datetime import timedelta

import pytest

from schemas.events import Fact, MainPhaseCompleted, OrderCompleted, RetryDue
from streams.core.decide import Append, Rest, RunStep, decide
from streams.core.order import Order, State, StepStatus
from streams.core.wakes import wake
from tests.facts import (
    LATER,
    ORDER,
    STAGE,
    START,
    accepted,
    after,
    announced,
    around,
    command,
    deferred,
    doubtful,
    failed,
    failing,
    given,
    next_of,
    optional,
    post,
    reason,
    settled,
    started,
    step,
    succeeded,
    then,
)

SOON = timedelta(microseconds=1)


def due(order: Order) -> Order:
    """The order once its retry is due and told."""
    return settled(order, LATER)


def test_a_critical_step_that_fails_for_now_holds_the_order_until_its_next_attempt() -> None:
    order = given(accepted(step("a"), step("b")), failing("a"))
    assert (order.state, order.open_step, order.position) == (State.WAITING, None, 0)
    first = order.progress[0]
    assert (first.status, first.attempts, first.attempt) == (StepStatus.WAITING, 1, 2)
    assert (first.retry_at, first.failing_since) == (LATER, START + timedelta(minutes=1))
    assert next_of(order) == Rest(due=LATER)


def test_a_timer_fires_at_its_time_and_not_a_microsecond_before() -> None:
    order = given(accepted(step("a")), failing("a"))
    assert next_of(order, now=LATER - SOON) == Rest(due=LATER)
    assert next_of(order, now=LATER) == Append(RetryDue(expected=2, step="a"), order)
    assert next_of(order, now=LATER + timedelta(days=400)) == Append(
        RetryDue(expected=2, step="a"), order
    )


def test_a_timer_that_fires_twice_opens_one_attempt() -> None:
    order = given(accepted(step("a")), failing("a"))
    opened = then(order, RetryDue(expected=2, step="a"))
    assert (opened.state, opened.open_step) == (State.PROCESSING, step("a"))
    assert after(opened, RetryDue(expected=2, step="a")) is opened
    assert after(opened, RetryDue(expected=3, step="a")) is opened


def test_the_next_attempt_is_another_one() -> None:
    order = due(given(accepted(step("a")), failing("a")))
    assert next_of(order) == RunStep(ORDER, 1, "a", 2)
    assert after(order, succeeded("a", attempt=1), failed("a", attempt=1)) is order
    assert settled(then(order, succeeded("a", attempt=2))).state is State.COMPLETED


def test_attempts_are_counted_and_the_first_failure_is_remembered() -> None:
    order = due(given(accepted(step("a")), failing("a")))
    order = due(then(order, failing("a", 2, until=LATER)))
    assert order.progress[0].failing_since == START + timedelta(minutes=1)
    order = then(order, failed("a", 3, code="no_money"))
    one = order.progress[0]
    assert (one.attempts, one.status, one.failure) == (
        3,
        StepStatus.FAILED,
        reason(code="no_money"),
    )
    assert settled(order).state is State.FAILED


def test_the_bound_on_attempts_counts_the_open_one() -> None:
    order = given(accepted(step("a")))
    assert order.tries == 1
    assert due(then(order, failing("a"))).tries == 2


def test_a_success_after_failures_leaves_no_error() -> None:
    order = then(due(given(accepted(step("a")), failing("a"))), succeeded("a", 2))
    assert (order.progress[0].failure, order.progress[0].retry_at) == (None, None)


# Steps that the order goes on without


def test_a_non_critical_step_that_fails_for_now_lets_the_order_go_on() -> None:
    order = given(accepted(optional("a"), step("b")), failing("a"))
    assert (order.state, order.open_step) == (State.PROCESSING, step("b"))
    assert order.progress[0].status is StepStatus.WAITING
    assert next_of(order, now=LATER) == RunStep(ORDER, 1, "b", 1)


def test_its_repeats_come_behind_the_rest() -> None:
    order = given(accepted(optional("a"), step("b"), post("p")), failing("a"), succeeded("b"))
    assert next_of(order, now=LATER) == Append(MainPhaseCompleted(expected=3), order)
    order = then(order, MainPhaseCompleted(expected=3))
    assert next_of(order, now=LATER) == RunStep(ORDER, 1, "p", 1)
    order = then(order, succeeded("p"))
    assert next_of(order, now=LATER) == Append(RetryDue(expected=5, step="a"), order)


def test_the_end_waits_for_its_repeats_and_the_main_phase_does_not() -> None:
    order = settled(given(accepted(optional("a"), step("b")), failing("a"), succeeded("b")))
    assert (order.main_completed, order.state) == (True, State.WAITING)
    assert next_of(order) == Rest(due=LATER)
    assert after(order, OrderCompleted(expected=order.sequence, completion="x")) is order
    order = then(due(order), succeeded("a", 2))
    assert settled(order).state is State.COMPLETED


@pytest.mark.parametrize("end", [failed("a", 2), doubtful("a", 2)], ids=["failed", "in doubt"])
def test_an_order_completes_however_its_repeats_end(end: Fact) -> None:
    order = settled(given(accepted(optional("a"), step("b")), failing("a"), succeeded("b")))
    assert settled(then(due(order), end)).state is State.COMPLETED


def test_a_repeat_runs_while_the_order_waits_anyway() -> None:
    order = given(
        accepted(optional("a"), step("b")), failing("a", until=START), failing("b", until=LATER)
    )
    assert order.state is State.WAITING
    assert next_of(order) == Append(RetryDue(expected=3, step="a"), order)
    order = then(order, RetryDue(expected=3, step="a"), succeeded("a", 2))
    assert (order.state, next_of(order)) == (State.WAITING, Rest(due=LATER))


def test_no_second_attempt_opens_beside_an_open_one() -> None:
    order = given(accepted(optional("a"), step("b")), failing("a", until=START))
    assert order.open_step == step("b")
    assert after(order, RetryDue(expected=order.sequence, step="a")) is order


def test_a_critical_failure_gives_up_the_repeats() -> None:
    order = given(accepted(optional("a"), step("b")), failing("a"), failed("b"))
    order = settled(order)
    assert (order.state, order.progress[0].status) == (State.FAILED, StepStatus.FAILED)
    assert next_of(order, now=LATER) == Rest()
    assert after(order, RetryDue(expected=order.sequence, step="a")) is order


def test_a_failed_post_step_is_retried_and_fails_no_order() -> None:
    order = settled(given(accepted(step("a"), post("p"), post("q")), succeeded("a")))
    order = then(order, failing("p"))
    assert (order.state, order.open_step) == (State.POST_PROCESSING, post("q"))
    order = then(order, succeeded("q"))
    assert order.state is State.WAITING
    assert settled(then(due(order), failed("p", 2))).state is State.COMPLETED


# Deferred


def test_a_deferred_step_waits_for_its_stage_and_no_attempt_is_used_up() -> None:
    order = given(accepted(step("a")), deferred("a"))
    one = order.progress[0]
    assert (order.state, one.status, one.stage) == (State.WAITING, StepStatus.WAITING, STAGE)
    assert (one.attempts, one.failure, one.failing_since) == (0, None, None)
    assert next_of(order, now=LATER) == Rest(stage=STAGE)


def test_a_deferred_order_is_woken_by_its_stage_not_by_time() -> None:
    order = given(accepted(step("a")), deferred("a", until=START))
    assert next_of(order, now=LATER) == Rest(stage=STAGE)
    assert decide(order, around((order,), admitted=True)) == Append(
        RetryDue(expected=2, step="a"), order
    )


def test_a_stage_wakes_nobody_who_waits_for_a_time() -> None:
    order = given(accepted(step("a")), failing("a"))
    assert decide(order, around((order,), admitted=True)) == Rest(due=LATER)


def test_the_result_of_a_deferred_attempt_does_not_apply() -> None:
    order = given(accepted(step("a")), deferred("a"))
    assert after(order, succeeded("a"), failed("a"), deferred("a"), doubtful("a")) is order
    order = then(order, RetryDue(expected=2, step="a"))
    assert after(order, succeeded("a"), deferred("a")) is order
    assert next_of(order) == RunStep(ORDER, 1, "a", 2)


def test_deferrals_between_failures_use_no_attempt() -> None:
    order = given(accepted(step("a")), failing("a", until=START))
    for attempt in (2, 3, 4):
        order = then(order, RetryDue(expected=order.sequence, step="a"), deferred("a", attempt))
    order = then(order, RetryDue(expected=order.sequence, step="a"))
    assert (order.tries, order.opened.attempts, order.opened.attempt) == (2, 1, 5)
    assert order.opened.failing_since == START + timedelta(minutes=1)
    assert order.opened.failure is not None, "what went wrong stays to be seen"


def test_a_deferred_non_critical_step_lets_the_order_go_on() -> None:
    order = given(accepted(optional("a"), step("b")), deferred("a"))
    assert order.open_step == step("b")
    order = settled(then(order, succeeded("b")))
    assert (order.state, next_of(order)) == (State.WAITING, Rest(stage=STAGE))


def test_a_step_deferred_by_a_command_is_to_be_begun_again() -> None:
    order = given(accepted(step("a")), deferred("a", stage=None))
    one = order.progress[0]
    assert (one.status, one.attempts, one.retry_at) == (StepStatus.PENDING, 0, None)
    assert next_of(order) == RunStep(ORDER, 1, "a", 2)


def test_an_announced_step_that_was_deferred_is_announced_again() -> None:
    order = given(accepted(announced("a")), started("a", 1), deferred("a"))
    assert order.started_by is None
    order = then(order, RetryDue(expected=order.sequence, step="a"))
    assert next_of(order) == Append(started("a", order.sequence, attempt=2), order)


# Doubt


def test_an_unknown_outcome_is_found_out_before_anything_is_repeated() -> None:
    order = due(given(accepted(step("a")), failing("a", unknown=True)))
    assert next_of(order) == RunStep(ORDER, 1, "a", 2, doubt=True)
    order = due(then(order, failing("a", 2)))
    assert next_of(order) == RunStep(ORDER, 1, "a", 3), "its last attempt is known to have failed"


def test_a_deferral_does_not_clear_a_doubt() -> None:
    order = due(given(accepted(step("a")), failing("a", unknown=True)))
    order = then(order, deferred("a", 2))
    order = then(order, RetryDue(expected=order.sequence, step="a"))
    assert next_of(order) == RunStep(ORDER, 1, "a", 3, doubt=True)


def test_an_unknown_outcome_keeps_the_key_of_its_call() -> None:
    order = given(
        accepted(step("a")), failing("a", unknown=True, call="pay"), RetryDue(expected=2, step="a")
    )
    assert order.generations == {}
    assert then(order, failing("a", 2, call="pay")).generations == {"a/pay": 1}


def test_a_failure_for_good_whose_outcome_is_unknown_stays_a_doubt() -> None:
    last = failing("a", unknown=True)
    final = type(last)(step="a", attempt=1, failure=last.failure, unknown=True)
    assert given(accepted(step("a")), final).progress[0].doubt
    assert given(accepted(optional("a")), final).progress[0].doubt


# What wakes an order


def test_an_order_that_moves_is_woken_by_nothing() -> None:
    order = given(accepted(optional("a"), step("b")), failing("a"))
    assert wake(order) is None


def test_the_earliest_of_its_times_wakes_an_order() -> None:
    times = [START + timedelta(hours=hours) for hours in (3, 1, 2)]
    order = given(
        accepted(optional("a"), optional("b"), step("c")),
        failing("a", until=times[0]),
        failing("b", until=times[1]),
        failing("c", until=times[2]),
    )
    assert next_of(order) == Rest(due=times[1])
    woken = wake(order)
    assert woken is not None
    assert (woken.due, woken.stage) == (times[1], None)


def test_a_time_and_a_stage_may_both_be_waited_for() -> None:
    order = given(accepted(optional("a"), step("b")), deferred("a"), failing("b"))
    assert next_of(order) == Rest(due=LATER, stage=STAGE)
    assert next_of(order, now=LATER) == Append(RetryDue(expected=3, step="b"), order)
    assert decide(order, around((order,), admitted=True)) == Append(
        RetryDue(expected=3, step="a"), order
    )


def test_an_order_in_doubt_or_at_its_end_is_woken_by_nothing() -> None:
    assert wake(given(accepted(step("a")), doubtful("a"))) is None
    assert wake(settled(given(accepted(step("a")), succeeded("a")))) is None
    assert wake(settled(given(accepted(step("a")), failed("a")))) is None


def test_a_repeat_that_a_person_asks_for_has_its_bounds_anew() -> None:
    waiting = then(given(accepted(step("a")), failing("a")), command("retry"))
    again = settled(waiting)
    assert (again.opened.attempts, again.opened.failing_since) == (0, None)
    assert (again.tries, again.opened.attempt) == (1, 2)
    timely = due(given(accepted(step("a")), failing("a")))
    assert (timely.opened.attempts, timely.tries) == (1, 2)
