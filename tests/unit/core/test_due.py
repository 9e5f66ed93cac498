"""A decision that fits by its number alone changes nothing: the fold asks whether it is due."""

from dataclasses import replace

import pytest

from schemas.events import (
    Decided,
    Fact,
    MainPhaseCompleted,
    OrderAmended,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderPaused,
    OrderReopened,
    OrderResumed,
    RetryDue,
    StepResolved,
)
from streams.core.order import Order, State
from tests.facts import (
    LATER,
    accepted,
    after,
    command,
    deferred,
    failing,
    given,
    not_undone,
    optional,
    reason,
    revision,
    settled,
    step,
    succeeded,
    then,
)
from tests.unit.core.states import STATES


def changes(order: Order, fact: Decided) -> bool:
    """Whether it applies, decided on the order as it stands."""
    return after(order, replace(fact, expected=order.sequence)) is not order


def cancelling(*facts: Fact) -> Order:
    return then(given(*facts), command("cancel"))


@pytest.mark.parametrize("state", ["in doubt", "completed but o", "failed", "running"])
@pytest.mark.parametrize("name", ["a", "b", "o", "p"])
def test_no_step_is_repeated_that_neither_waits_nor_is_asked_for(state: str, name: str) -> None:
    assert not changes(STATES[state], RetryDue(expected=0, step=name))


def test_a_failed_order_repeats_nothing_before_it_is_reopened() -> None:
    order = then(STATES["failed"], command("retry"))
    assert not changes(order, RetryDue(expected=0, command="retry-1", step="b"))
    assert changes(order, OrderReopened(expected=0, command="retry-1", step="b"))


def test_a_step_that_is_done_is_not_repeated_for_a_command() -> None:
    order = then(STATES["waiting"], command("retry"))
    assert not changes(order, RetryDue(expected=0, command="retry-1", step="a"))
    assert not changes(order, RetryDue(expected=0, command="retry-1", step="unheard of"))
    assert changes(order, RetryDue(expected=0, command="retry-1", step="b"))


def test_a_step_that_is_done_is_not_settled_for_a_command() -> None:
    order = then(STATES["waiting"], command("skip"))
    assert not changes(order, StepResolved(expected=0, command="skip-1", step="a"))
    assert changes(order, StepResolved(expected=0, command="skip-1", step="b"))


def test_a_cancellation_says_what_stands() -> None:
    order = cancelling(accepted(step("a"), step("b")), succeeded("a"), failing("b"))
    assert not changes(order, OrderCancelled(expected=0, command="cancel-1"))
    assert not changes(order, OrderCancelled(expected=0, command="cancel-1", standing=("a", "b")))
    assert changes(order, OrderCancelled(expected=0, command="cancel-1", standing=("a",)))


def test_nothing_is_cancelled_or_amended_while_something_is_left_to_undo() -> None:
    facts = accepted(step("a", compensate=True), step("b")), succeeded("a"), failing("b")
    cancel = OrderCancelled(expected=0, command="cancel-1", standing=("a",))
    assert not changes(cancelling(*facts), cancel)
    assert not changes(then(cancelling(*facts), not_undone("a")), replace(cancel, standing=()))
    amend = command("amend", revision=revision(step("a", compensate=True), step("b")))
    amended = OrderAmended(expected=0, command="amend-1", from_step="a")
    assert not changes(then(given(*facts), amend), amended)
    assert not changes(then(given(*facts), amend, not_undone("a", until=LATER)), amended)


def test_an_amendment_that_is_to_be_refused_does_not_apply() -> None:
    order = given(accepted(step("a"), step("b")), succeeded("a"), failing("b"))
    amend = command("amend", revision=revision(step("a"), step("b")))
    assert not changes(then(order, amend), OrderAmended(expected=0, command="amend-1"))


def test_a_command_is_not_answered_before_those_that_came_before_it() -> None:
    order = then(STATES["waiting"], command("retry"), command("cancel"))
    assert not changes(order, OrderCancelled(expected=0, command="cancel-1", standing=("a",)))


def test_a_failed_order_is_not_reopened_while_a_step_is_undone() -> None:
    order = then(STATES["failed"], command("cancel"))
    retry = OrderReopened(expected=0, command="retry-1", step="b")
    assert not changes(then(order, command("retry")), retry)
    assert not changes(then(order, not_undone("a"), command("retry")), retry)


def test_a_run_ends_with_the_step_that_failed() -> None:
    order = given(accepted(step("a"), step("b")), succeeded("a"))
    assert not changes(order, OrderFailed(expected=0, step="b", plugin="p", failure=reason()))


def test_no_phase_ends_while_an_attempt_is_open() -> None:
    order = then(given(accepted(step("a"))), command("force_complete"))
    assert not changes(order, MainPhaseCompleted(expected=0, command="force_complete-1"))
    post = then(STATES["post phase"], command("force_complete"))
    forced = OrderCompleted(expected=0, command="force_complete-1", completion="x")
    assert not changes(post, forced)


def test_an_order_is_paused_when_nothing_is_open_and_resumed_when_it_is_paused() -> None:
    order = then(STATES["running"], command("pause"))
    assert not changes(order, OrderPaused(expected=0, command="pause-1"))
    order = then(STATES["waiting"], command("resume"))
    assert not changes(order, OrderResumed(expected=0, command="resume-1"))


# What an order is called while it stands so


def test_an_order_that_is_through_but_for_repeats_is_processing_until_its_phase_ends() -> None:
    order = given(accepted(optional("a"), step("b")), failing("a"), succeeded("b"))
    assert order.state is State.PROCESSING
    assert settled(order).state is State.WAITING


def test_an_order_whose_compensation_waits_is_waiting() -> None:
    order = cancelling(accepted(step("a", compensate=True), step("b")), succeeded("a"))
    order = then(order, deferred("b", stage=None))
    assert order.compensating
    assert then(order, not_undone("a", until=LATER)).state is State.WAITING
    assert then(order, not_undone("a")).state is State.IN_DOUBT
