"""Commands: the consequence of each in every state of an order, or why it comes to nothing."""

from collections.abc import Callable, Mapping

from schemas.commands import CommandKind
from schemas.events import (
    CommandReceived,
    CommandRejected,
    Fact,
    MainPhaseCompleted,
    OrderAmended,
    OrderCancelled,
    OrderCompleted,
    OrderPaused,
    OrderQueued,
    OrderReleased,
    OrderReopened,
    OrderResumed,
    RetryDue,
    StepResolved,
)
from streams.core import lanes
from streams.core.decisions import Append, Decision, Surroundings
from streams.core.follow_ups import finished_by
from streams.core.order import DONE, FINAL, REPEATABLE, Order, State, StepStatus
from streams.core.undoing import again, amend_refusal, must_wait, standing, undoing

_STEERED = frozenset({CommandKind.RETRY, CommandKind.SKIP, CommandKind.RESOLVE})
_STOPPING = frozenset({CommandKind.PAUSE, CommandKind.CANCEL, CommandKind.AMEND})


def answered(order: Order, around: Surroundings, completion: str) -> Decision | None:
    """The answer to the oldest pending command; None while it waits for the open attempt.

    While a compensation has failed, its command waits for a person: commands about that step are
    answered before it.
    """
    command = order.pending[0]
    answer = _answer(order, command, around, completion)
    if answer is not None:
        return answer
    stuck = undoing(order)
    if order.open_at is not None or stuck is None:
        return None
    for later in order.pending[1:]:
        if later.kind in _STEERED and order.index_of(later.step) in {None, stuck}:
            return _answer(order, later, around, completion)
        return _rejected(order, later, "compensating", f"it is being undone for {command.command}")
    return None


def wants_stop(order: Order) -> bool:
    """Whether somebody waits for the open attempt to be over: an unsent one is not sent.

    What is being undone is what they asked for.
    """
    return not order.compensating and any(one.kind in _STOPPING for one in order.pending)


def _answer(
    order: Order, command: CommandReceived, around: Surroundings, completion: str
) -> Decision | None:
    if command.kind is CommandKind.RELEASE:
        return _release(order, command, around)
    if command.kind is CommandKind.FORCE_COMPLETE:
        answer = _force_complete(order, command, completion)
    else:
        answer = _ANSWERS[command.kind](order, command)
    if answer is None:
        return None
    return Append(answer, order) if not isinstance(answer, Append) else answer


def _rejected(order: Order, command: CommandReceived, code: str, reason: str) -> Append:
    fact = CommandRejected(
        expected=order.sequence, command=command.command, code=code, reason=reason
    )
    return Append(fact, order)


def _ended(order: Order, command: CommandReceived) -> Append:
    return _rejected(order, command, "ended", f"the order is {order.state.value}")


def _pause(order: Order, command: CommandReceived) -> Append | Fact | None:
    if order.state in {*FINAL, State.FAILED}:
        return _ended(order, command)
    if order.paused:
        return _rejected(order, command, "already_paused", "the order is paused already")
    if order.open_at is not None:
        return None
    return OrderPaused(expected=order.sequence, command=command.command)


def _resume(order: Order, command: CommandReceived) -> Append | Fact | None:
    if not order.paused:
        return _rejected(order, command, "not_paused", "the order is not paused")
    return OrderResumed(expected=order.sequence, command=command.command)


def _cancel(order: Order, command: CommandReceived) -> Append | Fact | None:
    if order.state in FINAL:
        return _ended(order, command)
    if order.main_completed:
        return _rejected(order, command, "too_late", "the main phase has ended")
    if must_wait(order):
        return None
    return OrderCancelled(
        expected=order.sequence, command=command.command, standing=standing(order)
    )


def _amend(order: Order, command: CommandReceived) -> Append | Fact | None:
    if order.open_at is not None and not order.compensating:
        return None
    refusal = amend_refusal(order, command)
    if refusal is not None:
        return _rejected(order, command, *refusal)
    if must_wait(order):
        return None
    assert command.revision is not None
    repeated = again(order, command.revision)
    first = order.accepted.waybill[min(repeated)].id if repeated else None
    return OrderAmended(expected=order.sequence, command=command.command, from_step=first)


def _retry(order: Order, command: CommandReceived) -> Append | Fact | None:  # noqa: PLR0911 (a return per rule)
    if order.state is State.FAILED and undoing(order) is None:
        return _reopen(order, command)
    if command.revision is not None:
        return _rejected(
            order, command, "not_failed", "only a failed order is retried under another waybill"
        )
    stopped = _stopped(order, command)
    if stopped is not None:
        return stopped
    index = _meant(order, command)
    if index is None and any(one.status in REPEATABLE for one in order.progress):
        return _rejected(order, command, "no_such_step", "name the step that is meant")
    if index is None or order.progress[index].status not in REPEATABLE:
        under_way = index is not None and index == order.open_at
        code = "under_way" if under_way else "nothing_to_retry"
        return _rejected(order, command, code, "no step of it waits, has failed or is in doubt")
    if order.open_at is not None:
        return None
    step = order.accepted.waybill[index].id
    return RetryDue(expected=order.sequence, command=command.command, step=step)


