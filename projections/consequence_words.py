"""The sentences in which an operator is told what a command is about to do."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from projections.moments import short
from projections.standing import next_action
from schemas.commands import CommandKind
from schemas.events import (
    CommandReceived,
    Fact,
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
    StepSkipped,
)
from schemas.steps import OnUnknown, WaybillStep
from streams.core.decide import RunStep
from streams.core.order import Order, Progress, StepStatus


class Turn(NamedTuple):
    """One fact, the order that it is about before and after it, and the command asked."""

    before: Order
    after: Order
    fact: Any
    asked: CommandReceived

    @property
    def is_answer(self) -> bool:
        """Whether the fact answers the command."""
        return getattr(self.fact, "command", None) == self.asked.command


def words_of(turn: Turn) -> Iterator[str]:
    """The sentences about a fact; none about what goes without saying."""
    words = _WORDS.get(type(turn.fact))
    if words is not None:
        yield from words(turn)


def doing(order: Order, attempt: RunStep) -> str:
    """What the command waits for."""
    step = _step(order, attempt.step)
    if attempt.compensate:
        return (
            f"Step {step.id} is undone: {step.plugin} is called for that. If it fails for good, a"
            " person is asked before anything else happens."
        )
    return (
        f"The attempt of step {step.id} that is under way ends first, and its result counts; what"
        " follows is so if it succeeds."
    )


def runs(order: Order, attempt: RunStep) -> str:
    """What is sent next."""
    step = _step(order, attempt.step)
    if attempt.compensate:
        return f"Step {step.id} is undone: {step.plugin} is called for that."
    if step.items == ():
        return f"Step {step.id} is passed: it has nothing to do for this order."
    return f"Step {step.id} runs: {step.plugin} is called.{_doubt(step, order.opened)}"


def still_to_come(order: Order, attempt: RunStep) -> Iterator[str]:
    """The steps behind the one that runs."""
    at = order.index_of(attempt.step)
    assert at is not None
    behind = [
        step.id
        for step, one in list(zip(order.accepted.waybill, order.progress, strict=True))[at + 1 :]
        if one.status is StepStatus.PENDING
    ]
    if behind and not attempt.compensate:
        yield f"If it succeeds, the order goes on with {_list(behind)}."


def following(order: Order) -> Iterator[str]:
    """What an order that rests waits for."""
    action = next_action(order)
    if not order.paused and action != "none":
        yield f"Then: {action}."


def _reopened(turn: Turn) -> Iterator[str]:
    kind, step, run = turn.asked.kind, turn.fact.step, turn.after.run
    if kind is CommandKind.FORCE_COMPLETE:
        yield f"Run {run} begins, behind the main phase."
        yield from _skipped(turn)
    elif kind is CommandKind.SKIP:
        yield f"Run {run} begins behind step {step}, which counts as skipped."
        yield _NOTHING_HANDED_ON
    elif kind is CommandKind.RESOLVE:
        yield f"Run {run} begins behind step {step}, which counts as succeeded."
        yield _handed_on(step)
    else:
        yield f"Run {run} begins with step {step}; what succeeded before keeps its results."
        yield from _waybill(turn)


_NOTHING_HANDED_ON = "Its plugin is not called, and later steps get nothing from it."


def _handed_on(step: str) -> str:
    return f"Later steps read the output that you give as context.{step}."


def _due(turn: Turn) -> Iterator[str]:
    step = _step(turn.before, turn.fact.step)
    one = turn.before.progress[turn.before.index_of(step.id) or 0]
    instead = ""
    if one.stage is not None:
        instead = f" instead of when stage {one.stage} takes more"
    elif one.retry_at is not None:
        instead = f" instead of at {short(one.retry_at)}"
    if turn.is_answer:
        yield f"Step {step.id} is tried again now{instead}; its attempts are counted anew."
    else:
        yield f"Step {step.id} is tried again."


def _doubt(step: WaybillStep, one: Progress) -> str:
    if not one.doubt:
        return ""
    if step.on_unknown is OnUnknown.REPEAT:
        return (
            " Nobody knows what became of the last attempt: it is repeated with the same keys, by"
            " which the partner knows it again."
        )
    return " What became of the last attempt is looked up before anything is sent again."


def _resolved(turn: Turn) -> Iterator[str]:
    step = turn.fact.step
    at = turn.after.index_of(step)
    assert at is not None
    was, now = turn.before.progress[at].status, turn.after.progress[at].status
    if was is StepStatus.SUCCEEDED:
        yield f"What step {step} has left to do counts as done."
        yield f"What you give is added to context.{step}."
    elif now is StepStatus.COMPENSATED:
        yield f"Step {step} counts as undone; nothing is sent for it."
    elif now is StepStatus.SKIPPED:
        yield f"Step {step} counts as skipped."
        yield _NOTHING_HANDED_ON
    else:
        yield f"Step {step} counts as succeeded, without its plugin being called."
        yield _handed_on(step)


def _paused(turn: Turn) -> Iterator[str]:
    del turn
    yield "Nothing more is sent for this order until somebody resumes it; orders behind it wait."


def _resumed(turn: Turn) -> Iterator[str]:
    del turn
    yield "The order goes on where it was paused."


def _cancelled(turn: Turn) -> Iterator[str]:
    yield "The order ends as cancelled, for good: it cannot be opened again."
    doubtful = [
        step.id
        for step, one in zip(turn.before.accepted.waybill, turn.before.progress, strict=True)
        if one.doubt
    ]
    if doubtful:
        yield f"Nobody knows what became of {_list(doubtful)}: look at the partner."
    if turn.fact.standing:
        yield f"What these steps did stays with the partners: {_list(turn.fact.standing)}."
    elif not doubtful:
        yield "Nothing that its steps did is left with the partners."
    unsent = [
        step.id
        for step, one in zip(turn.before.accepted.waybill, turn.before.progress, strict=True)
        if one.status in {StepStatus.PENDING, StepStatus.WAITING}
    ]
    if unsent:
        yield f"Not sent any more: {_list(unsent)}."


def _amended(turn: Turn) -> Iterator[str]:
    yield "The order is what you sent from now on."
    revision = turn.asked.revision
    if revision is not None and revision.changed:
        yield f"Changed: {_list(revision.changed)}."
    yield from _waybill(turn)
    again = [
        step
        for step, was, now in _progress(turn)
        if was is not StepStatus.PENDING and now is StepStatus.PENDING
    ]
    if again:
        yield f"Done again: {_list(again)}."


def _waybill(turn: Turn) -> Iterator[str]:
    """Steps that come and go with another waybill."""
    before = [step.id for step in turn.before.accepted.waybill]
    after = [step.id for step in turn.after.accepted.waybill]
    came = [step for step in after if step not in before]
    went = [step for step in before if step not in after]
    if came:
        yield f"Steps that come: {_list(came)}."
    if went:
        yield f"Steps that go: {_list(went)}."
    versions = turn.before.accepted.config_version, turn.after.accepted.config_version
    if versions[0] != versions[1]:
        yield f"It runs under configuration {versions[1]}, not {versions[0]}."


def _main_completed(turn: Turn) -> Iterator[str]:
    if turn.is_answer:
        yield from _skipped(turn)
    yield "The main phase counts as completed: the order can no longer fail or be cancelled."


def _completed(turn: Turn) -> Iterator[str]:
    if turn.is_answer:
        yield from _skipped(turn)
    yield f"The order ends as complete ({turn.fact.completion})."


def _skipped(turn: Turn) -> Iterator[str]:
    passed = [
        step
        for step, was, now in _progress(turn)
        if now is StepStatus.SKIPPED and was is not StepStatus.SKIPPED
    ]
    if passed:
        yield f"Skipped without being sent: {_list(passed)}."


def _queued(turn: Turn) -> Iterator[str]:
    if turn.fact.passed_by is not None:
        yield f"Order {turn.before.id} lets it pass, and waits behind it."
    else:
        yield f"It queues behind {turn.fact.behind}, which is before it in its lane."


def _released(turn: Turn) -> Iterator[str]:
    del turn
    yield "It leaves its queue."


def _passed(turn: Turn) -> Iterator[str]:
    yield f"Step {turn.fact.step} is passed: {turn.fact.reason}."


def _failed(turn: Turn) -> Iterator[str]:
    yield f"The run ends as failed at step {turn.fact.step}."


def _progress(turn: Turn) -> list[tuple[str, StepStatus, StepStatus]]:
    """Of the steps that are in both waybills: the id, and how it stood and stands."""
    known = {
        step.id: one.status
        for step, one in zip(turn.before.accepted.waybill, turn.before.progress, strict=True)
    }
    return [
        (step.id, known[step.id], one.status)
        for step, one in zip(turn.after.accepted.waybill, turn.after.progress, strict=True)
        if step.id in known
    ]


def _step(order: Order, name: str) -> WaybillStep:
    at = order.index_of(name)
    assert at is not None, "the core names steps of the waybill"
    return order.accepted.waybill[at]


def _list(names: Any) -> str:
    return ", ".join(names)


_WORDS: Mapping[type[Fact], Callable[[Turn], Iterator[str]]] = {
    OrderReopened: _reopened,
    RetryDue: _due,
    StepResolved: _resolved,
    OrderPaused: _paused,
    OrderResumed: _resumed,
    OrderCancelled: _cancelled,
    OrderAmended: _amended,
    MainPhaseCompleted: _main_completed,
    OrderCompleted: _completed,
    OrderQueued: _queued,
    OrderReleased: _released,
    StepSkipped: _passed,
    OrderFailed: _failed,
}
