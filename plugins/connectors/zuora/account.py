"""Who is billed: an existing account, or a new one with its contacts and payment method."""

from collections.abc import Generator, Mapping
from typing import Any

from plugins.api import Reply, Request, Step
from plugins.connectors.zuora.asking import found, path_of
from plugins.connectors.zuora.contacts import contact
from plugins.connectors.zuora.custom_fields import account_fields, custom_fields, given
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.numbers import earlier, new_account_number
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.payment_methods import Method
from plugins.limio import first_text, handed_on, items, offer_attributes, part, parts, text
from schemas.steps import ErrorKind

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


def account_part(step: Step[ZuoraOptions], method: Method | None) -> dict[str, Any]:
    """The member of the order that says whose it is."""
    existing = existing_number(step)
    if existing:
        return {"existingAccountNumber": existing}
    return {"newAccount": opened(step, method)}


def opened(
    step: Step[ZuoraOptions], method: Method | None, *, in_order: bool = True
) -> dict[str, Any]:
    """A new account; beside orders Zuora has other names for some of its members."""
    order, options = step.order, step.options
    delivered = part(order, "deliveryDetails")
    billed = part(order, "billingDetails") or _place(delivered)
    bill_to = contact(step, billed, in_order=in_order)
    person = f"{bill_to['firstName']} {bill_to['lastName']}"
    crm = (handed_on(step.context, "crmId"), text(order, "tracking", "accountId"))
    named = given(customFields=custom_fields(step, "account")) if in_order else account_fields(step)
    return given(
        accountNumber=account_number(step),
        name=first_text(text(order, "customerDetails", "companyName"), person),
        currency=currency_of(step, next(iter(items(order)), None)),
        billCycleDay=0,
        # Zuora takes automatic payment with a method only, and a method with it only.
        autoPay=method is not None,
        hpmCreditCardPaymentMethodId=method.id if method else None,
        paymentGateway=options.payment_gateway,
        paymentTerm=options.payment_term,
        crmId=first_text(text(step.mapped, "crmId"), *crm),
        billToContact=bill_to,
        soldToContact=contact(step, delivered or billed, in_order=in_order),
        **named,
    )


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


def read_account(
    step: Step[ZuoraOptions], number: str
) -> Generator[Request, Reply, Mapping[str, Any]]:
    """What Zuora says of an account: `basicInfo`, `billingAndPayment`, the contacts."""
    reply = yield from found(step, path_of("accounts", number))
    if reply is None:
        message = f"Zuora has no account {number!r}; check accountNumber"
        raise unfit("account_unknown", message, ErrorKind.PERMANENT)
    return {**part({"body": reply.body}, "body"), "basicInfo": reply["basicInfo"]}


def _place(delivered: Mapping[str, Any]) -> dict[str, Any]:
    """Where something is delivered, without who receives it: a present is billed to the buyer."""
    return {name: value for name, value in delivered.items() if name not in _PERSON}
