"""Which subscription in Stripe an order changes."""

from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import quote

from plugins.api import Reply, Request, Step
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.talking import get, record_of, unfit
from plugins.limio import first_text, parts, text
from schemas.steps import ErrorKind

_NO_SUCH = frozenset({404})
_OF_STRIPE = "sub_"


def path_of(subscription: str) -> str:
    """Where Stripe has it."""
    return f"/v1/subscriptions/{quote(subscription, safe='')}"


def subscription_of(
    step: Step[StripeOptions],
) -> Generator[Request, Reply, Mapping[str, Any]]:
    """By its id where the order or the entry has it, else by our reference, which it carries."""
    reference = text(step.order, "subscriptionReference") or ""
    named = first_text(
        text(step.mapped, "subscriptionId"), reference if reference.startswith(_OF_STRIPE) else None
    )
    if named is None:
        return (yield from _searched(step, reference))
    reply = yield get(step, path_of(named), accept=_NO_SUCH)
    if not reply.ok:
        raise unfit("subscription_unknown", f"Stripe has no subscription {named}")
    return record_of(reply)


def _searched(
    step: Step[StripeOptions], reference: str
) -> Generator[Request, Reply, Mapping[str, Any]]:
    quoted = reference.replace("\\", "\\\\").replace('"', '\\"')
    query = {"query": f'metadata["subscription_reference"]:"{quoted}"', "limit": 2}
    reply = yield get(step, "/v1/subscriptions/search", query)
    found = parts({"data": reply["data"]}, "data")
    if not found:
        # Stripe's search is a minute behind what was made.
        message = f"Stripe has no subscription with our reference {reference} (yet)"
        raise unfit("subscription_unknown", message, ErrorKind.TRANSIENT)
    if len(found) > 1:
        several = ", ".join(str(text(one, "id")) for one in found)
        message = f"{several} carry our reference {reference}; map `subscriptionId`"
        raise unfit("several_subscriptions_found", message)
    return found[0]
