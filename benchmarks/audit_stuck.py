"""What an order that is at no end waits for, in words."""

from collections.abc import Iterator
from datetime import UTC, datetime

from projections.stage_states import StageStates
from projections.store import Store
from streams.core.order import Order, Progress
from streams.core.wakes import waiting


def waits_for(order: Order) -> str:
    """As far as the log tells, in one line; clock times are UTC."""
    what = ", ".join(_reasons(order)) or "nothing that the log tells"
    return f"{order.id}: {order.state.value}: {what}; last event {_clock(order.updated)}"


def stage_lines(store: Store, tenant: str) -> list[str]:
    """How each worker's stages are that let not everything through, one line each."""
    return [
        f"{one['stage']} of {one['worker']}: breaker {one['breaker']} for {one['open_s']:.0f} s,"
        f" opened {one['opened']} times, {one['waiting']} waiting, held: {one['held']}"
        for one in StageStates(store).of(tenant, datetime.now(UTC))
        if one["held"] or one["opened"] or one["waiting"]
    ]


def _reasons(order: Order) -> Iterator[str]:
    waybill = order.accepted.waybill
    if order.behind is not None:
        yield f"behind {order.behind}"
    if order.open_step is not None:
        by = "" if order.started_by is None else f", started by {order.started_by}"
        yield f"attempt {order.opened.attempt} of {order.open_step.id} is open{by}"
    for index in waiting(order):
        yield f"{waybill[index].id} {_next_attempt(order.progress[index])}"
    for command in order.pending:
        yield f"{command.kind.value} {command.command} has no answer"


def _next_attempt(one: Progress) -> str:
    after = "" if one.failure is None else f" after {one.failure.code}"
    if one.stage is not None:
        return f"waits for attempt {one.attempt}{after}, when {one.stage} takes it"
    when = "at once" if one.retry_at is None else f"at {_clock(one.retry_at)}"
    return f"waits for attempt {one.attempt}{after}, {when}"


def _clock(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S")
