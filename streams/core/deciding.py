"""What a decision that applies leaves behind."""

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from schemas.commands import CommandKind, Revision
from schemas.events import (
    CommandReceived,
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
    StepStarted,
)
from schemas.steps import Phase
from streams.core.follow_ups import finished_by, without
from streams.core.order import (
    DONE,
    WAITS,
    Order,
    Progress,
    State,
    StepStatus,
)
from streams.core.resulting import advanced, is_past
from streams.core.undoing import again

_UNDOING = frozenset({StepStatus.COMPENSATING, StepStatus.COMPENSATION_FAILED})


def changed(  # noqa: C901, PLR0911, PLR0912 (a case per fact)
    order: Order, fact: Decision, at: datetime, offset: int
) -> Order:
    """The order after a decision that applies; its command is answered."""
    command = order.command(fact.command)
    if command is not None:
        order = order.but(pending=tuple(one for one in order.pending if one is not command))
    match fact:
        case CommandRejected():
            return order
        case StepStarted(worker=worker):
            return _started(order, worker)
        case RetryDue(step=step):
            return _due(order, step, asked=command is not None)
        case OrderQueued():
            return _queued(order, fact, offset)
        case OrderReleased():
            return order.but(behind=None)
        case OrderPaused():
            return order.but(paused=True)
        case OrderResumed():
            return order.but(paused=False)
        case _:
            return _ending(order, fact, command, at, offset)


def _ending(  # noqa: C901, PLR0911, PLR0912 (a case per fact)
    order: Order,
    fact: StepResolved
    | OrderAmended
    | OrderReopened
    | OrderCancelled
    | MainPhaseCompleted
    | OrderCompleted
    | OrderFailed,
    command: CommandReceived | None,
    at: datetime,
    offset: int,
) -> Order:
    match fact:
        case StepResolved(step=step):
            return _resolved(order, step, command, at)
        case OrderAmended():
            return _amended(order, command, at)
        case OrderReopened():
            return _reopened(order, fact, command, at, offset)
        case OrderCancelled():
            return _given_up(order).but(state=State.CANCELLED, behind=None, paused=False)
        case MainPhaseCompleted():
            return _main_completed(order, fact, at)
        case OrderCompleted():
            if fact.command is not None:
                order = _skipped(order, len(order.progress))
            return order.but(state=State.COMPLETED)
        case OrderFailed():
            return _given_up(order).but(state=State.FAILED)
        case _:
            assert_never(fact)


def _started(order: Order, worker: str) -> Order:
    assert order.open_at is not None
    opened = order.opened
    if not order.compensating:
        opened = opened.but(status=StepStatus.STARTED)
    return _marked(order, order.open_at, opened).but(started_by=worker)


def _due(order: Order, step: str, *, asked: bool) -> Order:
    """The next attempt opens; where a person asks for it, its bounds begin anew."""
    index = order.index_of(step)
    assert index is not None
    one = order.progress[index]
    undoes = one.status in _UNDOING
    opened = one.but(
        status=StepStatus.COMPENSATING if undoes else StepStatus.PENDING,
        retry_at=None,
        stage=None,
        ended=None,
    )
    if asked:
        opened = opened.but(attempts=0, failing_since=None)
    return _marked(order, index, opened).but(open_at=index, compensating=undoes)


def _queued(order: Order, fact: OrderQueued, offset: int) -> Order:
    if fact.passed_by is not None:
        order = order.but(offset=fact.passed_by, passes=offset)
    return order.but(behind=fact.behind, open_at=None, compensating=False, started_by=None)


def _resolved(order: Order, step: str, command: CommandReceived | None, at: datetime) -> Order:
    index = order.index_of(step)
    assert index is not None
    if command is not None and index == finished_by(order, command):
        return _followed_up(order, step, command)
    one = order.progress[index]
    supplied = command is not None and command.kind is CommandKind.RESOLVE
    status = StepStatus.SUCCEEDED if supplied else StepStatus.SKIPPED
    if one.status in _UNDOING:
        status, supplied = StepStatus.COMPENSATED, False
    resolved = one.but(
        status=status,
        ended=at,
        attempt=one.attempt + 1,
        retry_at=None,
        stage=None,
        doubt=False,
        failing_since=None,
    )
    order = _marked(order, index, resolved)
    if supplied and command is not None:
        order = order.but(
            context={**order.context, step: command.output or {}},
            sealed={**order.sealed, step: command.sealed} if command.sealed else order.sealed,
        )
    if index == order.position and status in DONE:
        marked = list(order.progress)
        position = advanced(order, marked, at)
        order = order.but(position=position, progress=tuple(marked))
    return order


