"""Compensation: what a cancellation or an amendment undoes, in which order, and how far back."""

from dataclasses import replace
from datetime import timedelta

import pytest

from schemas.events import Fact, OrderAmended, OrderCancelled, OrderQueued, RetryDue
from streams.core.decide import Append, Rest, RunStep, decide
from streams.core.evolve import contradicts
from streams.core.order import Order, State, StepStatus
from tests.facts import (
    LATER,
    STAGE,
    START,
    accepted,
    after,
    announced,
    around,
    command,
    deferred,
    doubtful,
    event,
    failed,
    failing,
    given,
    next_of,
    not_undone,
    optional,
    post,
    revision,
    settled,
    skipped,
    started,
    step,
    succeeded,
    then,
    undone,
)

A, B, C = (step(name, compensate=True) for name in "abc")
ALL = accepted(A, B, C, step("d"))
DONE = (succeeded("a"), succeeded("b"), succeeded("c"))


def cancelled_after(*facts: Fact) -> Order:
    return then(given(*facts), command("cancel"))


def undoes(name: str, attempt: int = 2) -> RunStep:
    return RunStep("order-1", 1, name, attempt, compensate=True)


def amended(order: Order, *waybill: object, **more: object) -> Order:
    """The order with the amendment pending."""
    return then(order, command("amend", revision=revision(*waybill, **more)))  # type: ignore[arg-type]


# Cancel


def test_a_cancellation_undoes_the_newest_step_first() -> None:
    order = cancelled_after(ALL, *DONE, failing("d"))
    seen = []
    while isinstance(decision := next_of(order), RunStep):
        assert decision.compensate
        seen.append(decision.step)
        order = then(order, undone(decision.step, decision.attempt))
    assert seen == ["c", "b", "a"]
    assert decision == Append(OrderCancelled(expected=9, command="cancel-1"), order)
    order = settled(order)
    assert (order.state, order.pending, next_of(order)) == (State.CANCELLED, (), Rest())
    assert (order.context, order.sealed) == ({}, {}), "what undone steps handed on is void"


def test_only_steps_that_say_so_are_undone_and_the_others_are_named() -> None:
    order = cancelled_after(accepted(step("a"), B, step("c")), succeeded("a"), succeeded("b"))
    assert order.open_step == step("c"), "the open attempt ends first"
    order = then(order, succeeded("c"))
    assert next_of(order) == undoes("b")
    order = settled(then(order, undone("b")))
    assert order.state is State.CANCELLED
    assert [one.status for one in order.progress] == ["succeeded", "compensated", "succeeded"]
    order = then(cancelled_after(accepted(step("a"), step("b")), succeeded("a")), succeeded("b"))
    assert next_of(order) == Append(
        OrderCancelled(expected=4, command="cancel-1", standing=("a", "b")), order
    )


def test_a_cancellation_that_finds_nothing_to_undo_is_the_end_at_once() -> None:
    order = cancelled_after(accepted(A), failing("a"))
    assert next_of(order) == Append(OrderCancelled(expected=3, command="cancel-1"), order)


def test_a_step_that_was_skipped_or_failed_is_not_undone() -> None:
    a, b = (optional(name, compensate=True) for name in "ab")
    order = cancelled_after(accepted(a, b, step("c")), skipped("a"), failed("b"), failing("c"))
    assert settled(order).state is State.CANCELLED


def test_a_cancelled_order_repeats_nothing() -> None:
    order = settled(cancelled_after(accepted(optional("o"), A), failing("o"), failing("a")))
    assert (order.state, next_of(order, now=LATER)) == (State.CANCELLED, Rest())
    assert {one.status for one in order.progress} == {StepStatus.FAILED}


def test_a_failed_order_can_be_cancelled() -> None:
    order = settled(given(ALL, succeeded("a"), failed("b")))
    order = then(order, command("cancel"))
    assert next_of(order) == undoes("a")
    order = settled(then(order, undone("a")))
    assert order.state is State.CANCELLED


