"""What happens next to an order: the only place with rules about it."""

from dataclasses import dataclass
from typing import TypeAlias, assert_never

from schemas.events import (
    Fact,
    MainPhaseCompleted,
    OrderCompleted,
    OrderFailed,
    StepSkipped,
    StepStarted,
)
from schemas.steps import OnUnknown, WaybillStep
from streams.core.order import Order, State

COMPLETIONS = {"new": "order complete"}
CHANGE_COMPLETE = "change complete"


@dataclass(frozen=True, slots=True)
class RunStep:
    """Perform this attempt; its result must name it, and a task is registered under it.

    `recover` says that another process announced the attempt before it went away: what became of
    it is looked up before anything is sent.
    """

    order_id: str
    run: int
    step: str
    attempt: int
    recover: bool = False

    @property
    def attempt_id(self) -> tuple[str, int, str, int]:
        """What a task in flight is registered under."""
        return (self.order_id, self.run, self.step, self.attempt)


@dataclass(frozen=True, slots=True)
class Append:
    """Write this fact."""

    fact: Fact


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do now: the order waits for a person, or is at its end."""


Decision: TypeAlias = RunStep | Append | Rest


def decide(order: Order, worker: str) -> Decision:
    """What `worker` does next with `order`. Asked again after every event read, applied or not.

    `worker` names the process that asks: an attempt that another one announced may have been sent.
    """
    match order.state:
        case State.COMPLETED | State.FAILED | State.IN_DOUBT:
            return Rest()
        case State.ACCEPTED | State.PROCESSING | State.POST_PROCESSING:
            return _proceed(order, worker)
        case _:
            assert_never(order.state)


def is_moving(order: Order) -> bool:
    """Whether there is something to do for it now; else it rests."""
    return not isinstance(decide(order, ""), Rest)


def _proceed(order: Order, worker: str) -> Decision:
    if order.failure is not None:
        return Append(_order_failed(order))
    step = order.open_step
    if step is None:
        return Append(_phase_completed(order))
    if step.items == ():
        return Append(StepSkipped(step=step.id, attempt=order.attempt, reason="no items for it"))
    if order.started_by is None and is_announced(step):
        return Append(
            StepStarted(expected=order.sequence, step=step.id, attempt=order.attempt, worker=worker)
        )
    recover = order.started_by is not None and order.started_by != worker
    return RunStep(order.id, order.run, step.id, order.attempt, recover=recover)


def is_announced(step: WaybillStep) -> bool:
    """Whether `StepStarted` goes first: only where a repetition could do harm."""
    return step.on_unknown is not OnUnknown.REPEAT


def _phase_completed(order: Order) -> Fact:
    if not order.main_completed:
        return MainPhaseCompleted(expected=order.sequence)
    completion = COMPLETIONS.get(order.accepted.order_type, CHANGE_COMPLETE)
    return OrderCompleted(expected=order.sequence, completion=completion)


def _order_failed(order: Order) -> OrderFailed:
    assert order.failure is not None
    assert order.failed_step is not None
    plugin = next(step.plugin for step in order.accepted.waybill if step.id == order.failed_step)
    return OrderFailed(
        expected=order.sequence, step=order.failed_step, plugin=plugin, failure=order.failure
    )