def _settle(order: Order, command: CommandReceived) -> Append | Fact | None:  # noqa: PLR0911 (a return per rule)
    """Skip or resolve."""
    left = _left_behind(order, command)
    if left is not None:
        return left
    if order.state is State.FAILED and undoing(order) is None:
        return _reopen(order, command)
    if order.state is State.CANCELLED:
        return _ended(order, command)
    index = _meant(order, command)
    if index is None:
        return _rejected(order, command, "no_such_step", "name the step that is meant")
    if order.open_at == index:
        return None
    status = order.progress[index].status
    if status in DONE or status is StepStatus.COMPENSATED:
        return _rejected(order, command, "already_done", f"the step is {status.value}")
    step = order.accepted.waybill[index].id
    return StepResolved(expected=order.sequence, command=command.command, step=step)


def _left_behind(order: Order, command: CommandReceived) -> Fact | None:
    """A person has done what a finished step left to do; where none is named, nothing else stops.

    A step that is being undone at this moment leaves nothing.
    """
    index = finished_by(order, command)
    if index is None or index == order.open_at:
        return None
    if command.step is None and (order.state is State.FAILED or _meant(order, command) is not None):
        return None
    step = order.accepted.waybill[index].id
    return StepResolved(expected=order.sequence, command=command.command, step=step)


def _reopen(order: Order, command: CommandReceived) -> Append | Fact | None:
    if order.open_at is not None:
        return None
    failed = order.failed_step if order.index_of(order.failed_step) is not None else None
    if failed is None and order.step is not None:
        failed = order.step.id
    other = command.step not in {None, failed} and command.kind is not CommandKind.FORCE_COMPLETE
    if failed is None or other:
        reason = f"the order failed at step {order.failed_step}"
        return _rejected(order, command, "another_step", reason)
    if command.revision is not None and command.revision.base != order.accepted.fingerprint:
        return _rejected(
            order, command, "changed_meanwhile", "the order was amended meanwhile; ask again"
        )
    if command.revision is not None and order.progress[order.index_of(failed) or 0].doubt:
        return _rejected(
            order, command, "outcome_unknown", f"nobody knows what became of step {failed}"
        )
    return OrderReopened(expected=order.sequence, command=command.command, step=failed)


def _stopped(order: Order, command: CommandReceived) -> Append | None:
    if order.state is State.CANCELLED:
        return _ended(order, command)
    if undoing(order) is not None:
        return None
    if order.paused:
        return _rejected(order, command, "paused", "the order is paused; resume it first")
    if order.behind is not None:
        reason = f"the order is queued behind {order.behind}; release it first"
        return _rejected(order, command, "queued", reason)
    return None


def _meant(order: Order, command: CommandReceived) -> int | None:
    """The step that the command names, else the one that stopped the order."""
    if command.step is not None:
        return order.index_of(command.step)
    stuck = undoing(order)
    if stuck is not None:
        return stuck
    if order.open_at is not None:
        return order.open_at
    standing = order.position
    if standing < len(order.progress) and order.progress[standing].status in REPEATABLE:
        return standing
    left = [i for i, one in enumerate(order.progress) if one.status in REPEATABLE]
    return left[0] if len(left) == 1 else None


def _force_complete(  # noqa: PLR0911 (a return per rule)
    order: Order, command: CommandReceived, completion: str
) -> Append | Fact | None:
    if order.state in FINAL:
        return _ended(order, command)
    stopped = _stopped(order, command)
    if stopped is not None:
        return stopped
    if order.open_at is not None:
        return None
    if order.state is State.FAILED:
        return _reopen(order, command)
    if not order.main_completed:
        return MainPhaseCompleted(expected=order.sequence, command=command.command)
    return OrderCompleted(expected=order.sequence, command=command.command, completion=completion)


def _release(order: Order, command: CommandReceived, around: Surroundings) -> Append:
    if order.behind is None:
        return _rejected(order, command, "not_queued", "the order is not queued")
    earlier = lanes.before(order, around.lane)
    for other in earlier:
        if not lanes.is_at_rest(other):
            return _rejected(order, command, "at_work", f"{other.id} is at work; wait for it")
    if not earlier:
        return Append(OrderReleased(expected=order.sequence, command=command.command), order)
    passed = earlier[0]
    fact = OrderQueued(expected=passed.sequence, behind=order.id, passed_by=order.offset)
    return Append(fact, passed)


_ANSWERS: Mapping[CommandKind, Callable[[Order, CommandReceived], Append | Fact | None]] = {
    CommandKind.PAUSE: _pause,
    CommandKind.RESUME: _resume,
    CommandKind.CANCEL: _cancel,
    CommandKind.AMEND: _amend,
    CommandKind.RETRY: _retry,
    CommandKind.SKIP: _settle,
    CommandKind.RESOLVE: _settle,
}
