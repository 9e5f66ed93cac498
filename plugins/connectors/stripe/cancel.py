"""Cancel: at the end of the period that is paid, on a day, or now."""

import re
from collections.abc import Mapping
from typing import Any, Literal

from plugins.api import Conversation, Done, Failed, Outcome, Step
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.subscription import path_of, subscription_of
from plugins.connectors.stripe.talking import day_of, delete, post, record_of, timestamp, unfit
from plugins.limio import day, first_text, part, text
from schemas.steps import ErrorKind

_NOW = frozenset({"immediately", "immediate", "now", "today"})
_BETWEEN_WORDS = re.compile(r"[^a-z0-9]+")
_CALL = "cancel-subscription"
_BUYER_MESSAGE = "This subscription has ended already."


def perform(step: Step[StripeOptions]) -> Conversation:
    """Sets an end; nothing is given back."""
    end = _end(step)
    held = yield from subscription_of(step)
    if text(held, "status") == "canceled":
        return _ended(step, held)
    path = path_of(str(held["id"]))
    details = {"cancellation_details": _details(step)}
    if end == "now":
        reply = yield delete(step, path, {**details, "prorate": False}, call=_CALL)
    else:
        wanted = {"cancel_at_period_end": True} if end == "end_of_period" else {"cancel_at": end}
        body = {**wanted, "proration_behavior": "none", **details}
        reply = yield post(step, path, body, call=_CALL)
    return _done(record_of(reply))


def look_up(step: Step[StripeOptions]) -> Conversation:
    """Whether the subscription has the end that this order sets."""
    end = _end(step)
    held = yield from subscription_of(step)
    if not _is_ours(step, held):
        return step.not_done()
    at_end = end == "end_of_period" and held.get("cancel_at_period_end") is True
    is_set = at_end or held.get("cancel_at") == end or text(held, "status") == "canceled"
    return _done(held) if is_set else step.not_done()


def _end(step: Step[StripeOptions]) -> int | Literal["now", "end_of_period"]:
    """What the order itself says wins; Stripe counts a day from its first second on."""
    given = text(step.order, "effectiveDate")
    if given is None:
        return step.options.cancel
    found = day(given)
    if found is not None:
        return timestamp(found)
    word = _BETWEEN_WORDS.sub("_", given.lower()).strip("_")
    if word in _NOW:
        return "now"
    if word.startswith("end_of_"):
        return "end_of_period"
    message = f"effectiveDate {given!r} is no ISO date, nor immediately, nor end of billing period"
    raise unfit("effective_date", message)


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
