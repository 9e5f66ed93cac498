"""What an operator is told before a command is sent is what the worker then does."""

import pytest

from projections.consequences import Consequences, consequences, steps_meant
from projections.possible import possible_commands
from schemas.commands import CommandKind
from schemas.events import OrderQueued
from schemas.steps import OnUnknown
from streams.core.order import Order
from tests.facts import (
    LATER,
    START,
    accepted,
    command,
    doubtful,
    failed,
    failing,
    given,
    revision,
    settled,
    step,
    succeeded,
)
from tests.unit.core.states import STATES, WAYBILL, asked

CELLS = [(state, kind) for state in STATES for kind in CommandKind]


def told(order: Order, kind: str, name: str | None = None, **more: object) -> Consequences:
    return consequences(order, command(kind, name, **more), [order], START)


@pytest.mark.parametrize(("state", "kind"), CELLS)
def test_every_command_in_every_state_is_told_of(state: str, kind: CommandKind) -> None:
    order = STATES[state]
    found = consequences(order, asked(kind), [order], START)
    assert all(sentence.endswith(".") for sentence in found.sentences)
    assert (found.refused is None) == bool(found.sentences)
    if not order.pending and kind is not CommandKind.AMEND:  # that depends on what it changes
        assert (found.refused is None) == (kind.value in possible_commands(order))


def test_a_retry_of_a_failed_order_opens_its_next_run() -> None:
    assert told(STATES["failed"], "retry").sentences == (
        "Run 2 begins with step b; what succeeded before keeps its results.",
        "Step b runs: the b plugin is called.",
        "If it succeeds, the order goes on with o, p.",
    )


def test_a_retry_says_when_it_would_have_happened_by_itself() -> None:
    first, *_ = told(STATES["waiting"], "retry").sentences
    assert first == (
        "Step b is tried again now instead of at 2026-01-02 00:00:00Z; its attempts are counted"
        " anew."
    )


@pytest.mark.parametrize(
    ("on_unknown", "word"), [(OnUnknown.REPEAT, "same keys"), (OnUnknown.LOOK_UP, "looked up")]
)
def test_an_unknown_outcome_is_never_repeated_unsaid(on_unknown: OnUnknown, word: str) -> None:
    order = given(accepted(step("a", on_unknown=on_unknown)), doubtful("a"))
    assert word in " ".join(told(order, "retry").sentences)


def test_a_cancellation_says_what_is_undone_and_what_stands() -> None:
    first, *rest = told(STATES["failed"], "cancel").sentences
    assert first.startswith("Step a is undone: the a plugin is called for that.")
    assert tuple(rest) == (
        "The order ends as cancelled, for good: it cannot be opened again.",
        "Nothing that its steps did is left with the partners.",
        "Not sent any more: o, p.",
    )
    stands = settled(given(accepted(step("a"), step("b")), succeeded("a"), failed("b")))
    assert "What these steps did stays with the partners: a." in told(stands, "cancel").sentences


def test_a_cancellation_in_doubt_promises_nothing() -> None:
    said = told(given(accepted(step("a")), doubtful("a")), "cancel").sentences
    assert "Nobody knows what became of a: look at the partner." in said
    assert not any("Nothing that its steps did" in sentence for sentence in said)


def test_what_waits_for_an_attempt_under_way_says_so() -> None:
    first, second = told(STATES["running"], "pause").sentences
    assert "under way ends first" in first
    assert second.startswith("Nothing more is sent")


def test_what_is_rejected_once_the_attempt_is_over_is_told_so() -> None:
    _, then = told(STATES["running"], "skip", "a").sentences
    assert then == "Then it is rejected, and the order stays as it is: the step is succeeded."


def test_a_skip_and_a_resolution_say_what_later_steps_get() -> None:
    assert "later steps get nothing" in " ".join(told(STATES["failed"], "skip").sentences)
    resolved = told(STATES["in doubt"], "resolve", output={}).sentences
    assert "Later steps read the output that you give as context.b." in resolved


def test_force_completing_names_what_is_never_sent() -> None:
    found = told(STATES["failed"], "force_complete").sentences
    assert "Skipped without being sent: b, o." in found
    assert "Step p runs: the p plugin is called." in found


def test_a_refusal_says_why() -> None:
    assert told(STATES["cancelled"], "retry").refused == "the order is cancelled"
    assert told(STATES["running"], "release").refused == "the order is not queued"


def test_an_amendment_says_what_changes_and_what_is_done_again() -> None:
    changed = (step("a", compensate=True, timeout_s=9.0), *WAYBILL[1:], step("new"))
    found = told(STATES["waiting"], "amend", revision=revision(*changed, changed=("quantity",)))
    assert found.refused is None
    assert "Changed: quantity." in found.sentences
    assert "Steps that come: new." in found.sentences
    assert "Done again: a." in found.sentences
    assert "It runs under configuration 2, not 1." in found.sentences


def test_a_release_lets_the_order_pass_the_one_before_it() -> None:
    first = given(accepted(step("a")), failing("a", until=LATER), order="order-0", offset=1)
    second = given(accepted(step("a")), OrderQueued(expected=1, behind="order-0"))
    found = consequences(second, command("release"), [first, second], START)
    assert found.sentences == (
        "Order order-0 lets it pass, and waits behind it.",
        "It leaves its queue.",
        "Step a runs: the a plugin is called.",
    )


def test_a_reopened_order_queues_behind_those_before_it() -> None:
    other = given(accepted(step("a")), failing("a"), order="order-2", offset=50)
    found = consequences(STATES["failed"], command("retry"), [other], START)
    assert "It queues behind order-2, which is before it in its lane." in found.sentences


def test_the_steps_that_may_be_meant() -> None:
    assert steps_meant(STATES["failed"], CommandKind.SKIP) == ["b", "o", "p"]
    assert steps_meant(STATES["failed"], CommandKind.PAUSE) == []
