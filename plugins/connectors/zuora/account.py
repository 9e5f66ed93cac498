"""Who is billed: an existing account, or a new one with its contacts and payment method."""

from collections.abc import Mapping
from typing import Any

from plugins.api import Step
from plugins.connectors.zuora.custom_fields import custom_fields, given
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.numbers import earlier, new_account_number
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import first_text, handed_on, items, offer_attributes, part, parts, text
from schemas.steps import ErrorKind

_CONTACT = {
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
"""Limio's address members, and Zuora's names for them in an order."""
_PERSON = frozenset(
    {"firstName", "lastName", "email", "workEmail", "phone", "workPhone", "otherPhone"}
)


def existing_number(step: Step[ZuoraOptions]) -> str | None:
    """The number of the account that the order is billed to; None: it gets one of its own.

    Nothing is guessed from the buyer's e-mail address: whoever knows it could buy on the card of
    its owner.
    """
    return first_text(
        text(step.mapped, "accountNumber"),
        step.options.account_number,
        text(step.order, "tracking", "zuoraAccountNumber"),
        text(earlier(step), "accountNumber"),
    )


def account_number(step: Step[ZuoraOptions]) -> str:
    """The existing one, else ours."""
    return existing_number(step) or new_account_number(step)


def payment_method(order: Mapping[str, Any]) -> str | None:
    """The method that the buyer made on Zuora's hosted page."""
    return text(order, "payment", "zuora", "refId")


def account_part(step: Step[ZuoraOptions]) -> dict[str, Any]:
    """The member of the order that says whose it is."""
    existing = existing_number(step)
    return {"existingAccountNumber": existing} if existing else {"newAccount": _new(step)}


def currency_of(step: Step[ZuoraOptions], item: Mapping[str, Any] | None) -> str:
    """Where the price says it, else the order's total, else the option."""
    charges = parts(offer_attributes(item or {}), "price__limio")
    named = first_text(
        text(item, "price", "currency"),
        *(text(charge, "currencyCode") for charge in charges),
        text(step.order, "total", "currency"),
        step.options.currency,
    )
    if named is None:
        raise unfit("currency_missing", "no currency: send total.currency, or set `currency`")
    return named


def _new(step: Step[ZuoraOptions]) -> dict[str, Any]:
    order, options = step.order, step.options
    delivered = part(order, "deliveryDetails")
    billed = part(order, "billingDetails") or _place(delivered)
    method = payment_method(order)
    bill_to = _contact(order, billed)
    person = f"{bill_to['firstName']} {bill_to['lastName']}"
    crm = (handed_on(step.context, "crmId"), text(order, "tracking", "accountId"))
    return given(
        accountNumber=account_number(step),
        name=first_text(text(order, "customerDetails", "companyName"), person),
        currency=currency_of(step, next(iter(items(order)), None)),
        billCycleDay=0,
        # Zuora takes automatic payment with a method only, and a method with it only.
        autoPay=method is not None,
        hpmCreditCardPaymentMethodId=method,
        paymentGateway=options.payment_gateway,
        paymentTerm=options.payment_term,
        crmId=first_text(text(step.mapped, "crmId"), *crm),
        billToContact=bill_to,
        soldToContact=_contact(order, delivered or billed),
        customFields=custom_fields(step, "account"),
    )


def _place(delivered: Mapping[str, Any]) -> dict[str, Any]:
    """Where something is delivered, without who receives it: a present is billed to the buyer."""
    return {name: value for name, value in delivered.items() if name not in _PERSON}


def _contact(order: Mapping[str, Any], address: Mapping[str, Any]) -> dict[str, Any]:
    """An order without any address still has a country and a buyer."""
    buyer = part(order, "customerDetails")
    first = first_text(text(address, "firstName"), text(buyer, "firstName"))
    last = first_text(text(address, "lastName"), text(buyer, "lastName"))
    if not (first or last):
        message = "the order names nobody to bill; send customerDetails.lastName (or firstName)"
        raise unfit("customer_missing", message, ErrorKind.PERMANENT)
    reach = {
        "country": first_text(text(address, "country"), text(order, "country")),
        "email": first_text(text(address, "email"), text(buyer, "email")),
        "phone": first_text(text(address, "phone"), text(buyer, "phone")),
    }
    members = {ours: reach.get(ours) or text(address, ours) for ours in _CONTACT}
    named = {_CONTACT[ours]: value for ours, value in members.items()}
    return given(firstName=first or last, lastName=last or first, **named)