def _followed_up(order: Order, step: str, command: CommandReceived) -> Order:
    """The step hands on what it did, less what it left to do, and what the person adds."""
    output = {**without(order.context[step]), **(command.output or {})}
    parts = (*order.sealed.get(step, ()), *command.sealed)
    return order.but(
        context={**order.context, step: output},
        sealed={**order.sealed, step: parts} if parts else order.sealed,
    )


def _reopened(
    order: Order, fact: OrderReopened, command: CommandReceived | None, at: datetime, offset: int
) -> Order:
    order = order.but(
        state=State.PROCESSING,
        run=order.run + 1,
        offset=offset,
        passes=0,
        failure=None,
        failed_step=None,
    )
    kind = None if command is None else command.kind
    if kind is CommandKind.FORCE_COMPLETE:
        return _skipped(order, _first_of_post(order))
    if kind in {CommandKind.SKIP, CommandKind.RESOLVE}:
        return _resolved(order, fact.step, command, at)
    index = order.index_of(fact.step)
    assert index is not None
    opened = order.progress[index].but(
        status=StepStatus.PENDING, attempts=0, ended=None, failing_since=None
    )
    order = _marked(order, index, opened)
    if command is not None and command.revision is not None:
        order = _revised(order, command.revision, at)
    return order


def _amended(order: Order, command: CommandReceived | None, at: datetime) -> Order:
    """What was undone is to be done again, and what had nothing to do may have now."""
    if command is None or command.revision is None:
        return order
    marked = list(order.progress)
    for index in again(order, command.revision):
        marked[index] = marked[index].but(status=StepStatus.PENDING, attempts=0, ended=None)
    return _revised(order.but(progress=tuple(marked)), command.revision, at)


def _revised(order: Order, revision: Revision, at: datetime) -> Order:
    """Under another waybill: steps keep how far they have come, by their ids."""
    changes = {
        "config_version": revision.config_version,
        "axes": revision.axes,
        "waybill": revision.waybill,
    }
    if revision.document is not None:
        changes |= {"document": revision.document, "sealed": revision.sealed}
    if revision.fingerprint is not None:
        changes["fingerprint"] = revision.fingerprint
    known = dict(zip((s.id for s in order.accepted.waybill), order.progress, strict=True))
    progress = [known.get(step.id, Progress()) for step in revision.waybill]
    position = 0
    while position < len(progress) and is_past(progress[position], revision.waybill[position]):
        position += 1
    if position < len(progress) and progress[position].started is None:
        progress[position] = progress[position].but(started=at)
    return order.but(
        accepted=replace(order.accepted, **changes),  # type: ignore[arg-type]  # fields of one class by name
        revised=True,
        original=order.original or order.accepted.fingerprint,
        progress=tuple(progress),
        position=position,
    )


def _main_completed(order: Order, fact: MainPhaseCompleted, at: datetime) -> Order:
    if fact.command is not None:
        order = _skipped(order, _first_of_post(order))
    position = order.position
    if position < len(order.progress) and order.progress[position].started is None:
        order = _marked(order, position, order.progress[position].but(started=at))
    return order.but(main_completed=True, failure=None, failed_step=None)


def _skipped(order: Order, end: int) -> Order:
    """Everything before `end` that is not done is skipped."""
    marked = [
        one
        if index >= end or one.status in DONE
        else one.but(status=StepStatus.SKIPPED, retry_at=None, stage=None, doubt=False)
        for index, one in enumerate(order.progress)
    ]
    position = max(end, order.position)
    while position < len(marked) and marked[position].status in DONE:
        position += 1  # a post step that a person has settled before
    return order.but(progress=tuple(marked), position=position)


def _given_up(order: Order) -> Order:
    """Repeats that were still to come do not."""
    marked = tuple(
        one.but(status=StepStatus.FAILED, retry_at=None, stage=None) if one.status in WAITS else one
        for one in order.progress
    )
    return order.but(progress=marked)


def _first_of_post(order: Order) -> int:
    waybill = order.accepted.waybill
    return next((i for i, s in enumerate(waybill) if s.phase is Phase.POST), len(waybill))


def _marked(order: Order, index: int, progress: Progress) -> Order:
    marked = list(order.progress)
    marked[index] = progress
    return order.but(progress=tuple(marked))
