"""What the commands of operators do to an order, and what they leave alone."""

from dataclasses import replace

import pytest

from schemas.commands import CommandKind
from schemas.events import (
    CommandRejected,
    MainPhaseCompleted,
    OrderCancelled,
    OrderPaused,
    OrderReopened,
    OrderResumed,
    RetryDue,
    StepResolved,
)
from schemas.steps import Sealed
from streams.core.commands import wants_stop
from streams.core.decide import Append, Rest, RunStep
from streams.core.order import State, StepStatus
from tests.facts import (
    LATER,
    accepted,
    after,
    command,
    deferred,
    doubtful,
    failed,
    failing,
    given,
    next_of,
    optional,
    post,
    revision,
    settled,
    step,
    succeeded,
    then,
)
from tests.unit.core.states import ORDER, STATES, WAYBILL, answer, asked

PART = Sealed(paths=("/x",), key_id="k", subject="s", nonce=b"n", ciphertext=b"c")


# Retry


def test_a_retry_of_a_failed_order_begins_the_next_run_at_the_step_that_failed() -> None:
    order = then(STATES["failed"], command("retry"))
    order = then(order, OrderReopened(expected=order.sequence, command="retry-1", step="b"))
    assert (order.run, order.state, order.failure, order.failed_step) == (
        2,
        State.PROCESSING,
        None,
        None,
    )
    assert next_of(order) == RunStep("order-1", 2, "b", 2)
    assert order.context == {"a": {"id": "a"}}, "what was done stays done"
    assert order.progress[1].attempts == 0, "its bounds count anew"
    assert settled(then(order, failed("b", 2))).state is State.FAILED


def test_the_results_of_the_run_before_do_not_apply() -> None:
    order = then(STATES["failed"], command("retry"))
    reopened = then(order, OrderReopened(expected=order.sequence, command="retry-1", step="b"))
    stale = reopened._replace(run=1)
    assert after(stale, succeeded("b", 2)) is not stale
    from_before = after(stale, succeeded("b", 1))
    assert from_before is stale
    assert after(reopened, succeeded("b", 1), failed("b", 1)) is reopened


def test_a_retry_of_another_step_than_the_failed_one_is_rejected() -> None:
    assert answer(STATES["failed"], command("retry", "a")) == "[another_step]"
    assert answer(STATES["failed"], command("retry", "b")) == "OrderReopened:b"


def test_a_retry_under_the_current_configuration_brings_its_waybill() -> None:
    current = revision(
        *(step("a", compensate=True), step("b", timeout_s=9.0), step("c")),
        document=None,
        fingerprint=None,
    )
    order = then(STATES["failed"], command("retry", revision=current))
    order = then(order, OrderReopened(expected=order.sequence, command="retry-1", step="b"))
    assert order.accepted.config_version == 2
    assert order.accepted.document == "{}", "the order itself is as it was"
    assert order.open_step == step("b", timeout_s=9.0)
    order = then(order, succeeded("b", 2))
    assert order.open_step == step("c")


def test_only_a_failed_order_is_retried_under_another_configuration() -> None:
    current = revision(*WAYBILL, document=None)
    assert answer(STATES["waiting"], command("retry", revision=current)) == "[not_failed]"


def test_a_retry_made_from_an_order_that_was_amended_meanwhile_is_rejected() -> None:
    current = revision(*WAYBILL, document=None, base=b"older")
    assert answer(STATES["failed"], command("retry", revision=current)) == "[changed_meanwhile]"


def test_a_retry_does_not_wait_for_the_time() -> None:
    order = then(STATES["waiting"], command("retry"))
    order = then(order, RetryDue(expected=order.sequence, command="retry-1", step="b"))
    assert next_of(order) == RunStep("order-1", 1, "b", 2)


def test_a_retry_of_a_step_in_doubt_begins_with_finding_out() -> None:
    order = settled(then(STATES["in doubt"], command("retry")))
    assert next_of(order) == RunStep("order-1", 1, "b", 2, doubt=True)


