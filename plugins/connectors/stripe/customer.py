"""Who is billed in Stripe: matched by e-mail address or made, and brought up to date."""

from collections.abc import Generator, Mapping
from typing import Any
from urllib.parse import quote

from plugins.api import Reply, Request, Step
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.talking import get, id_of, post, unfit
from plugins.limio import first_text, part, parts, text

_ADDRESS = {
    "address1": "line1",
    "address2": "line2",
    "city": "city",
    "state": "state",
    "postalCode": "postal_code",
    "country": "country",
}
"""Limio's address members, and Stripe's names for them."""


def customer(step: Step[StripeOptions]) -> Generator[Request, Reply, str]:
    """The id of the buyer's customer, with the billing details of the order."""
    known = known_customer(step)
    if known is None and step.options.match_by_email:
        known = _ours(step, (yield from with_email(step)))
    body = _details(step)
    if known is None:
        reply = yield post(step, "/v1/customers", body, call="create-customer")
    else:
        path = f"/v1/customers/{quote(known, safe='')}"
        reply = yield post(step, path, body, call="update-customer")
    return id_of(reply)


def known_customer(step: Step[StripeOptions]) -> str | None:
    """The customer that the entry maps, or that the checkout made."""
    made = text(step.order, "payment", "stripe", "customerId")
    return first_text(text(step.mapped, "customerId"), made)


def with_email(step: Step[StripeOptions]) -> Generator[Request, Reply, list[Mapping[str, Any]]]:
    """All customers with the buyer's address; a list is never behind, as Stripe's search is."""
    email = text(step.order, "customerDetails", "email")
    if email is None:
        message = "the order names nobody to bill; send customerDetails.email"
        raise unfit("customer_missing", message)
    reply = yield get(step, "/v1/customers", {"email": email, "limit": 100})
    return parts({"data": reply["data"]}, "data")


def address_of(address: Mapping[str, Any]) -> dict[str, str | None]:
    """An address in Stripe's terms."""
    return {theirs: text(address, ours) for ours, theirs in _ADDRESS.items()}


def shipping_of(order: Mapping[str, Any]) -> dict[str, Any] | None:
    """Where things go; Stripe wants a name with it."""
    delivered = part(order, "deliveryDetails")
    name = _name(delivered) or _name(part(order, "customerDetails"))
    if not delivered or name is None:
        return None
    return {"name": name, "phone": text(delivered, "phone"), "address": address_of(delivered)}


def _ours(step: Step[StripeOptions], found: list[Mapping[str, Any]]) -> str | None:
    """Of several with one address the one that is marked with the order's owner."""
    owner = text(step.order, "owner")
    marked = (text(one, "id") for one in found if text(one, "metadata", "owner") == owner)
    return next(marked, None) or next((text(one, "id") for one in found), None)


def _details(step: Step[StripeOptions]) -> dict[str, Any]:
    order = step.order
    buyer, billed = part(order, "customerDetails"), part(order, "billingDetails")
    return {
        "name": first_text(text(buyer, "companyName"), _name(buyer), _name(billed)),
        "email": first_text(text(buyer, "email"), text(billed, "email")),
        "phone": first_text(text(buyer, "phone"), text(billed, "phone")),
        "address": address_of(billed),
        "shipping": shipping_of(order),
        "metadata": {"owner": text(order, "owner")},
    }


def _name(person: Mapping[str, Any]) -> str | None:
    names = (text(person, "firstName"), text(person, "lastName"))
    return " ".join(name for name in names if name) or None
