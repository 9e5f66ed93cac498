"""What the result of an attempt leaves behind; the attempt is closed after it."""

from datetime import datetime
from typing import Any

from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepSkipped,
    StepSucceeded,
)
from schemas.steps import Failure, WaybillStep
from streams.core.order import DONE, WAITS, Order, Progress, State, StepStatus, holds_up

# To reach a member of an enumeration takes Python 3.11 longer than to fold an event.
_ACCEPTED, _PROCESSING, _SUCCEEDED = State.ACCEPTED, State.PROCESSING, StepStatus.SUCCEEDED
_AHEAD = frozenset({StepStatus.PENDING, StepStatus.STARTED})


def succeeded(order: Order, fact: StepSucceeded, at: datetime) -> Order:
    """The step is done, and its output is there for those behind it."""
    return _ended(
        order,
        _SUCCEEDED,
        at,
        context={**order.context, fact.step: fact.output},
        sealed={**order.sealed, fact.step: fact.sealed} if fact.sealed else order.sealed,
    )


def skipped(order: Order, fact: StepSkipped, at: datetime) -> Order:
    """There was nothing to do."""
    del fact
    return _ended(order, StepStatus.SKIPPED, at)


def failed(order: Order, fact: StepFailed, at: datetime) -> Order:
    """Another attempt follows, or the step has failed for good."""
    step, opened = order.open_step, order.opened
    assert step is not None
    failure = fact.failure
    changes: dict[str, Any] = {}
    if failure.definite and failure.call is not None:
        changes["generations"] = raised(order, f"{fact.step}/{failure.call}")
    if fact.next_attempt_at is not None:
        waits = opened.but(
            status=StepStatus.WAITING,
            attempts=opened.attempts + 1,
            failure=failure,
            attempt=opened.attempt + 1,
            retry_at=fact.next_attempt_at,
            doubt=fact.unknown,
            failing_since=opened.failing_since or at,
        )
        return _closed(order, waits, at, goes_on=not holds_up(step), **changes)
    stops = holds_up(step)
    ended = _ended(
        order, StepStatus.FAILED, at, failure, goes_on=not stops, doubt=fact.unknown, **changes
    )
    return ended.but(failed_step=step.id, failure=failure) if stops else ended


def in_doubt(order: Order, fact: StepInDoubt, at: datetime) -> Order:
    """Nobody can tell what became of it: a person decides, or the order goes on without."""
    step, opened = order.open_step, order.opened
    assert step is not None
    if not holds_up(step):
        return _ended(order, StepStatus.IN_DOUBT, at, fact.failure, doubt=True)
    doubtful = opened.but(
        status=StepStatus.IN_DOUBT,
        attempts=opened.attempts + 1,
        failure=fact.failure,
        attempt=opened.attempt + 1,
        doubt=True,
        failing_since=opened.failing_since or at,
    )
    return _closed(order, doubtful, at, goes_on=False)


def deferred(order: Order, fact: StepDeferred, at: datetime) -> Order:
    """Nothing was sent: the step waits for its stage, or the order stops before it."""
    step, opened = order.open_step, order.opened
    assert step is not None
    if fact.stage is None:
        back = _before_deferral(order)
        due = at if back in WAITS else None
        again = opened.but(status=back, attempt=opened.attempt + 1, stage=None, retry_at=due)
        return _closed(order, again, at, goes_on=False)
    waits = opened.but(
        status=StepStatus.COMPENSATING if order.compensating else StepStatus.WAITING,
        attempts=order.tries - 1,
        attempt=opened.attempt + 1,
        retry_at=fact.until,
        stage=fact.stage,
    )
    return _closed(order, waits, at, goes_on=not order.compensating and not holds_up(step))


def _before_deferral(order: Order) -> StepStatus:
    """How the step stood before its attempt opened; one that was passed waits to be repeated."""
    if order.compensating:
        return StepStatus.COMPENSATING if _retried_undoing(order) else StepStatus.SUCCEEDED
    return StepStatus.PENDING if order.open_at == order.position else StepStatus.WAITING


