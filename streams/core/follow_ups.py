"""Follow-ups: what a step that succeeded has left for a person to do."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from schemas.commands import CommandKind
from schemas.events import CommandReceived
from streams.core.order import Order, StepStatus

MEMBER = "follow_up"
"""The member of a step's output that says so: `{"code": ..., "message": ...}`."""


class FollowUp(NamedTuple):
    """`code` is for programs, `message` for the person."""

    code: str
    message: str


def follow_up_of(output: Mapping[str, Any]) -> FollowUp | None:
    """What the step that handed this on has left, if it left anything."""
    given = output.get(MEMBER)
    if not isinstance(given, Mapping):
        return None
    return FollowUp(str(given.get("code", "")), str(given.get("message", "")))


def follow_ups(order: Order) -> Iterator[tuple[int, FollowUp]]:
    """The steps of the order that have left something, by their place in the waybill."""
    for step, output in order.context.items():
        if MEMBER in output:
            index, left = order.index_of(step), follow_up_of(output)
            if index is not None and left is not None and _stands(order, index):
                yield index, left


def finished_by(order: Order, command: CommandReceived | None) -> int | None:
    """The step whose follow-up the command brings the result of: the named one, else the only."""
    if command is None or command.kind is not CommandKind.RESOLVE:
        return None
    left = [index for index, _ in follow_ups(order)]
    if command.step is not None:
        index = order.index_of(command.step)
        return index if index in left else None
    return left[0] if len(left) == 1 else None


def without(output: Mapping[str, Any]) -> dict[str, Any]:
    """What the step handed on, with nothing left to do."""
    return {name: value for name, value in output.items() if name != MEMBER}


def _stands(order: Order, index: int) -> bool:
    return order.progress[index].status is StepStatus.SUCCEEDED
