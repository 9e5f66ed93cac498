"""Where an order stands, in words for the three o'clock of an operator."""

from typing import NamedTuple

from projections.moments import short
from schemas.steps import Failure, WaybillStep
from streams.core.follow_ups import follow_ups
from streams.core.order import FINAL, Order, Progress, State, StepStatus
from streams.core.undoing import undoing

_RESTS = frozenset({StepStatus.WAITING, StepStatus.IN_DOUBT})
_UNDOES = frozenset({StepStatus.COMPENSATING, StepStatus.COMPENSATION_FAILED})


class Pause(NamedTuple):
    """Who paused the order, and why."""

    actor: str
    reason: str


def standing(order: Order) -> int | None:
    """The step that explains why the order stands where it does; None behind the last one."""
    if order.open_at is not None:
        return order.open_at
    if order.pending and (stuck := undoing(order)) is not None:
        return stuck
    position, progress = order.position, order.progress
    is_behind = position >= len(progress)
    if not is_behind and (order.state not in _AT_REST or progress[position].status in _RESTS):
        return position
    statuses = [one.status for one in progress]
    for rests in (StepStatus.COMPENSATION_FAILED, StepStatus.COMPENSATING, StepStatus.WAITING):
        if rests in statuses:
            return statuses.index(rests)
    return None if is_behind else position


_AT_REST = frozenset({State.WAITING, State.IN_DOUBT})


def stopped_at(order: Order) -> tuple[WaybillStep, Failure] | None:
    """The step that stopped the order, and why; None where nothing did."""
    failure = order.failure
    index = order.index_of(order.failed_step) if failure is not None else None
    if order.state is State.IN_DOUBT:
        index = standing(order)
        failure = None if index is None else order.progress[index].failure
    if index is None or failure is None or order.state in FINAL:
        return None
    return order.accepted.waybill[index], failure


def next_action(order: Order, pause: Pause | None = None) -> str:
    """What happens next and when, or what a person can do."""
    match order.state:
        case State.CANCELLED:
            return _left_over(order) or "none"
        case _ if order.open_at is not None:
            return _under_way(order, order.open_at)
        case _ if order.pending and undoing(order) is None:
            return f"decides on {order.pending[0].kind.value}"
        case _:
            return _rests(order, pause)


def _rests(order: Order, pause: Pause | None) -> str:
    at = standing(order)
    match order.state:
        case _ if at is not None and order.progress[at].status in _UNDOES:
            return _stuck(order, at)
        case State.QUEUED:
            return f"queued behind {order.behind}"
        case State.PAUSED:
            who = "" if pause is None else f" by {pause.actor}: {pause.reason}"
            return f"paused{who}; goes on with resume"
        case State.WAITING if at is not None:
            return _waits(order, at)
        case _:
            return _person(order) or _proceeds(order)


def _under_way(order: Order, index: int) -> str:
    step, progress = order.accepted.waybill[index], order.progress[index]
    doing = "undoes step" if order.compensating else "runs step"
    again = f", try {order.tries}" if order.tries > 1 else ""
    doubt = ", looking up what became of the one before" if progress.doubt else ""
    return f"{doing} {step.id}{again}{doubt}"


def _waits(order: Order, index: int) -> str:
    step, progress = order.accepted.waybill[index], order.progress[index]
    undoing = " undoing" if progress.status in _UNDOES else ""
    if progress.stage is not None:
        until = "" if progress.retry_at is None else f", expected {short(progress.retry_at)}"
        return f"held: stage {progress.stage} takes no more now{until};{undoing} step {step.id}"
    when = "" if progress.retry_at is None else f" at {short(progress.retry_at)}"
    return f"waits: try {progress.attempts + 1} of{undoing} {step.id}{when}{_after(progress)}"


def _after(progress: Progress) -> str:
    failure = progress.failure
    if failure is None:
        return ""
    became = "unknown outcome" if progress.doubt else failure.kind.value
    return f" after {became} ({failure.code})"


def _stuck(order: Order, at: int) -> str:
    """A step that is being undone."""
    step, progress = order.accepted.waybill[at], order.progress[at]
    if progress.status is StepStatus.COMPENSATING:
        return _waits(order, at)
    return _needed(f"step {step.id} could not be undone", progress.failure, _STEP)


def _person(order: Order) -> str | None:
    """What needs a person, and which commands answer it."""
    stopped = stopped_at(order)
    if stopped is not None and order.state is State.FAILED:
        return _needed(f"step {stopped[0].id} failed", stopped[1], f"{_STEP}, cancel")
    if stopped is not None and order.state is State.IN_DOUBT:
        became = f"step {stopped[0].id} has an unknown outcome"
        return _needed(became, stopped[1], "resolve, retry, skip, cancel")
    return None


_STEP = "retry, resolve, skip"


def _needed(what: str, failure: Failure | None, commands: str) -> str:
    code = "" if failure is None else f" ({failure.code})"
    return f"needs a person: {what}{code}; {commands}"


def _left_over(order: Order) -> str | None:
    """What a step that is done has left for a person."""
    for index, left in follow_ups(order):
        step = order.accepted.waybill[index].id
        return f"needs a person: step {step} left something to do ({left.code}); resolve"
    return None


def _proceeds(order: Order) -> str:
    if order.state is State.COMPLETED:
        return _left_over(order) or "none"
    if order.failure is not None:
        return "ends as failed"
    step = order.step
    return "ends its phase" if order.is_through or step is None else f"runs step {step.id}"