def test_what_a_person_says_was_done_without_items_is_undone() -> None:
    order = given(accepted(step("a"), step("b", items=(), compensate=True)), failing("a"))
    order = settled(then(order, command("resolve", "b", output={"id": "x"})))
    order = then(order, command("cancel"))
    assert next_of(order) == undoes("b")


def test_a_queued_order_is_not_undone_while_another_runs() -> None:
    order = given(ALL, succeeded("a"), failing("b"))
    order = then(order, OrderQueued(expected=3, behind="order-2", passed_by=50))
    order = then(order, command("cancel"))
    running = given(accepted(step("x")), order="order-2", offset=50)
    assert decide(order, around((running, order))) == Rest()
    assert decide(order, around((order,))) != Rest()


def test_what_was_undone_has_other_keys_when_it_is_done_again() -> None:
    order = then(cancelled_after(ALL, *DONE, failing("d")), undone("c"))
    assert order.generations == {"c/": 1}


# Compensations that fail


def test_a_compensation_is_repeated_like_any_attempt() -> None:
    order = cancelled_after(ALL, succeeded("a"), failing("b"))
    assert order.tries == 1, "its own attempts count, not those of the step"
    order = then(order, not_undone("a", until=LATER))
    assert (order.state, next_of(order)) == (State.WAITING, Rest(due=LATER))
    assert order.progress[0].attempts == 1
    order = settled(order, LATER)
    assert (next_of(order), order.tries) == (undoes("a", 3), 2)
    assert after(order, undone("a", 2)) is order
    assert settled(then(order, undone("a", 3))).state is State.CANCELLED


def test_older_steps_wait_for_the_newer_one_to_be_undone() -> None:
    order = cancelled_after(ALL, succeeded("a"), succeeded("b"), failing("c"))
    assert next_of(then(order, not_undone("b", until=LATER))) == Rest(due=LATER)
    assert next_of(then(order, not_undone("b"))) == Rest()
    assert next_of(then(order, deferred("b", 2))) == Rest(stage=STAGE)
    assert next_of(then(order, undone("b"))) == undoes("a")


def test_a_compensation_counts_its_attempts_from_one_however_often_the_step_was_tried() -> None:
    order = given(accepted(A, step("b")), failing("a"), RetryDue(expected=2, step="a"))
    order = then(order, succeeded("a", 2), failing("b"), command("cancel"))
    assert order.tries == 1
    fails = then(order, not_undone("a", 3, until=LATER)).progress[0]
    assert (fails.attempts, fails.failing_since) == (1, START + timedelta(hours=1))
    again = settled(then(order, not_undone("a", 3, until=LATER)), LATER)
    assert then(again, not_undone("a", 4, until=LATER)).progress[0].failing_since == (
        START + timedelta(hours=1)
    )


def test_a_compensation_that_fails_for_good_waits_for_a_person() -> None:
    order = then(cancelled_after(ALL, succeeded("a"), failing("b")), not_undone("a"))
    assert (order.state, next_of(order, now=LATER)) == (State.IN_DOUBT, Rest())
    assert [one.command for one in order.pending] == ["cancel-1"], "the cancellation is not over"


@pytest.mark.parametrize("kind", ["retry", "skip", "resolve"])
@pytest.mark.parametrize("state", [State.IN_DOUBT, State.FAILED])
def test_a_person_answers_a_failed_compensation(kind: str, state: State) -> None:
    last = failing("b") if state is State.IN_DOUBT else failed("b")
    order = then(settled(given(ALL, succeeded("a"), last)), command("cancel"), not_undone("a"))
    assert order.state is state
    order = then(order, command(kind))
    decision = next_of(order)
    assert isinstance(decision, Append)
    order = then(order, decision.fact)
    if kind == "retry":
        assert next_of(order) == undoes("a", 3)
        order = then(order, undone("a", 3))
    order = settled(order)
    assert (order.state, order.run, order.pending) == (State.CANCELLED, 1, ())


