"""Whether an order is where such a decision is made.

The sequence alone does not tell: decisions may be written together with the result that they
follow from, and another result may have been first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.events import (
    CommandRejected,
    Decision,
    MainPhaseCompleted,
    OrderAmended,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderPaused,
    OrderQueued,
    OrderReleased,
    OrderReopened,
    OrderResumed,
    RetryDue,
    StepResolved,
    StepResult,
    StepStarted,
)
from streams.core.follow_ups import finished_by
from streams.core.lanes import is_at_rest
from streams.core.order import DONE, ENDED, FINAL, REPEATABLE, WAITS, Order, State, StepStatus
from streams.core.undoing import amend_refusal, must_wait, standing, undoing
from streams.core.wakes import waiting

_ANSWERS = (
    CommandRejected,
    StepResolved,
    OrderPaused,
    OrderResumed,
    OrderAmended,
    OrderReopened,
    OrderCancelled,
)
"""Decisions that are nothing but the answer to a command."""
_UNDOING = frozenset({StepStatus.COMPENSATING, StepStatus.COMPENSATION_FAILED})


def is_due(order: Order, run: int, fact: Decision) -> bool:
    """Whether the decision fits the order, its sequence aside."""
    if fact.command is None:
        answers = isinstance(fact, _ANSWERS)
    else:
        answers = order.command(fact.command) is None
    if answers:
        return False
    if isinstance(fact, StepStarted):
        return order.started_by is None and is_open(order, run, fact)
    return _RULES[type(fact)](order, fact)


def is_open(order: Order, run: int, fact: StepResult | StepStarted) -> bool:
    """Whether it is about the open attempt."""
    step = order.open_step
    return step is not None and (run, fact.step, fact.attempt) == (
        order.run,
        step.id,
        order.opened.attempt,
    )


def _main_completed(order: Order, fact: MainPhaseCompleted) -> bool:
    return not order.main_completed and _is_idle(order) and (_is_done(order) or _is_forced(fact))


def _completed(order: Order, fact: OrderCompleted) -> bool:
    done = _is_done(order) and not waiting(order)
    return order.main_completed and _is_idle(order) and (done or _is_forced(fact))


def _failed(order: Order, fact: OrderFailed) -> bool:
    return order.failure is not None and _is_idle(order) and fact.step == order.failed_step


def _repeated(order: Order, fact: RetryDue) -> bool:
    index = order.index_of(fact.step)
    if index is None or order.open_at is not None:
        return False
    status = order.progress[index].status
    if order.state in {State.FAILED, State.CANCELLED} and status not in _UNDOING:
        return False
    return status in (REPEATABLE if _is_forced(fact) else WAITS)


def _resolved(order: Order, fact: StepResolved) -> bool:
    index = order.index_of(fact.step)
    if index is None or order.open_at == index:
        return False
    if index == finished_by(order, order.command(fact.command)):
        return True
    if order.state is State.CANCELLED:
        return False
    return order.progress[index].status not in {*DONE, StepStatus.COMPENSATED}


def _queued(order: Order, fact: OrderQueued) -> bool:
    if fact.passed_by is not None:
        return is_at_rest(order)
    # An announced attempt may have been sent: whoever sees an order before it is behind the log.
    return order.state not in ENDED and order.behind != fact.behind and order.started_by is None


def _reopened(order: Order, fact: OrderReopened) -> bool:
    known = order.index_of(fact.step) is not None
    return (
        order.state is State.FAILED and known and order.open_at is None and undoing(order) is None
    )


def _cancelled(order: Order, fact: OrderCancelled) -> bool:
    if order.state in FINAL or order.main_completed or not _is_next(order, fact):
        return False
    return not must_wait(order) and fact.standing == standing(order)


def _amended(order: Order, fact: OrderAmended) -> bool:
    if not _is_next(order, fact) or must_wait(order):
        return False
    return amend_refusal(order, order.pending[0]) is None


def _is_next(order: Order, fact: OrderCancelled | OrderAmended) -> bool:
    return bool(order.pending) and order.pending[0].command == fact.command


def _is_forced(fact: MainPhaseCompleted | OrderCompleted | RetryDue) -> bool:
    return fact.command is not None


def _is_idle(order: Order) -> bool:
    return order.open_at is None and order.state not in ENDED


def _is_done(order: Order) -> bool:
    return order.failure is None and order.is_through


_RULES: Mapping[type[Any], Callable[[Order, Any], bool]] = {
    CommandRejected: lambda _order, _fact: True,
    RetryDue: _repeated,
    StepResolved: _resolved,
    OrderQueued: _queued,
    OrderReleased: lambda order, _fact: order.behind is not None and order.state not in ENDED,
    OrderPaused: lambda order, _fact: _is_idle(order) and not order.paused,
    OrderResumed: lambda order, _fact: order.paused,
    OrderAmended: _amended,
    OrderReopened: _reopened,
    OrderCancelled: _cancelled,
    MainPhaseCompleted: _main_completed,
    OrderCompleted: _completed,
    OrderFailed: _failed,
}
