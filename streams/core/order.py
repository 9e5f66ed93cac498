"""An order and how events change it. Start reading here."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple, assert_never

from schemas.events import (
    Decision,
    Event,
    MainPhaseCompleted,
    OrderAccepted,
    OrderCompleted,
    OrderFailed,
    Result,
    StepFailed,
    StepInDoubt,
    StepResult,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from schemas.steps import Failure, Phase, Sealed, WaybillStep


class State(StrEnum):
    """Where an order stands. `completed` is final; `failed` ends a run."""

    ACCEPTED = "accepted"
    PROCESSING = "processing"
    IN_DOUBT = "in_doubt"
    POST_PROCESSING = "post_processing"
    COMPLETED = "completed"
    FAILED = "failed"


NOTHING: Mapping[str, Any] = MappingProxyType({})
ENDED = frozenset({State.COMPLETED, State.FAILED})


class StepStatus(StrEnum):
    """What became of one step of the waybill."""

    PENDING = "pending"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    IN_DOUBT = "in_doubt"


class Progress(NamedTuple):
    """How far one step has come. `started` is when its first attempt opened."""

    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    failure: Failure | None = None


class Order(NamedTuple):
    """One order, folded from its events.

    `sequence` counts applied events. `position` is the index of the next step in the waybill,
    `attempt` its open attempt. `offset` is the place in the partition of its acceptance: orders
    of a lane stand in that order. `started_by` is the worker that wrote `StepStarted` for the
    open attempt. `trace` is the traceparent it came with. `generations` counts definite failures
    per `step/call`.
    """

    id: str
    tenant: str
    lane: str
    accepted: OrderAccepted
    created: datetime
    updated: datetime
    offset: int
    trace: str | None = None
    state: State = State.ACCEPTED
    run: int = 1
    sequence: int = 1
    position: int = 0
    attempt: int = 1
    started_by: str | None = None
    progress: tuple[Progress, ...] = ()
    context: Mapping[str, Mapping[str, Any]] = NOTHING
    sealed: Mapping[str, tuple[Sealed, ...]] = NOTHING
    generations: Mapping[str, int] = NOTHING
    failed_step: str | None = None
    failure: Failure | None = None
    main_completed: bool = False

    @property
    def step(self) -> WaybillStep | None:
        """The step that comes next, or None after the last one."""
        waybill = self.accepted.waybill
        return waybill[self.position] if self.position < len(waybill) else None

    @property
    def is_through(self) -> bool:
        """Whether no step of the phase that it is in is left to be done."""
        return (
            self.state not in ENDED and self.state is not State.IN_DOUBT and self.open_step is None
        )

    @property
    def open_step(self) -> WaybillStep | None:
        """The step whose result would apply now."""
        if self.failure is not None or self.state in ENDED or self.state is State.IN_DOUBT:
            return None
        step = self.step
        if step is None or (step.phase is Phase.POST and not self.main_completed):
            return None
        return step


def applies(order: Order | None, event: Event) -> bool:
    """First in the log wins: the fold alone says which events count, to every reader alike."""
    fact = event.fact
    if order is None or isinstance(fact, OrderAccepted):
        return order is None and isinstance(fact, OrderAccepted)
    if isinstance(fact, StepResult):
        return _is_open(order, event.envelope.run, fact)
    return fact.expected == order.sequence and _is_due(order, event.envelope.run, fact)


def evolve(order: Order | None, event: Event, offset: int) -> Order | None:
    """The order after `event`; the same order where the event does not apply.

    `offset` is the event's place in its partition.
    """
    if not applies(order, event):
        return order
    if order is None:
        return _accepted(event, offset)
    return _changed(order, event)


def _is_due(order: Order, run: int, fact: Decision) -> bool:
    """Whether the order is where such a decision is made.

    The sequence alone does not tell: decisions are written together with the result that they
    follow from, and another result may have been first.
    """
    match fact:
        case StepStarted():
            return order.started_by is None and _is_open(order, run, fact)
        case MainPhaseCompleted():
            return not order.main_completed and order.failure is None and order.is_through
        case OrderCompleted():
            return order.main_completed and order.is_through
        case OrderFailed():
            return order.failure is not None and order.state not in ENDED
        case _:
            assert_never(fact)


def _is_open(order: Order, run: int, fact: StepResult | StepStarted) -> bool:
    step = order.open_step
    return step is not None and (run, fact.step, fact.attempt) == (
        order.run,
        step.id,
        order.attempt,
    )


def contradicts(order: Order | None, event: Event) -> bool:
    """Whether the event accepts another body under the id of an order that is already there."""
    fact = event.fact
    return (
        order is not None
        and isinstance(fact, OrderAccepted)
        and fact.fingerprint != order.accepted.fingerprint
    )


def _accepted(event: Event, offset: int) -> Order:
    fact, envelope = event.fact, event.envelope
    assert isinstance(fact, OrderAccepted)
    at = envelope.occurred_at
    pending = [Progress()] * len(fact.waybill)
    if pending:
        pending[0] = Progress(started=at)
    return Order(
        id=envelope.order_id,
        tenant=envelope.tenant,
        lane=envelope.lane,
        accepted=fact,
        created=at,
        updated=at,
        offset=offset,
        trace=envelope.trace,
        progress=tuple(pending),
    )


def _changed(order: Order, event: Event) -> Order:
    fact, at = event.fact, event.envelope.occurred_at
    match fact:
        case OrderAccepted():
            raise AssertionError("an acceptance never applies to a known order")
        case StepSucceeded() | StepSkipped() | StepFailed() | StepInDoubt():
            return _with_result(order, fact, at)
        case _:
            return _with_decision(order, fact, at)


def _with_result(order: Order, fact: Result, at: datetime) -> Order:
    match fact:
        case StepSucceeded():
            return _advanced(
                order,
                at,
                StepStatus.SUCCEEDED,
                context={**order.context, fact.step: fact.output},
                sealed={**order.sealed, fact.step: fact.sealed} if fact.sealed else order.sealed,
            )
        case StepSkipped():
            return _advanced(order, at, StepStatus.SKIPPED)
        case StepFailed():
            return _failed(order, fact, at)
        case StepInDoubt():
            return _in_doubt(order, fact, at)
        case _:
            assert_never(fact)


def _with_decision(order: Order, fact: Decision, at: datetime) -> Order:
    order = order._replace(sequence=order.sequence + 1, updated=at)
    match fact:
        case StepStarted(worker=worker):
            marked = _marked(order, status=StepStatus.STARTED, attempts=order.attempt)
            return order._replace(progress=marked, started_by=worker)
        case MainPhaseCompleted():
            return order._replace(state=State.POST_PROCESSING, main_completed=True)
        case OrderCompleted():
            return order._replace(state=State.COMPLETED)
        case OrderFailed():
            return order._replace(state=State.FAILED)
        case _:
            assert_never(fact)


def _failed(order: Order, fact: StepFailed, at: datetime) -> Order:
    step, failure, generations = order.open_step, fact.failure, order.generations
    assert step is not None
    if failure.definite and failure.call is not None:
        call = f"{fact.step}/{failure.call}"
        generations = {**generations, call: generations.get(call, 0) + 1}
    if _fails_the_order(step):
        ended = _marked(
            order, status=StepStatus.FAILED, attempts=order.attempt, ended=at, failure=failure
        )
        return order._replace(
            state=State.PROCESSING,
            sequence=order.sequence + 1,
            updated=at,
            progress=ended,
            generations=generations,
            failed_step=step.id,
            failure=failure,
        )
    return _advanced(order, at, StepStatus.FAILED, failure=failure, generations=generations)


def _in_doubt(order: Order, fact: StepInDoubt, at: datetime) -> Order:
    step = order.open_step
    assert step is not None
    if not _fails_the_order(step):
        return _advanced(order, at, StepStatus.IN_DOUBT, failure=fact.failure)
    doubtful = _marked(
        order, status=StepStatus.IN_DOUBT, attempts=order.attempt, failure=fact.failure
    )
    return order._replace(
        state=State.IN_DOUBT, sequence=order.sequence + 1, updated=at, progress=doubtful
    )


def _fails_the_order(step: WaybillStep) -> bool:
    return step.critical and step.phase is Phase.MAIN


def _advanced(
    order: Order,
    at: datetime,
    status: StepStatus,
    *,
    failure: Failure | None = None,
    **changes: Any,
) -> Order:
    marked = list(_marked(order, status=status, attempts=order.attempt, ended=at, failure=failure))
    following = order.position + 1
    if following < len(marked):
        marked[following] = marked[following]._replace(started=at)
    return order._replace(
        state=State.POST_PROCESSING if order.main_completed else State.PROCESSING,
        sequence=order.sequence + 1,
        updated=at,
        position=following,
        attempt=1,
        started_by=None,
        progress=tuple(marked),
        **changes,
    )


def _marked(order: Order, **changes: Any) -> tuple[Progress, ...]:
    marked = list(order.progress)
    marked[order.position] = marked[order.position]._replace(**changes)
    return tuple(marked)
