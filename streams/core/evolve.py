"""How events change an order: whether one applies, and what stands after it."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from schemas.events import (
    CommandReceived,
    CommandRejected,
    CompensationFailed,
    CompensationSucceeded,
    Event,
    OrderAccepted,
    Result,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepResult,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from streams.core import deciding, resulting
from streams.core.due import is_due, is_open
from streams.core.order import (
    ENDED,
    WAITS,
    Order,
    Progress,
    State,
    StepStatus,
)
from streams.core.undoing import step_to_undo

# To reach a member of an enumeration takes Python 3.11 longer than to fold an event.
_ACCEPTED, _PROCESSING, _POST_PROCESSING = State.ACCEPTED, State.PROCESSING, State.POST_PROCESSING
_PAUSED, _QUEUED, _PENDING = State.PAUSED, State.QUEUED, StepStatus.PENDING
_NOTHING = (None, False)
_HOLDING = frozenset({*WAITS, StepStatus.IN_DOUBT, StepStatus.COMPENSATION_FAILED})
"""What a step may be at which an order rests."""
_UNDOING = (CompensationSucceeded, CompensationFailed)
_UNMOVED = (StepStarted, CommandReceived, CommandRejected)
"""Facts that leave a fresh order `accepted`: nothing has come of it yet."""


def evolve(order: Order | None, event: Event, offset: int) -> Order | None:
    """The order after `event`; the same order where the event does not apply.

    `offset` is the event's place in its partition.
    """
    if not applies(order, event):
        return order
    if order is None:
        return _accepted(event, offset)
    fact, at = event.fact, event.envelope.occurred_at
    if isinstance(fact, StepResult):
        return _settled(_RESULTS[type(fact)](order, fact, at), event, offset)
    if isinstance(fact, CommandReceived):
        received = order.but(
            pending=(*order.pending, fact), commands=(*order.commands, fact.command)
        )
        return _settled(received, event, offset)
    assert not isinstance(fact, OrderAccepted), "an acceptance never applies to a known order"
    return _settled(deciding.changed(order, fact, at, offset), event, offset)


def evolved_again(order: Order | None, event: Event, offset: int) -> Order | None:
    """`evolve` for who reads the log again over an order that a store ahead of it has given.

    What stands before the order's last event has been weighed, and must not be weighed anew
    against what came of it: a result that did not apply while the order was queued names the
    same attempt that is open once it is released.
    """
    if order is not None and offset <= order.last:
        return order
    return evolve(order, event, offset)


def applies(order: Order | None, event: Event) -> bool:
    """First in the log wins: the fold alone says which events count, to every reader alike."""
    fact = event.fact
    if order is None or isinstance(fact, OrderAccepted):
        return order is None and isinstance(fact, OrderAccepted)
    if isinstance(fact, StepResult):
        undoes = isinstance(fact, _UNDOING)
        fits = isinstance(fact, StepDeferred) or undoes is order.compensating
        return fits and is_open(order, event.envelope.run, fact)
    if isinstance(fact, CommandReceived):
        return fact.command not in order.commands
    return fact.expected == order.sequence and is_due(order, event.envelope.run, fact)


def contradicts(order: Order | None, event: Event) -> bool:
    """Whether the event accepts another body under the id of an order that is already there."""
    fact = event.fact
    return (
        order is not None
        and isinstance(fact, OrderAccepted)
        and fact.fingerprint not in {order.accepted.fingerprint, order.original}
    )


def _accepted(event: Event, offset: int) -> Order:
    fact, envelope = event.fact, event.envelope
    assert isinstance(fact, OrderAccepted)
    at = envelope.occurred_at
    pending = [Progress()] * len(fact.waybill)
    if pending:
        pending[0] = Progress(started=at)
    order = Order(
        id=envelope.order_id,
        tenant=envelope.tenant,
        lane=envelope.lane,
        accepted=fact,
        created=at,
        updated=at,
        offset=offset,
        last=offset,
        trace=envelope.trace,
        progress=tuple(pending),
    )
    opening, _ = _opening(order)
    return order.but(open_at=opening)


_Handler = Callable[[Order, Any, datetime], Order]
_RESULTS: Mapping[type[Result], _Handler] = {
    StepSucceeded: resulting.succeeded,
    StepSkipped: resulting.skipped,
    StepFailed: resulting.failed,
    StepInDoubt: resulting.in_doubt,
    StepDeferred: resulting.deferred,
    CompensationSucceeded: resulting.compensated,
    CompensationFailed: resulting.compensation_failed,
}


def _settled(order: Order, event: Event, offset: int) -> Order:
    """With what follows from its parts: which attempt is open now, and the state."""
    opening, compensating = order.open_at, order.compensating
    if opening is None:
        opening, compensating = _opening(order)
    state = _state(order, opening)
    before = order.state
    if before is _ACCEPTED and state is _PROCESSING and isinstance(event.fact, _UNMOVED):
        state = before
    return order.but(
        state=state,
        sequence=order.sequence + 1,
        updated=event.envelope.occurred_at,
        open_at=opening,
        compensating=compensating,
        last=offset,
    )


def _opening(order: Order) -> tuple[int | None, bool]:
    """The step whose attempt opens now, and whether it is undone."""
    ended = order.state in ENDED
    if order.failure is not None and not ended:
        return _NOTHING  # its run ends before anything else happens
    if order.pending:
        undone = step_to_undo(order)
        return undone, undone is not None
    if ended or order.paused or order.behind is not None or order.is_through:
        return _NOTHING
    pending = order.progress[order.position].status is _PENDING
    return (order.position, False) if pending else _NOTHING


def _state(order: Order, opening: int | None) -> State:
    if order.state in ENDED:
        return order.state
    if order.paused:
        return _PAUSED
    if order.behind is not None:
        return _QUEUED
    if opening is None and order.failure is None:
        resting = _resting(order)
        if resting is not None:
            return resting
    return _POST_PROCESSING if order.main_completed else _PROCESSING


def _resting(order: Order) -> State | None:
    statuses = {one.status for one in order.progress}
    if statuses.isdisjoint(_HOLDING):
        return None
    if StepStatus.COMPENSATION_FAILED in statuses:
        return State.IN_DOUBT
    if StepStatus.COMPENSATING in statuses:
        return State.WAITING
    if not order.is_through:
        return _STOPPED.get(order.progress[order.position].status)
    ends = order.main_completed and StepStatus.WAITING in statuses
    return State.WAITING if ends else None


_STOPPED = {StepStatus.IN_DOUBT: State.IN_DOUBT, StepStatus.WAITING: State.WAITING}
"""What an order is while it stands at such a step."""
