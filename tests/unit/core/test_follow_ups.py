"""What a step that succeeded leaves for a person, until the person brings the result."""

from typing import Any

import pytest

from projections.attention import Cause, causes
from projections.possible import possible_commands
from projections.standing import next_action
from schemas.events import MainPhaseCompleted, OrderCompleted, StepResolved
from schemas.steps import Sealed
from streams.core.order import Order, State
from streams.core.snapshot import restored, state_bytes
from tests.facts import (
    accepted,
    after,
    command,
    failed,
    given,
    next_of,
    not_undone,
    settled,
    step,
    succeeded,
    then,
    undone,
)
from tests.unit.core.states import answer

LEFT = {"code": "refund_not_possible", "message": "pay the memo CM-1 back by hand"}
OUTPUT = {"creditMemoNumber": "CM-1", "refund": "not_possible", "follow_up": LEFT}
PART = Sealed(paths=("/x",), key_id="k", subject="s", nonce=b"n", ciphertext=b"c")
WAYBILL = (step("zuora", compensate=True), step("crm"))


def left(*waybill: Any, **more: Any) -> Order:
    """An order whose first step has left something to do."""
    return given(accepted(*(waybill or WAYBILL)), succeeded("zuora", output=OUTPUT, **more))


def completed() -> Order:
    order = settled(then(left(), succeeded("crm")))
    assert order.state is State.COMPLETED
    return order


def resolved(order: Order, name: str | None = "zuora", **more: Any) -> Order:
    """The order once the command is answered as it is asked."""
    asked = then(order, command("resolve", name, **{"output": {}, **more}))
    return then(asked, StepResolved(expected=asked.sequence, command="resolve-1", step="zuora"))


def test_a_follow_up_needs_a_person_until_its_result_is_there() -> None:
    order = completed()
    assert causes(order) == (
        Cause("zuora", "the zuora plugin", "follow_up", "refund_not_possible"),
    )
    assert next_action(order) == (
        "needs a person: step zuora left something to do (refund_not_possible); resolve"
    )
    order = resolved(order, output={"refund": "external", "refundNumber": "R-9"})
    assert causes(order) == ()
    assert next_action(order) == "none"
    assert order.context["zuora"] == {
        "creditMemoNumber": "CM-1",
        "refund": "external",
        "refundNumber": "R-9",
    }
    assert (order.state, order.pending) == (State.COMPLETED, ())


def test_the_answer_is_to_resolve_the_step_whatever_became_of_the_order() -> None:
    failing = settled(then(left(), failed("crm")))
    cancelled = settled(then(left(step("zuora"), step("crm")), failed("crm"), command("cancel")))
    assert (failing.state, cancelled.state) == (State.FAILED, State.CANCELLED)
    for order in (left(), completed(), failing, cancelled):
        assert answer(order, command("resolve", "zuora", output={})) == "StepResolved:zuora"
        assert "follow_up" in {cause.kind for cause in causes(order)}
        assert resolved(order).state is order.state
        assert resolved(order).position == order.position
        assert resolved(order).run == order.run


def test_where_no_step_is_named_it_is_the_one_that_stops_the_order() -> None:
    failing = settled(then(left(), failed("crm")))
    assert answer(failing, command("resolve", output={})) == "OrderReopened:crm"
    assert answer(completed(), command("resolve", output={})) == "StepResolved:zuora"
    two = given(
        accepted(*WAYBILL), succeeded("zuora", output=OUTPUT), succeeded("crm", output=OUTPUT)
    )
    assert answer(settled(two), command("resolve", output={})) == "[no_such_step]"
    assert answer(settled(two), command("resolve", "crm", output={})) == "StepResolved:crm"


@pytest.mark.parametrize("kind", ["skip", "retry"])
def test_nothing_but_a_result_takes_it_away(kind: str) -> None:
    assert answer(completed(), command(kind, "zuora")).startswith("[")


def test_a_step_that_left_nothing_is_not_resolved_again() -> None:
    order = completed()
    assert answer(order, command("resolve", "crm", output={})) == "[already_done]"
    again = resolved(order)
    asked = command("resolve", "zuora", command="again", output={})
    assert answer(again, asked) == "[already_done]"
    stale = StepResolved(expected=order.sequence + 1, command="resolve-1", step="crm")
    waits = then(order, command("resolve", "crm", output={}))
    assert after(waits, stale) is waits


def test_a_result_may_say_that_something_is_left_still() -> None:
    still = {"code": "refund_pending", "message": "the bank has it"}
    order = resolved(completed(), output={"follow_up": still})
    assert [cause.code for cause in causes(order)] == ["refund_pending"]


def test_sealed_parts_of_the_step_stay_and_those_of_the_result_come_with_them() -> None:
    order = then(left(sealed=(PART,)), succeeded("crm"))
    assert resolved(order).sealed["zuora"] == (PART,)
    assert resolved(order, sealed=(PART,)).sealed["zuora"] == (PART, PART)


def test_a_step_that_is_undone_leaves_nothing() -> None:
    order = then(settled(then(left(), failed("crm"))), command("cancel"))
    assert answer(order, command("resolve", "zuora", output={})) == "later"
    assert causes(settled(then(order, undone("zuora")))) == ()
    stuck = then(order, not_undone("zuora"))
    assert [cause.kind for cause in causes(stuck)] == ["compensation_failed", "failed"]
    assert settled(resolved(stuck)).state is State.CANCELLED


@pytest.mark.parametrize("output", [{"follow_up": None}, {"follow_up": "x"}, {"follow_up": []}, {}])
def test_what_is_no_follow_up_counts_as_none(output: dict[str, Any]) -> None:
    order = given(accepted(step("zuora")), succeeded("zuora", output=output))
    assert causes(settled(order)) == ()


def test_it_is_offered_as_a_command_and_outlives_the_store() -> None:
    order = completed()
    assert "resolve" in possible_commands(order)
    assert "resolve" not in possible_commands(resolved(order))
    again = restored(state_bytes(order), order.accepted)
    assert causes(again) == causes(order)


def test_the_order_goes_on_in_spite_of_it() -> None:
    order = left()
    assert next_action(order) == "runs step crm"
    order = then(order, succeeded("crm"))
    facts = [MainPhaseCompleted(expected=3), OrderCompleted(expected=4, completion="x")]
    assert then(order, *facts).state is State.COMPLETED
    assert next_of(completed()) == next_of(resolved(completed()))