def test_a_step_in_doubt_of_a_completed_order_is_retried_from_its_doubt() -> None:
    order = settled(given(accepted(optional("o"), step("b")), doubtful("o"), succeeded("b")))
    assert order.state is State.COMPLETED
    order = settled(then(order, command("retry")))
    assert next_of(order) == RunStep("order-1", 1, "o", 2, doubt=True)


def test_a_failed_step_of_a_completed_order_is_retried_and_the_order_stays_completed() -> None:
    order = settled(then(STATES["completed but o, p"], command("retry", "p")))
    assert (order.state, next_of(order)) == (State.COMPLETED, RunStep("order-1", 1, "p", 2))
    waits = then(order, failing("p", 2))
    assert (waits.state, next_of(waits)) == (State.COMPLETED, Rest(due=LATER))
    done = then(order, succeeded("p", 2))
    assert (done.state, done.progress[3].status) == (State.COMPLETED, StepStatus.SUCCEEDED)
    assert next_of(done) == Rest()


def test_between_the_failure_of_a_step_and_that_of_its_order_the_run_ends_first() -> None:
    for kind in CommandKind:
        order = then(given(ORDER, succeeded("a"), failed("b")), asked(kind))
        decision = next_of(order)
        assert isinstance(decision, Append)
        assert type(decision.fact).__name__ == "OrderFailed", kind
        assert after(order, decision.fact).state is State.FAILED


# Skip and resolve


def test_a_skipped_step_hands_on_nothing_and_the_order_goes_on() -> None:
    order = settled(then(STATES["in doubt"], command("skip")))
    assert (order.progress[1].status, order.open_step) == (StepStatus.SKIPPED, optional("o"))
    assert order.context == {"a": {"id": "a"}}


def test_a_resolved_step_hands_on_what_the_person_says() -> None:
    resolve = command("resolve", output={"account": "A-1"}, sealed=(PART,))
    order = settled(then(STATES["in doubt"], resolve))
    assert (order.progress[1].status, order.open_step) == (StepStatus.SUCCEEDED, optional("o"))
    assert order.context["b"] == {"account": "A-1"}
    assert order.sealed["b"] == (PART,)


@pytest.mark.parametrize("kind", ["skip", "resolve"])
def test_a_failed_order_goes_on_behind_the_step_that_a_person_settles(kind: str) -> None:
    order = settled(then(STATES["failed"], command(kind, output={"id": "x"})))
    assert (order.run, order.open_step) == (2, optional("o"))
    assert order.progress[1].status == ("skipped" if kind == "skip" else "succeeded")
    assert ("b" in order.context) is (kind == "resolve")


def test_the_late_result_of_a_settled_step_does_not_apply() -> None:
    order = settled(then(STATES["in doubt"], command("skip")))
    assert after(order, succeeded("b"), succeeded("b", 2), failed("b", 2)) is order


@pytest.mark.parametrize("kind", ["skip", "resolve"])
def test_a_step_that_is_done_is_not_settled_again(kind: str) -> None:
    assert answer(STATES["waiting"], command(kind, "a")) == "[already_done]"


@pytest.mark.parametrize("kind", ["skip", "resolve"])
def test_a_step_is_settled_before_its_turn(kind: str) -> None:
    order = settled(then(STATES["waiting"], command(kind, "o")))
    assert order.state is State.WAITING
    order = then(order, RetryDue(expected=order.sequence, step="b"), succeeded("b", 2))
    order = settled(order)
    assert order.open_step == post("p"), "o is passed"


@pytest.mark.parametrize("kind", ["skip", "resolve", "retry"])
def test_a_step_that_the_order_does_not_have_is_no_step(kind: str) -> None:
    assert answer(STATES["waiting"], command(kind, "unheard of")) == "[no_such_step]"


