"""What the outside sees of an order: the shapes of the API, from the folded order alone."""

from typing import Any

from projections.moments import iso
from projections.orders import status_word
from projections.standing import Pause, next_action, stopped_at
from schemas.events import CommandReceived
from schemas.steps import WaybillStep
from streams.core.decide import CHANGE_COMPLETE, COMPLETIONS
from streams.core.order import Order, Progress, State


def order_shape(order: Order, pause: Pause | None = None) -> dict[str, Any]:
    """The Order shape. Nothing of the document and nothing sealed is in it.

    `pause` is who paused the order, where it is paused and somebody has looked.
    """
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
        "next_action": next_action(order, pause),
        "queued_behind": order.behind,
        "pending_commands": [_command(command) for command in order.pending],
        "steps": [
            _step(step, progress)
            for step, progress in zip(accepted.waybill, order.progress, strict=True)
        ],
        "run": order.run,
        "completion": completion(order),
        "error": order_error(order),
    }


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


def _command(command: CommandReceived) -> dict[str, Any]:
    return {"id": command.command, "kind": command.kind.value, "step": command.step}


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
        "attempt": progress.attempt,
        "next_attempt": iso(progress.retry_at),
        "deferred_by": progress.stage,
        "error": None
        if failure is None
        else {"code": failure.code, "kind": failure.kind.value, "message": failure.message},
        "started": iso(progress.started),
        "ended": iso(progress.ended),
    }