def test_while_a_step_is_undone_no_other_is_repeated() -> None:
    order = cancelled_after(
        accepted(A, optional("o"), step("b")), succeeded("a"), failing("o"), failing("b")
    )
    order = then(order, not_undone("a", until=LATER.replace(year=2030)))
    assert next_of(order, now=LATER) == Rest(due=LATER.replace(year=2030))
    order = then(given(accepted(A, step("b")), succeeded("a"), failing("b"), command("cancel")))
    assert next_of(then(order, not_undone("a")), now=LATER) == Rest()


def test_a_compensation_is_deferred_by_its_stage() -> None:
    order = then(cancelled_after(ALL, succeeded("a"), failing("b")), deferred("a", 2))
    assert (order.state, next_of(order)) == (State.WAITING, Rest(stage=STAGE))
    order = then(order, RetryDue(expected=order.sequence, step="a"))
    assert (next_of(order), order.tries) == (undoes("a", 3), 1)


def test_an_unknown_outcome_of_a_compensation_is_found_out_first() -> None:
    order = cancelled_after(ALL, succeeded("a"), failing("b"))
    order = settled(then(order, not_undone("a", until=LATER, unknown=True)), LATER)
    decision = next_of(order)
    assert isinstance(decision, RunStep)
    assert (decision.compensate, decision.doubt) == (True, True)


def test_a_compensation_has_generations_of_its_own() -> None:
    order = cancelled_after(ALL, succeeded("a"), failing("b"))
    failure = type(not_undone("a"))(
        step="a", attempt=2, failure=failed("a", call="close").failure, next_attempt_at=LATER
    )
    assert then(order, failure).generations == {"a:compensate/close": 1}


def test_results_of_doing_and_of_undoing_are_not_confused() -> None:
    order = cancelled_after(ALL, succeeded("a"), failing("b"))
    for wrong in (succeeded("a", 2), failed("a", 2), doubtful("a", 2), skipped("a", 2)):
        assert after(order, wrong) is order
    running = given(ALL)
    assert after(running, undone("a", 1), not_undone("a", 1)) is running


def test_an_announced_step_is_undone_announced() -> None:
    order = given(accepted(announced("a", compensate=True), step("b")), started("a", 1))
    order = then(order, succeeded("a"), failing("b"), command("cancel"))
    assert next_of(order) == Append(started("a", order.sequence, attempt=2), order)
    order = settled(order)
    assert next_of(order) == undoes("a")
    taken_over = next_of(order, "worker-2")
    assert isinstance(taken_over, RunStep)
    assert taken_over.recover


# Amend


def test_an_amendment_of_what_is_still_to_come_undoes_nothing() -> None:
    order = given(accepted(step("a", reads=("owner",)), step("b")), succeeded("a"), failing("b"))
    order = amended(order, step("a", reads=("owner",)), step("b", timeout_s=9.0))
    assert next_of(order) == Append(OrderAmended(expected=4, command="amend-1"), order)
    order = settled(order)
    assert (order.accepted.document, order.accepted.fingerprint) == ('{"amended": true}', b"g")
    assert (order.accepted.config_version, order.revised) == (2, True)
    assert (order.state, next_of(order)) == (State.WAITING, Rest(due=LATER))
    assert order.context == {"a": {"id": "a"}}


def test_an_amendment_undoes_and_repeats_what_it_affects() -> None:
    a, b = step("a", compensate=True, reads=("owner",)), step("b", compensate=True, reads=("n",))
    order = given(accepted(a, b, step("c")), succeeded("a"), succeeded("b"), failing("c"))
    order = amended(order, a, b, step("c"), changed=("n",))
    assert next_of(order) == undoes("b")
    order = then(order, undone("b"))
    assert next_of(order) == Append(
        OrderAmended(expected=6, command="amend-1", from_step="b"), order
    )
    order = settled(order)
    assert (order.open_step, order.position) == (b, 1)
    assert order.progress[1].attempts == 0
    order = then(order, succeeded("b", 3))
    assert (order.state, next_of(order)) == (State.WAITING, Rest(due=LATER)), "c waits as before"


