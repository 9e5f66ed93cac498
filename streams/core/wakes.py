"""What a resting order waits for: a time, a stage, or neither."""

from datetime import datetime
from typing import NamedTuple

from streams.core.order import WAITS, Order
from streams.core.undoing import undoing


class Wake(NamedTuple):
    """`due` is when its next attempt opens; `stage` the stage that takes deferred steps again."""

    due: datetime | None
    stage: str | None


def waiting(order: Order) -> list[int]:
    """The steps that wait for their next attempt; none but the one that is being undone."""
    waits = [index for index, one in enumerate(order.progress) if one.status in WAITS]
    stuck = undoing(order) if waits else None
    return waits if stuck is None else [index for index in waits if index == stuck]


def wake(order: Order) -> Wake | None:
    """What the order waits for; None where nothing but an event of the log wakes it."""
    if order.open_at is not None:
        return None
    if (order.paused or order.behind is not None) and not order.pending:
        return None
    waits = [order.progress[index] for index in waiting(order)]
    if not waits:
        return None
    due = min(
        (one.retry_at for one in waits if one.stage is None and one.retry_at is not None),
        default=None,
    )
    stage = next((one.stage for one in waits if one.stage is not None), None)
    return None if due is None and stage is None else Wake(due, stage)
