"""Which facts may follow on what: written from the promises, not from the fold."""

from collections.abc import Callable, Mapping
from typing import Any

from schemas.commands import CommandKind
from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    Event,
    MainPhaseCompleted,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderQueued,
    OrderReleased,
    OrderReopened,
    StepFailed,
    StepInDoubt,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from schemas.steps import Phase
from streams.core.decide import Append, Surroundings, decide
from streams.core.order import DONE, FINAL, Order, State, StepStatus, holds_up

_BEGUN = frozenset(StepStatus) - {StepStatus.PENDING, StepStatus.STARTED}


def illegal(order: Order, fact: Any) -> str | None:
    """Why the fact must not apply to the order as it stands; None where it may."""
    rule = _RULES.get(type(fact))
    return None if rule is None else rule(order, fact)


def _result(order: Order, fact: Any) -> str | None:  # noqa: PLR0911 (a return per rule)
    if order.state in FINAL and order.open_at is None:
        return f"the order is {order.state.value}"
    if order.compensating:
        return None
    if order.paused or (order.behind is not None and order.open_at is None):
        return "the order is stopped"
    index = order.index_of(fact.step)
    if index is None:
        return "there is no such step"
    one = order.progress[index]
    if one.status in DONE and not order.compensating:
        return f"the step is {one.status.value} already"
    return None


def _undone(order: Order, fact: Any) -> str | None:
    index = order.index_of(fact.step)
    undoes = {StepStatus.SUCCEEDED, StepStatus.COMPENSATING, StepStatus.COMPENSATION_FAILED}
    if index is None or order.progress[index].status not in undoes:
        return "nothing was done that could be undone"
    return None


def _main_completed(order: Order, fact: Any) -> str | None:
    if fact.command is not None:
        return None
    for step, one in zip(order.accepted.waybill, order.progress, strict=True):
        if step.phase is Phase.POST:
            continue
        if one.status not in (DONE if holds_up(step) else _BEGUN):
            return f"{step.id} is {one.status.value}"
    return None


def _completed(order: Order, fact: Any) -> str | None:
    if not order.main_completed:
        return "the main phase has not ended"
    if fact.command is not None:
        return None
    left = [one.status.value for one in order.progress if one.status not in _BEGUN]
    return f"steps are {left}" if left else None


def _failed(order: Order, fact: Any) -> str | None:
    index = order.index_of(fact.step)
    if order.main_completed:
        return "the main phase has ended"
    if index is None or order.progress[index].status is not StepStatus.FAILED:
        return f"{fact.step} has not failed"
    return None


def _cancelled(order: Order, fact: Any) -> str | None:
    del fact
    return "the main phase has ended" if order.main_completed else None


def _reopened(order: Order, fact: Any) -> str | None:
    del fact
    return None if order.state is State.FAILED else f"the order is {order.state.value}"


def _released(order: Order, fact: Any) -> str | None:
    del fact
    return "it is not queued" if order.behind is None else None


def decided_again(order: Order, event: Event) -> bool:
    """Whether the core, asked once more, decides what was decided then.

    Decisions about lanes depend on the other orders as that worker knew them.
    """
    fact = event.fact
    kinds = [command.kind for command in order.pending]
    if isinstance(fact, OrderQueued | OrderReleased) or CommandKind.RELEASE in kinds:
        return True
    around = Surroundings("", event.envelope.occurred_at, (), admitted=True)
    decision = decide(order, around)
    return isinstance(decision, Append) and type(decision.fact) is type(fact)


_RULES: Mapping[type, Callable[[Order, Any], str | None]] = {
    StepStarted: _result,
    StepSucceeded: _result,
    StepFailed: _result,
    StepInDoubt: _result,
    StepSkipped: _result,
    CompensationSucceeded: _undone,
    CompensationFailed: _undone,
    MainPhaseCompleted: _main_completed,
    OrderCompleted: _completed,
    OrderFailed: _failed,
    OrderCancelled: _cancelled,
    OrderReopened: _reopened,
    OrderReleased: _released,
}
