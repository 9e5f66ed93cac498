"""Change address: the customer's own, where things are shipped, or both."""

from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import quote

from plugins.api import Conversation, Done, Reply, Request, Step
from plugins.connectors.stripe.customer import address_of, known_customer, shipping_of
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.subscription import subscription_of
from plugins.connectors.stripe.talking import get, id_of, post, unfit
from plugins.limio import part, text

_KINDS: Mapping[str, tuple[str, ...]] = {
    "billing": ("billing",),
    "delivery": ("delivery",),
    "both": ("billing", "delivery"),
    "all": ("billing", "delivery"),
}


def perform(step: Step[StripeOptions]) -> Conversation:
    """Billing is the customer's address, delivery its shipping."""
    body = _changed(step)
    path = yield from _path(step)
    reply = yield post(step, path, body, call="update-customer")
    return Done(customerId=id_of(reply), changed=_names(body))


def look_up(step: Step[StripeOptions]) -> Conversation:
    """Whether the customer has these addresses."""
    body = _changed(step)
    reply = yield get(step, (yield from _path(step)))
    if all(_holds(reply.body, {name: value}) for name, value in body.items()):
        return Done(customerId=id_of(reply), changed=_names(body))
    return step.not_done()


def _path(step: Step[StripeOptions]) -> Generator[Request, Reply, str]:
    holder = known_customer(step)
    if holder is None:
        held = yield from subscription_of(step)
        holder = text(held, "customer")
    if holder is None:
        raise unfit("customer_missing", "Stripe does not say whose the subscription is")
    return f"/v1/customers/{quote(holder, safe='')}"


def _changed(step: Step[StripeOptions]) -> dict[str, Any]:
    kinds = _kinds(step)
    body: dict[str, Any] = {}
    if "billing" in kinds:
        body["address"] = address_of(part(step.order, "billingDetails"))
    if "delivery" in kinds:
        body["shipping"] = shipping_of(step.order)
        if body["shipping"] is None:
            raise unfit("customer_missing", "deliveryDetails need a name: Stripe wants one")
    return body


def _names(body: Mapping[str, Any]) -> list[str]:
    names = {"address": "billing", "shipping": "delivery"}
    return [kind for member, kind in names.items() if member in body]


def _holds(held: Any, wanted: Mapping[str, Any]) -> bool:
    """Whether all that is wanted is there; what the order leaves open does not count."""
    return all(
        _holds(part(held, name), value)
        if isinstance(value, Mapping)
        else value is None or text(held, name) == value
        for name, value in wanted.items()
    )


def _kinds(step: Step[StripeOptions]) -> tuple[str, ...]:
    """As the order says, else whichever addresses it has."""
    order = step.order
    said = text(order, "addressType")
    given = tuple(kind for kind in ("billing", "delivery") if part(order, f"{kind}Details"))
    wanted = _KINDS.get(said, ()) if said else given
    if not wanted or not set(wanted) <= set(given):
        message = "send billingDetails, deliveryDetails or both, as addressType says"
        raise unfit("address_missing", message)
    return wanted
