"""Who sees an order that has ended still before another one must not stop what was announced."""

from schemas.events import OrderQueued
from streams.core.decide import RunStep, Surroundings, decide
from tests.facts import START, WORKER, accepted, after, announced, given, started, step, succeeded


def test_an_announced_attempt_is_not_queued() -> None:
    first = given(accepted(step("a")), succeeded("a"), order="order-0", offset=5)
    order = given(accepted(announced("a")), started("a", 1))
    late = OrderQueued(expected=order.sequence, behind=first.id)
    assert after(order, late) is order
    decision = decide(order, Surroundings(WORKER, START, (first, order)))
    assert isinstance(decision, RunStep)


def test_one_that_was_not_announced_is() -> None:
    order = given(accepted(announced("a")))
    assert after(order, OrderQueued(expected=1, behind="order-0")).behind == "order-0"
