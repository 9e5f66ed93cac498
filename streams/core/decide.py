"""What happens next to an order: the only place with rules about it, with `commands`."""

from schemas.events import (
    Fact,
    MainPhaseCompleted,
    OrderCompleted,
    OrderFailed,
    OrderQueued,
    OrderReleased,
    RetryDue,
    StepSkipped,
    StepStarted,
)
from schemas.steps import OnUnknown, WaybillStep
from streams.core import lanes
from streams.core.commands import answered
from streams.core.decisions import Append, Decision, Rest, RunStep, Surroundings
from streams.core.order import ENDED, Order
from streams.core.wakes import waiting, wake

__all__ = ["Append", "Decision", "Rest", "RunStep", "Surroundings", "decide", "is_announced"]

_REPEAT = OnUnknown.REPEAT
COMPLETIONS = {"new": "order complete"}
CHANGE_COMPLETE = "change complete"
_AT_REST = Rest()


def decide(order: Order, around: Surroundings) -> Decision:  # noqa: PLR0911 (a return per rule)
    """What is next for `order`. Asked again after every event read, applied or not."""
    if order.failure is not None and order.state not in ENDED:
        return Append(_order_failed(order), order)
    if order.pending:
        answer = answered(order, around, completion(order))
        if answer is not None:
            return answer
    if order.open_at is not None:
        return _perform(order, around)
    if order.pending or order.state in ENDED:
        return _wait(order, around)
    if order.paused:
        return Rest()
    if order.behind is not None:
        return _queue(order, around)
    return _proceed(order, around)


def is_announced(step: WaybillStep) -> bool:
    """Whether `StepStarted` goes first: only where a repetition could do harm."""
    return step.on_unknown is not _REPEAT


def completion(order: Order) -> str:
    """How an order of its type completes, in Limio's words."""
    return COMPLETIONS.get(order.accepted.order_type, CHANGE_COMPLETE)


def _perform(order: Order, around: Surroundings) -> Decision:
    if order.state not in ENDED:
        if order.behind is not None:
            return _queue(order, around)
        earlier = lanes.predecessor(order, around.lane)
        if earlier is not None and order.started_by is None:
            return Append(OrderQueued(expected=order.sequence, behind=earlier.id), order)
    step, opened = order.open_step, order.opened
    assert step is not None
    if step.items == () and not order.compensating:
        reason = "no items for it"
        return Append(StepSkipped(step=step.id, attempt=opened.attempt, reason=reason), order)
    if order.started_by is None and is_announced(step):
        return Append(
            StepStarted(
                expected=order.sequence,
                step=step.id,
                attempt=opened.attempt,
                worker=around.worker,
            ),
            order,
        )
    return RunStep(
        order.id,
        order.run,
        step.id,
        opened.attempt,
        recover=order.started_by is not None and order.started_by != around.worker,
        compensate=order.compensating,
        doubt=opened.doubt,
    )


def _queue(order: Order, around: Surroundings) -> Decision:
    earlier = lanes.predecessor(order, around.lane)
    if earlier is not None and earlier.id != order.behind:
        return Append(OrderQueued(expected=order.sequence, behind=earlier.id), order)
    if earlier is not None or lanes.is_being_passed(order, around.lane):
        return Rest()
    return Append(OrderReleased(expected=order.sequence), order)


def _proceed(order: Order, around: Surroundings) -> Decision:
    if order.is_through:
        if not order.main_completed:
            return Append(MainPhaseCompleted(expected=order.sequence), order)
        if not waiting(order):
            return Append(_completed(order), order)
    return _wait(order, around)


def _completed(order: Order) -> Fact:
    return OrderCompleted(expected=order.sequence, completion=completion(order))


def _wait(order: Order, around: Surroundings) -> Decision:
    """The first of the steps that wait whose time has come; else how long."""
    waits = waiting(order)
    if not waits:
        return _AT_REST
    for index in waits:
        one = order.progress[index]
        if one.stage is not None:
            due = around.admitted
        else:
            due = one.retry_at is None or one.retry_at <= around.now
        if due:
            step = order.accepted.waybill[index].id
            return Append(RetryDue(expected=order.sequence, step=step), order)
    wakes = wake(order)
    return _AT_REST if wakes is None else Rest(wakes.due, wakes.stage)


def _order_failed(order: Order) -> OrderFailed:
    assert order.failure is not None
    assert order.failed_step is not None
    plugin = next(step.plugin for step in order.accepted.waybill if step.id == order.failed_step)
    return OrderFailed(
        expected=order.sequence, step=order.failed_step, plugin=plugin, failure=order.failure
    )