def compensated(order: Order, fact: CompensationSucceeded, at: datetime) -> Order:
    """What the step had done is undone; what it handed on is void."""
    opened = order.opened
    undone = opened.but(
        status=StepStatus.COMPENSATED,
        attempts=order.tries,
        ended=at,
        failure=None,
        attempt=opened.attempt + 1,
        retry_at=None,
        stage=None,
        doubt=False,
        failing_since=None,
    )
    return _closed(
        order,
        undone,
        at,
        goes_on=False,
        generations=raised(order, f"{fact.step}/"),
        context={step: output for step, output in order.context.items() if step != fact.step},
        sealed={step: parts for step, parts in order.sealed.items() if step != fact.step},
    )


def compensation_failed(order: Order, fact: CompensationFailed, at: datetime) -> Order:
    """Another attempt to undo follows, or a person is needed."""
    opened, failure = order.opened, fact.failure
    final = fact.next_attempt_at is None
    fresh = opened.status is not StepStatus.COMPENSATING
    changes: dict[str, Any] = {}
    if failure.definite and failure.call is not None:
        changes["generations"] = raised(order, f"{fact.step}:compensate/{failure.call}")
    waits = opened.but(
        status=StepStatus.COMPENSATION_FAILED if final else StepStatus.COMPENSATING,
        attempts=order.tries,
        failure=failure,
        attempt=opened.attempt + 1,
        retry_at=fact.next_attempt_at,
        stage=None,
        doubt=fact.unknown,
        failing_since=at if fresh else opened.failing_since or at,
    )
    return _closed(order, waits, at, goes_on=False, **changes)


def raised(order: Order, call: str) -> dict[str, int]:
    """The generations with that of `call` one higher: its next key is another one."""
    return {**order.generations, call: order.generations.get(call, 0) + 1}


def is_past(progress: Progress, step: WaybillStep) -> bool:
    """Whether an order goes on beyond the step as it stands."""
    if holds_up(step):
        return progress.status in DONE
    return progress.status not in _AHEAD


def advanced(order: Order, progress: list[Progress], at: datetime) -> int:
    """The next step that the order is not past; it starts now."""
    waybill, following = order.accepted.waybill, order.position + 1
    while following < len(progress) and is_past(progress[following], waybill[following]):
        following += 1
    if following < len(progress) and progress[following].started is None:
        progress[following] = progress[following].but(started=at)
    return following


def _retried_undoing(order: Order) -> bool:
    return order.compensating and order.opened.status is StepStatus.COMPENSATING


def _ended(  # noqa: PLR0913 (what an attempt may leave)
    order: Order,
    status: StepStatus,
    at: datetime,
    why: Failure | None = None,
    *,
    goes_on: bool = True,
    doubt: bool = False,
    **changes: Any,
) -> Order:
    opened = order.opened
    progress = opened.but(
        status=status,
        attempts=opened.attempts + 1,
        ended=at,
        failure=why,
        attempt=opened.attempt + 1,
        retry_at=None,
        stage=None,
        doubt=doubt,
    )
    return _closed(order, progress, at, goes_on=goes_on, **changes)


def _closed(
    order: Order, progress: Progress, at: datetime, *, goes_on: bool, **changes: Any
) -> Order:
    """The attempt has ended; `goes_on`: the order passes the step if it stood at it."""
    index = order.open_at
    assert index is not None
    marked = list(order.progress)
    marked[index] = progress
    position = order.position
    if goes_on and index == position:
        position = advanced(order, marked, at)
    state = order.state
    return order.but(
        state=_PROCESSING if state is _ACCEPTED else state,
        position=position,
        open_at=None,
        compensating=False,
        started_by=None,
        progress=tuple(marked),
        **changes,
    )
