"""What the outside sees of an order: the shapes of the API, from the folded order alone."""

from datetime import datetime
from typing import Any

from projections.orders import status_word
from schemas.steps import Failure, WaybillStep
from streams.core.decide import CHANGE_COMPLETE, COMPLETIONS
from streams.core.order import Order, Progress, State


def order_shape(order: Order) -> dict[str, Any]:
    """The Order shape. Nothing of the document and nothing sealed is in it."""
    accepted = order.accepted
    return {
        "id": order.id,
        "order_reference": accepted.order_reference,
        "status": status_word(order.state),
        "external_id": accepted.external_id,
        "subscriptionReference": accepted.subscription_reference,
        "owner": accepted.owner,
        "order_type": accepted.order_type,
        "mode": accepted.mode,
        "created": iso(order.created),
        "updated": iso(order.updated),
        "config_version": accepted.config_version,
        "lane": order.lane,
        "next_action": next_action(order),
        "steps": [
            _step(step, progress)
            for step, progress in zip(accepted.waybill, order.progress, strict=True)
        ],
        "run": order.run,
        "completion": completion(order),
        "error": order_error(order),
    }


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 with the offset +00:00."""
    return None if moment is None else moment.isoformat()


def completion(order: Order) -> str | None:
    """How a good order ended, or None before that."""
    if order.state is not State.COMPLETED:
        return None
    return COMPLETIONS.get(order.accepted.order_type, CHANGE_COMPLETE)


def order_error(order: Order) -> dict[str, Any] | None:
    """What stopped the order. Only `code` and `buyer_message` are fit for everybody."""
    stopped = stopped_at(order)
    if stopped is None:
        return None
    step, failure = stopped
    return {
        "code": failure.code,
        "buyer_message": failure.buyer_message,
        "step": step.id,
        "plugin": step.plugin,
        "message": failure.message,
    }


def stopped_at(order: Order) -> tuple[WaybillStep, Failure] | None:
    """The step that stopped the order, and why; None where nothing did."""
    step = order.step
    failure = order.failure
    if order.state is State.IN_DOUBT:
        failure = order.progress[order.position].failure
    return None if step is None or failure is None else (step, failure)


def next_action(order: Order) -> str:
    """What happens next, in words for people."""
    stopped = stopped_at(order)
    match order.state:
        case State.COMPLETED:
            return "none"
        case State.FAILED | State.IN_DOUBT if stopped is not None:
            step, failure = stopped
            became = "failed" if order.state is State.FAILED else "has an unknown outcome"
            return f"needs a person: step {step.id} {became} ({failure.code})"
    step_next = order.open_step
    if step_next is not None:
        return f"runs step {step_next.id}"
    return "ends as failed" if order.failure is not None else "ends its phase"


def _step(step: WaybillStep, progress: Progress) -> dict[str, Any]:
    failure = progress.failure
    return {
        "id": step.id,
        "name": step.plugin,
        "service": step.service,
        "phase": step.phase.value,
        "critical": step.critical,
        "status": progress.status.value,
        "attempts": progress.attempts,
        "error": None
        if failure is None
        else {"code": failure.code, "kind": failure.kind.value, "message": failure.message},
        "started": iso(progress.started),
        "ended": iso(progress.ended),
    }
