"""A repeat that is put off because a person wants the order to stop is not forgotten."""

from schemas.events import MainPhaseCompleted, OrderCompleted, RetryDue
from streams.core.decide import Append
from streams.core.order import Order, StepStatus
from tests.facts import (
    LATER,
    accepted,
    deferred,
    failing,
    given,
    next_of,
    optional,
    settled,
    step,
    succeeded,
    then,
)


def put_off() -> Order:
    order = settled(given(accepted(optional("o"), step("b")), failing("o"), succeeded("b")))
    assert order.main_completed
    due = next_of(order, now=LATER)
    assert isinstance(due, Append)
    assert isinstance(due.fact, RetryDue)
    return then(order, due.fact, deferred("o", 2, stage=None))


def test_the_order_does_not_end_without_it() -> None:
    order = put_off()
    assert order.progress[0].status is StepStatus.WAITING
    decision = next_of(order, now=LATER)
    assert isinstance(decision, Append)
    assert not isinstance(decision.fact, OrderCompleted | MainPhaseCompleted)
    assert decision.fact == RetryDue(expected=order.sequence, step="o")