def test_a_step_whose_entry_differs_is_affected_whatever_it_reads() -> None:
    a = step("a", compensate=True, reads=())
    order = given(accepted(a, step("b", reads=())), succeeded("a"), failing("b"))
    other = step("a", compensate=True, reads=(), timeout_s=9.0)
    assert next_of(amended(order, other, step("b", reads=()))) == undoes("a")
    assert next_of(amended(order, step("b", reads=()))) == undoes("a"), "it is left out"
    retried = step("a", compensate=False, reads=())
    kept = settled(amended(order, retried, step("b", reads=())))
    assert kept.state is State.WAITING, "how it is repeated or undone changes nothing of it"


def test_a_step_that_had_nothing_to_do_may_have_now() -> None:
    order = given(accepted(step("a", items=()), step("b")), skipped("a"), failing("b"))
    order = settled(amended(order, step("a"), step("b")))
    assert order.open_step == step("a")


def test_a_step_that_a_person_skipped_stays_skipped() -> None:
    order = settled(then(given(accepted(step("a"), step("b")), doubtful("a")), command("skip")))
    order = settled(amended(then(order, failing("b")), step("a"), step("b")))
    assert (order.progress[0].status, order.state) == (StepStatus.SKIPPED, State.WAITING)


def test_an_amendment_may_bring_steps_and_leave_some_out() -> None:
    a, n = step("a", reads=("owner",)), step("n", reads=("n",))
    order = given(accepted(a, step("b")), succeeded("a"), failing("b"))
    order = settled(amended(order, n, a, changed=("n",)))
    assert order.open_step == n
    order = settled(then(order, succeeded("n")))
    assert order.state is State.COMPLETED, "a was done before"


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ((succeeded("a"), succeeded("b"), failing("c")), "point_of_no_return"),
        ((succeeded("a"), doubtful("b")), "outcome_unknown"),
        ((succeeded("a"), failing("b", unknown=True)), "outcome_unknown"),
    ],
)
def test_there_is_a_point_of_no_return(facts: tuple[Fact, ...], code: str) -> None:
    order = given(accepted(A, step("b"), step("c"), post("p")), *facts)
    decision = next_of(amended(order, A, step("b"), step("c"), post("p")))
    assert isinstance(decision, Append)
    assert getattr(decision.fact, "code", None) == code


def test_an_amendment_is_made_from_the_order_as_it_is() -> None:
    order = given(accepted(A, step("b")), succeeded("a"), failing("b"))
    decision = next_of(amended(order, A, step("b"), base=b"older"))
    assert isinstance(decision, Append)
    assert getattr(decision.fact, "code", None) == "changed_meanwhile"


def test_a_compensation_for_an_amendment_goes_on_through_failures() -> None:
    order = given(accepted(A, step("b")), succeeded("a"), failing("b"))
    order = amended(order, A, step("b"))
    order = then(order, not_undone("a", until=LATER, unknown=True))
    assert next_of(order) == Rest(due=LATER), "it is not refused for a doubt about its own work"
    order = settled(order, LATER)
    order = settled(then(order, undone("a", 3)))
    assert (order.state, order.open_step) == (State.PROCESSING, A)


def test_a_step_behind_a_repeated_one_is_not_passed() -> None:
    a = step("a", compensate=True, reads=("n",))
    waiting = step("c", reads=())
    for last, state in ((failing("c"), State.WAITING), (doubtful("c"), State.IN_DOUBT)):
        order = given(accepted(a, waiting, step("d")), succeeded("a"), last)
        order = settled(then(amended(order, a, waiting, step("d"), changed=("n",)), undone("a")))
        assert order.open_step == a
        order = then(order, succeeded("a", 3))
        assert (order.state, order.position) == (state, 1)


def test_an_amended_order_that_comes_twice_contradicts_nothing() -> None:
    order = given(accepted(step("a"), step("b")), failing("a"))
    order = settled(amended(order, step("a"), step("b")))
    again = event(accepted(step("a"), step("b")))
    assert after(order, again.fact) is order
    assert not contradicts(order, again)


def test_another_body_contradicts_an_amended_order_too() -> None:
    order = given(accepted(step("a"), step("b")), failing("a"))
    order = settled(amended(order, step("a"), step("b")))
    other = replace(accepted(step("a"), step("b")), fingerprint=b"another")
    assert contradicts(order, event(other))
