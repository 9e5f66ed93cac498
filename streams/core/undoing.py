"""What a cancellation or an amendment undoes, and how far back an amendment may reach."""

from dataclasses import replace

from schemas.commands import CommandKind, Revision
from schemas.events import CommandReceived
from schemas.steps import WaybillStep
from streams.core.order import FINAL, Order, StepStatus

_UNDER_WAY = frozenset({StepStatus.COMPENSATING, StepStatus.COMPENSATION_FAILED})


def step_to_undo(order: Order) -> int | None:
    """The step whose compensation comes next for the oldest pending command, newest first.

    None also while a compensation waits for its next attempt or for a person.
    """
    if not order.pending or undoing(order) is not None:
        return None
    command = order.pending[0]
    if command.kind is CommandKind.CANCEL:
        if order.state in FINAL or order.main_completed:
            return None
        targets = list(range(len(order.progress)))
    elif command.kind is CommandKind.AMEND and amend_refusal(order, command) is None:
        assert command.revision is not None
        targets = affected(order, command.revision)
    else:
        return None
    undone = [
        index
        for index in targets
        if order.progress[index].status is StepStatus.SUCCEEDED
        and order.accepted.waybill[index].compensate
    ]
    return max(undone, default=None)


def undoing(order: Order) -> int | None:
    """The step whose compensation has failed so far, waiting or for a person to look at."""
    for index, progress in enumerate(order.progress):
        if progress.status in _UNDER_WAY:
            return index
    return None


def must_wait(order: Order) -> bool:
    """Whether an attempt is open, or something is left to undo."""
    return (
        order.open_at is not None or undoing(order) is not None or step_to_undo(order) is not None
    )


def standing(order: Order) -> tuple[str, ...]:
    """The steps that are done and not undone."""
    return tuple(
        step.id
        for step, one in zip(order.accepted.waybill, order.progress, strict=True)
        if one.status is StepStatus.SUCCEEDED
    )


def affected(order: Order, revision: Revision) -> list[int]:
    """The steps that would be done otherwise under the revision."""
    entries = {step.id: step for step in revision.waybill}
    return [
        index
        for index, step in enumerate(order.accepted.waybill)
        if _differs(step, entries.get(step.id)) or _depends(step, revision)
    ]


def again(order: Order, revision: Revision) -> list[int]:
    """Of those the steps to be done again: undone ones, and what had nothing to do before."""
    return [
        index
        for index in affected(order, revision)
        if order.progress[index].status is StepStatus.COMPENSATED or _had_nothing(order, index)
    ]


def amend_refusal(  # noqa: PLR0911 (a return per rule)
    order: Order, command: CommandReceived
) -> tuple[str, str] | None:
    """Why the order cannot be amended in that way: a code and the reason; None where it can."""
    revision = command.revision
    if order.state in FINAL:
        return "ended", f"the order is {order.state.value}"
    if order.main_completed:
        return "point_of_no_return", "the main phase has ended"
    if revision is None or revision.document is None:
        return "malformed", "the command brings no changes"
    if revision.base != order.accepted.fingerprint:
        return "changed_meanwhile", "another amendment was first; look at the order and ask again"
    for index in affected(order, revision):
        step, progress = order.accepted.waybill[index], order.progress[index]
        if progress.status is StepStatus.SUCCEEDED and not step.compensate:
            return "point_of_no_return", f"step {step.id} is done and cannot be undone"
        if progress.doubt and progress.status not in _UNDER_WAY:
            return "outcome_unknown", f"nobody knows yet what became of step {step.id}"
    return None


def _had_nothing(order: Order, index: int) -> bool:
    """Whether the step was skipped because there was nothing to do, not by a person."""
    one = order.progress[index]
    return one.status is StepStatus.SKIPPED and one.failure is None


def _differs(step: WaybillStep, entry: WaybillStep | None) -> bool:
    return entry is None or replace(entry, retry=step.retry, compensate=step.compensate) != step


def _depends(step: WaybillStep, revision: Revision) -> bool:
    return step.reads is None or not set(step.reads).isdisjoint(revision.changed)
