"""What happens next to an order, given what happened to it."""

import pytest

from schemas.events import (
    Fact,
    MainPhaseCompleted,
    OrderCompleted,
    OrderFailed,
    StepSkipped,
)
from schemas.steps import OnUnknown, Phase, WaybillStep
from streams.core.decide import Append, Rest, RunStep
from streams.core.order import Order
from tests.facts import (
    ORDER,
    WORKER,
    accepted,
    after,
    announced,
    doubtful,
    failed,
    given,
    next_of,
    optional,
    post,
    reason,
    settled,
    skipped,
    started,
    step,
    succeeded,
    told,
)

ANNOUNCED = [way for way in OnUnknown if way is not OnUnknown.REPEAT]


def run(name: str, *, recover: bool = False) -> RunStep:
    return RunStep(ORDER, 1, name, 1, recover=recover)


def appended(order: Order) -> list[str]:
    """The kinds of facts that the core itself appends until the order waits for a step or ends."""
    return [type(fact).__name__ for fact, _ in told(order)]


def test_steps_run_in_the_order_of_the_waybill() -> None:
    order = given(accepted(step("a"), step("b"), post("p")))
    assert next_of(order) == run("a")
    order = after(order, succeeded("a"))
    assert next_of(order) == run("b")
    order = after(order, succeeded("b"))
    assert next_of(order) == Append(MainPhaseCompleted(expected=3), order)
    order = settled(order)
    assert next_of(order) == run("p")
    order = after(order, succeeded("p"))
    assert next_of(order) == Append(OrderCompleted(expected=5, completion="order complete"), order)
    assert next_of(settled(order)) == Rest()


def test_a_critical_failure_fails_the_order() -> None:
    order = given(accepted(step("a"), step("b")), succeeded("a"), failed("b", code="no_money"))
    end = OrderFailed(expected=3, step="b", plugin="the b plugin", failure=reason(code="no_money"))
    assert next_of(order) == Append(end, order)
    assert next_of(settled(order)) == Rest()


def test_no_later_step_runs_after_a_critical_failure_not_even_in_the_post_phase() -> None:
    order = given(accepted(step("a"), step("b"), post("p")), failed("a"))
    assert appended(order) == ["OrderFailed"]


@pytest.mark.parametrize("result", [failed("a"), doubtful("a"), skipped("a"), succeeded("a")])
def test_a_non_critical_step_lets_the_order_go_on_however_it_ends(result: Fact) -> None:
    order = given(accepted(optional("a"), step("b")), result)
    assert next_of(order) == run("b")


def test_a_critical_doubt_rests_for_a_person() -> None:
    order = given(accepted(announced("a"), step("b")), started("a", 1), doubtful("a"))
    assert next_of(order) == next_of(order, "worker-2") == Rest()


@pytest.mark.parametrize("result", [failed("p"), doubtful("p"), skipped("p")])
def test_a_post_step_never_fails_an_order(result: Fact) -> None:
    order = after(settled(given(accepted(step("a"), post("p")), succeeded("a"))), result)
    assert appended(order) == ["OrderCompleted"]


def test_a_step_without_items_is_skipped_unsent_and_unannounced() -> None:
    order = given(accepted(announced("a", items=())))
    skip = StepSkipped(step="a", attempt=1, reason="no items for it")
    assert next_of(order) == Append(skip, order)
    assert appended(order) == ["StepSkipped", "MainPhaseCompleted", "OrderCompleted"]


def test_a_step_with_some_items_or_all_of_them_runs() -> None:
    for items in ((0,), (1, 2), None):
        assert next_of(given(accepted(step("a", items=items)))) == run("a")


def test_a_step_that_may_be_repeated_is_not_announced() -> None:
    order = given(accepted(step("a", on_unknown=OnUnknown.REPEAT)))
    assert next_of(order) == next_of(order, "worker-2") == run("a")


@pytest.mark.parametrize("way", ANNOUNCED)
@pytest.mark.parametrize("critical", [True, False])
@pytest.mark.parametrize("phase", Phase)
def test_every_other_step_is_announced_before_it_is_sent(
    way: OnUnknown, phase: Phase, *, critical: bool
) -> None:
    waybill = accepted(step("a", on_unknown=way, critical=critical, phase=phase))
    order = given(waybill)
    if phase is Phase.POST:
        order = after(order, MainPhaseCompleted(expected=1))
    assert next_of(order) == Append(started("a", order.sequence), order)


def test_who_announced_a_step_sends_it() -> None:
    order = given(accepted(announced("a")), started("a", 1, WORKER))
    assert next_of(order) == run("a")


def test_who_takes_over_an_announced_step_recovers_it() -> None:
    order = given(accepted(announced("a")), started("a", 1, WORKER))
    assert next_of(order, "worker-2") == run("a", recover=True)


def test_who_takes_over_before_the_announcement_just_announces() -> None:
    order = given(accepted(announced("a")))
    assert next_of(order, "worker-2") == Append(started("a", 1, "worker-2"), order)


def test_recovering_ends_with_the_step() -> None:
    order = given(accepted(announced("a"), step("b")), started("a", 1), succeeded("a"))
    assert next_of(order, "worker-2") == run("b")


def test_the_main_phase_is_completed_exactly_once() -> None:
    waybill = accepted(step("a"), post("p"), post("q"))
    order = given(waybill, succeeded("a"))
    kinds = appended(order)
    order = after(settled(order), succeeded("p"))
    kinds += appended(order)
    kinds += appended(after(settled(order), succeeded("q")))
    assert kinds == ["MainPhaseCompleted", "OrderCompleted"]


@pytest.mark.parametrize("waybill", [(), (post("p"),)], ids=["empty", "post only"])
def test_a_waybill_without_main_steps_completes_its_main_phase_at_once(
    waybill: tuple[WaybillStep, ...],
) -> None:
    order = given(accepted(*waybill))
    assert next_of(order) == Append(MainPhaseCompleted(expected=1), order)


@pytest.mark.parametrize(
    ("order_type", "words"),
    [
        ("new", "order complete"),
        ("cancel_subscription", "change complete"),
        ("renew", "change complete"),
        ("a type of the tenant", "change complete"),
    ],
)
def test_the_completion_is_in_the_words_of_its_order_type(order_type: str, words: str) -> None:
    order = given(
        accepted(step("a"), order_type=order_type), succeeded("a"), MainPhaseCompleted(expected=2)
    )
    assert next_of(order) == Append(OrderCompleted(expected=3, completion=words), order)


@pytest.mark.parametrize("result", [succeeded("a"), failed("a")])
def test_an_ended_order_rests_whoever_asks(result: Fact) -> None:
    order = settled(given(accepted(step("a")), result))
    assert {next_of(order, worker) for worker in ("", WORKER, "worker-2")} == {Rest()}


def test_an_order_moves_until_it_rests() -> None:
    order = given(accepted(announced("a"), post("p")))
    moves = [order, after(order, started("a", 1)), after(order, succeeded("a"))]
    assert not any(isinstance(next_of(one), Rest) for one in moves)


def test_an_attempt_is_named_by_order_run_step_and_attempt() -> None:
    assert RunStep("o", 2, "s", 3, recover=True).attempt_id == ("o", 2, "s", 3)