# Pause, resume, force-complete


def test_a_pause_waits_for_the_open_attempt_and_keeps_its_result() -> None:
    order = then(STATES["running"], command("pause"))
    assert isinstance(next_of(order), RunStep)
    assert wants_stop(order)
    order = settled(then(order, succeeded("a")))
    assert (order.state, order.context) == (State.PAUSED, {"a": {"id": "a"}})
    assert next_of(order, now=LATER) == Rest()


def test_a_pause_takes_effect_before_an_attempt_that_was_not_sent() -> None:
    order = then(STATES["running"], command("pause"))
    order = settled(then(order, deferred("a", stage=None)))
    assert (order.state, order.open_step) == (State.PAUSED, None)
    order = settled(then(order, command("resume")))
    assert next_of(order) == RunStep("order-1", 1, "a", 2)


def test_a_paused_order_sleeps_through_its_times() -> None:
    assert next_of(STATES["paused"], now=LATER) == Rest()
    order = settled(then(STATES["paused"], command("resume")))
    assert (order.state, next_of(order)) == (State.WAITING, Rest(due=LATER))


@pytest.mark.parametrize("kind", CommandKind)
def test_only_pause_cancel_and_amend_hold_back_an_attempt(kind: CommandKind) -> None:
    stops = {CommandKind.PAUSE, CommandKind.CANCEL, CommandKind.AMEND}
    assert wants_stop(then(STATES["running"], asked(kind))) is (kind in stops)


def test_what_is_being_undone_is_not_stopped_by_who_asks_for_it() -> None:
    assert not wants_stop(STATES["undoing"])


def test_force_complete_skips_what_is_left_of_the_main_phase() -> None:
    order = then(STATES["in doubt"], command("force_complete"))
    order = then(order, MainPhaseCompleted(expected=order.sequence, command="force_complete-1"))
    assert [one.status for one in order.progress] == [
        StepStatus.SUCCEEDED,
        StepStatus.SKIPPED,
        StepStatus.SKIPPED,
        StepStatus.PENDING,
    ]
    assert next_of(order) == RunStep("order-1", 1, "p", 1)
    assert settled(then(order, succeeded("p"))).state is State.COMPLETED


def test_force_complete_brings_a_failed_order_to_a_good_end() -> None:
    order = settled(then(STATES["failed"], command("force_complete")))
    assert (order.run, order.main_completed, order.open_step) == (2, True, post("p"))
    assert settled(then(order, succeeded("p"))).state is State.COMPLETED


def test_force_complete_ends_the_wait_for_repeats() -> None:
    order = settled(then(STATES["end waits"], command("force_complete")))
    assert (order.state, order.progress[2].status) == (State.COMPLETED, StepStatus.SKIPPED)


# Reopened orders


@pytest.mark.parametrize("kind", ["retry", "skip", "resolve", "force_complete"])
def test_a_reopened_order_goes_to_the_tail_of_its_lane(kind: str) -> None:
    order = then(STATES["failed"], command(kind))
    decision = next_of(order)
    assert isinstance(decision, Append)
    order = after(order, decision.fact, offset=777)
    assert (order.offset, order.passes) == (777, 0)


@pytest.mark.parametrize(
    "fact",
    [
        OrderCancelled(expected=4),
        OrderPaused(expected=4),
        OrderResumed(expected=4),
        StepResolved(expected=4, step="b"),
        OrderReopened(expected=4, step="b"),
        CommandRejected(expected=4, code="x", reason="x"),
        replace(OrderPaused(expected=4), command="unheard of"),
        RetryDue(expected=4, command="unheard of", step="b"),
    ],
    ids=lambda fact: type(fact).__name__,
)
def test_nobody_answers_a_command_that_was_not_given(fact: OrderPaused) -> None:
    for order in STATES.values():
        asked_on = replace(fact, expected=order.sequence)
        assert after(order, asked_on) is order
