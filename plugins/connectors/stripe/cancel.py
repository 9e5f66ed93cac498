"""Cancel: at the end of the period that is paid, on a day, or now."""

from collections.abc import Mapping
from typing import Any

from plugins.api import Conversation, Done, Failed, Outcome, Step
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.subscription import path_of, subscription_of
from plugins.connectors.stripe.talking import day_of, delete, post, timestamp, unfit
from plugins.limio import day, first_text, part, text
from schemas.steps import ErrorKind

_CALL = "cancel-subscription"
_BUYER_MESSAGE = "This subscription has ended already."


def perform(step: Step[StripeOptions]) -> Conversation:
    """Sets an end; nothing is given back."""
    asked = _asked_for(step)
    held = yield from subscription_of(step)
    if text(held, "status") == "canceled":
        return _ended(step, held)
    path = path_of(str(held["id"]))
    if asked is None and step.options.cancel == "now":
        body = {"cancellation_details": _details(step), "prorate": False}
        reply = yield delete(step, path, body, call=_CALL)
    else:
        end = {"cancel_at": asked} if asked else {"cancel_at_period_end": True}
        body = {**end, "proration_behavior": "none", "cancellation_details": _details(step)}
        reply = yield post(step, path, body, call=_CALL)
    return _done({**reply.body, "id": reply["id"]})


def look_up(step: Step[StripeOptions]) -> Conversation:
    """Whether the subscription has the end that this order sets."""
    asked = _asked_for(step)
    held = yield from subscription_of(step)
    if not _is_ours(step, held):
        return step.not_done()
    set_ = held.get("cancel_at") == asked if asked else held.get("cancel_at_period_end") is True
    return _done(held) if set_ or text(held, "status") == "canceled" else step.not_done()


def _asked_for(step: Step[StripeOptions]) -> int | None:
    """A day that the order itself names wins; Stripe counts from its first second on."""
    given = text(step.order, "effectiveDate")
    found = day(given)
    if given is not None and found is None:
        raise unfit("effective_date", f"effectiveDate {given!r} is no ISO date such as 2026-03-01")
    return None if found is None else timestamp(found)


def _details(step: Step[StripeOptions]) -> dict[str, str]:
    """The reason, and by whose order it was: a repetition knows its own work by it."""
    reason = part(step.order, "data", "reason")
    said = first_text(text(reason, "text"), text(reason, "id"))
    return {"comment": f"{said or 'cancelled'} ({step.order['id']})"}


def _is_ours(step: Step[StripeOptions], held: Mapping[str, Any]) -> bool:
    return str(step.order["id"]) in (text(held, "cancellation_details", "comment") or "")


def _ended(step: Step[StripeOptions], held: Mapping[str, Any]) -> Outcome:
    if _is_ours(step, held):
        return _done(held)
    message = f"the subscription {text(held, 'id')} is cancelled already"
    return Failed(ErrorKind.PERMANENT, "subscription_cancelled", message, _BUYER_MESSAGE)


def _done(held: Mapping[str, Any]) -> Done:
    ends = next(
        (held[name] for name in ("ended_at", "cancel_at") if held.get(name)),
        held.get("current_period_end"),
    )
    output = {
        "subscriptionId": text(held, "id"),
        "customerId": text(held, "customer"),
        "status": text(held, "status"),
        "effectiveDate": day_of(ends),
    }
    return Done(**{name: value for name, value in output.items() if value})
