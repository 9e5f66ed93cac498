"""What an operator reads at three in the morning: why an order stands, and what happens next."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from projections.attention import causes
from projections.possible import possible_commands
from projections.process_events import Entry
from projections.shapes import order_shape
from projections.standing import Pause, next_action
from projections.timeline_shape import timeline_entry
from projections.wording import WORDS, line_of
from schemas.events import (
    CommandReceived,
    CompensationFailed,
    OrderPaused,
    OrderQueued,
    StepDeferred,
    StepFailed,
)
from schemas.steps import ErrorKind
from streams.core.order import Order, State
from tests.facts import (
    START,
    accepted,
    announced,
    command,
    doubtful,
    event,
    failed,
    given,
    optional,
    post,
    reason,
    settled,
    step,
    succeeded,
    then,
)
from tests.full_histories import FACTS, applied, full_history

DUE = START + timedelta(minutes=5)
STAGE = "zuora@api.example"
LIMITED = reason(kind=ErrorKind.RATE_LIMITED, code="rate_limited")


def again(name: str, attempt: int = 1, **more: Any) -> StepFailed:
    return StepFailed(step=name, attempt=attempt, failure=LIMITED, next_attempt_at=DUE, **more)


def deferred(name: str) -> StepDeferred:
    return StepDeferred(step=name, attempt=1, reason="breaker", stage=STAGE, until=DUE)


def queued(order: Order) -> Order:
    return then(order, OrderQueued(expected=order.sequence, behind="order-0"))


def paused(order: Order) -> Order:
    asked = then(order, deferred("zuora"), command("pause"))
    return then(asked, OrderPaused(expected=asked.sequence, command="pause-1"))


ZUORA = given(accepted(step("zuora"), step("crm")))
UNDOING = settled(
    then(
        given(accepted(step("zuora", compensate=True), step("crm")), succeeded("zuora")),
        failed("crm"),
    )
)
UNDONE = then(
    then(UNDOING, command("cancel")), CompensationFailed(step="zuora", attempt=2, failure=LIMITED)
)


@pytest.mark.parametrize(
    ("order", "state", "action"),
    [
        (ZUORA, "accepted", "runs step zuora"),
        (
            then(ZUORA, again("zuora")),
            "waiting",
            "waits: try 2 of zuora at 2026-01-01 00:05:00Z after rate_limited (rate_limited)",
        ),
        (
            then(ZUORA, again("zuora", unknown=True)),
            "waiting",
            "waits: try 2 of zuora at 2026-01-01 00:05:00Z after unknown outcome (rate_limited)",
        ),
        (
            then(ZUORA, deferred("zuora")),
            "waiting",
            f"held: stage {STAGE} takes no more now, expected 2026-01-01 00:05:00Z; step zuora",
        ),
        (queued(ZUORA), "queued", "queued behind order-0"),
        (paused(ZUORA), "paused", "paused; goes on with resume"),
        (then(ZUORA, command("cancel")), "accepted", "runs step zuora"),
        (then(ZUORA, deferred("zuora"), command("cancel")), "waiting", "decides on cancel"),
        (settled(then(ZUORA, failed("zuora"))), "failed", "needs a person: step zuora failed"),
        (
            then(given(accepted(announced("shop"))), doubtful("shop")),
            "in_doubt",
            "needs a person: step shop has an unknown outcome",
        ),
        (then(UNDOING, command("cancel")), "failed", "undoes step zuora"),
        (UNDONE, "failed", "needs a person: step zuora could not be undone (rate_limited)"),
        (
            then(
                then(UNDOING, command("cancel")),
                CompensationFailed(step="zuora", attempt=2, failure=LIMITED, next_attempt_at=DUE),
            ),
            "failed",
            "waits: try 2 of undoing zuora at 2026-01-01 00:05:00Z after rate_limited",
        ),
        (
            settled(given(accepted(optional("mail")), again("mail"))),
            "waiting",
            "waits: try 2 of mail at 2026-01-01 00:05:00Z",
        ),
    ],
)
def test_every_order_says_why_it_stands_and_what_comes_next(
    order: Order, state: str, action: str
) -> None:
    assert order.state.value == state
    assert next_action(order).startswith(action)


def test_who_paused_an_order_and_why_is_told_where_it_is_known() -> None:
    shown = order_shape(paused(ZUORA), Pause("alice", "the price is wrong"))
    assert shown["next_action"] == "paused by alice: the price is wrong; goes on with resume"
    assert shown["status"] == "paused"


def test_steps_show_the_attempt_that_comes_next_and_what_it_waits_for() -> None:
    waiting = order_shape(then(ZUORA, again("zuora")))["steps"][0]
    assert waiting["status"] == "waiting"
    assert (waiting["attempts"], waiting["attempt"]) == (1, 2)
    assert waiting["next_attempt"] == DUE.isoformat()
    assert waiting["error"]["code"] == "rate_limited"
    held = order_shape(then(ZUORA, deferred("zuora")))["steps"][0]
    assert (held["attempts"], held["deferred_by"]) == (0, STAGE)


def test_an_order_shows_what_it_is_behind_and_what_was_asked_of_it() -> None:
    shown = order_shape(then(queued(ZUORA), command("cancel", None)))
    assert shown["queued_behind"] == "order-0"
    assert shown["pending_commands"] == [{"id": "cancel-1", "kind": "cancel", "step": None}]


def test_a_waiting_order_is_nobodys_business_yet_and_shows_no_error_of_its_own() -> None:
    order = then(ZUORA, again("zuora"))
    assert order_shape(order)["error"] is None
    assert causes(order) == ()


def test_a_step_that_could_not_be_undone_needs_a_person() -> None:
    assert {(cause.step, cause.kind) for cause in causes(UNDONE)} == {
        ("zuora", "compensation_failed"),
        ("crm", "failed"),
    }


def test_a_step_behind_the_main_phase_needs_a_person_only_after_its_last_attempt() -> None:
    order = settled(given(accepted(post("mail"))))
    assert causes(then(order, again("mail"))) == ()
    [cause] = causes(then(order, failed("mail")))
    assert (cause.step, cause.kind, cause.code) == ("mail", "post_failed", "declined")


@pytest.mark.parametrize(
    ("order", "commands"),
    [
        (then(ZUORA, again("zuora")), {"retry", "skip", "resolve", "pause", "cancel", "amend"}),
        (queued(ZUORA), {"release", "pause", "cancel", "amend"}),
        (settled(then(ZUORA, failed("zuora"))), {"retry", "skip", "resolve", "cancel"}),
        (then(ZUORA, deferred("zuora"), command("cancel")), set()),
        (UNDONE, {"retry", "skip", "resolve"}),
        (settled(given(accepted())), set()),
    ],
)
def test_the_commands_that_make_sense_are_those_that_the_core_would_take(
    order: Order, commands: set[str]
) -> None:
    possible = set(possible_commands(order))
    assert commands <= possible
    assert bool(commands) == bool(possible)


def test_every_fact_has_its_line_and_can_be_shown() -> None:
    assert set(WORDS) == FACTS - {CommandReceived}
    levels: dict[str, str] = {}
    for told, _, after in applied(full_history()):
        level, message = line_of(told)
        levels[type(told.fact).__name__] = level
        assert message
        assert next_action(after)
        entry = timeline_entry(Entry(0, 0, told), after.sequence)
        assert "ciphertext" not in orjson.dumps(entry).decode()
    assert {name for name, level in levels.items() if level == "operator"} == {
        "CommandReceived",
        "CommandRejected",
    }


def test_a_command_is_logged_with_who_asked_and_why_and_with_its_answer() -> None:
    asked = line_of(event(command("retry", "zuora")))
    assert asked == ("operator", "tests asks to retry step zuora: as asked (retry-1)")
    answer = OrderPaused(expected=4, command="pause-1")
    assert line_of(event(answer)) == ("info", "paused, as asked by pause-1")


def test_every_resting_state_says_something_else_than_none() -> None:
    quiet = {State.COMPLETED, State.CANCELLED}
    for _, _, order in applied(full_history()):
        assert (next_action(order) == "none") <= (order.state in quiet)
