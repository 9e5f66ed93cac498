"""Contacts: how Limio's addresses become Zuora's, in orders and beside them."""

from collections.abc import Generator, Mapping
from typing import Any, Final, Literal, TypeAlias

from plugins.api import Reply, Request, Step
from plugins.connectors.zuora.asking import done, path_of
from plugins.connectors.zuora.custom_fields import contact_fields, given
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.numbers import contact_nickname
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import first_text, part, text
from schemas.steps import ErrorKind

Use: TypeAlias = Literal["billing", "delivery"]

CONTACT_FIELDS: Final[Mapping[str, str]] = {
    "firstName": "firstName",
    "lastName": "lastName",
    "address1": "address1",
    "address2": "address2",
    "city": "city",
    "state": "state",
    "county": "county",
    "postalCode": "postalCode",
    "country": "country",
    "email": "personalEmail",
    "workEmail": "workEmail",
    "phone": "mobilePhone",
    "workPhone": "workPhone",
    "otherPhone": "otherPhone",
}
"""Limio's members, and Zuora's names for them in an order."""
_OUTSIDE_ORDERS: Final = {"postalCode": "zipCode"}
_REACH = ("email", "phone")


def contact(
    step: Step[ZuoraOptions],
    address: Mapping[str, Any],
    known: Mapping[str, Any] | None = None,
    *,
    in_order: bool = True,
) -> dict[str, Any]:
    """The address with a person: its own, else the buyer, else `known` (a contact of Zuora's).

    An order without any address still has a country and a buyer.
    """
    order, present = step.order, known or {}
    buyer = part(order, "customerDetails") or part(order, "recipientDetails")
    first, last = _names(address) or _names(buyer) or _names(present) or (None, None)
    if not (first or last):
        message = "the order names nobody to bill; send customerDetails.lastName (or firstName)"
        raise unfit("customer_missing", message, ErrorKind.PERMANENT)
    members = {name: text(address, name) for name in CONTACT_FIELDS}
    members |= {"firstName": first or last, "lastName": last or first}
    for name in _REACH:
        theirs = text(present, CONTACT_FIELDS[name])
        members[name] = first_text(members[name], text(buyer, name), theirs)
    members["country"] = first_text(members["country"], text(order, "country"))
    return {**_named(members, in_order=in_order), **contact_fields(step)}


def details(document: Mapping[str, Any]) -> dict[str, Any]:
    """What the document says of a person or a place, under Zuora's names outside orders."""
    members = {name: text(document, name) for name in CONTACT_FIELDS}
    return _named(members, in_order=False)


def created(
    step: Step[ZuoraOptions], account: str, use: Use, body: Mapping[str, Any]
) -> Generator[Request, Reply, str]:
    """A new contact of the account; its nickname says that it is this order's."""
    request = {**body, "accountNumber": account, "nickname": contact_nickname(step, use)}
    reply = yield from done(step, "POST", path_of("contacts"), request, f"create-{use}-contact")
    return str(reply["id"])


def _names(person: Mapping[str, Any]) -> tuple[str | None, str | None] | None:
    first, last = text(person, "firstName"), text(person, "lastName")
    return (first, last) if first or last else None


def _named(members: Mapping[str, str | None], *, in_order: bool) -> dict[str, Any]:
    renamed = {} if in_order else _OUTSIDE_ORDERS
    return given(
        **{renamed.get(name, CONTACT_FIELDS[name]): value for name, value in members.items()}
    )
