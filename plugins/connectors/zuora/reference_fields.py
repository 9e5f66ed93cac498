"""Zuora's standard order fields: which of them every request fills, and from what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from plugins.api import Step
from plugins.connectors.zuora.custom_fields import given, order_fields
from plugins.connectors.zuora.numbers import order_number
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import first_text, part, text

_LONGEST_REASON, _LONGEST_NOTE = 255, 1000
_EVERY = "every one"
_CHANGES = "every change of a subscription"


@dataclass(frozen=True, slots=True)
class StandardField:
    """One row of the reference: Zuora's field, where its value is from, for which order types."""

    field: str
    source: str
    order_types: str = _EVERY


STANDARD_FIELDS: Final = (
    StandardField("orderDate", "the day that the order took effect, fixed when it was accepted"),
    StandardField("orderNumber", "the order's reference; a second Zuora step adds its id"),
    StandardField("category", "`NewSales`"),
    StandardField("reasonCode", "`data.reason.id`, by the option `reasonCodes` if that is set"),
    StandardField("customFields", "the option `customFields`, and the entry's `map`"),
    StandardField("newAccount", "the buyer, where no account is named", "`new`, `submitted`"),
    StandardField(
        "existingAccountNumber", "the account of the subscription, else the one that is named"
    ),
    StandardField("subscriptions[].subscriptionNumber", "`forSubscription`", _CHANGES),
    StandardField("subscriptions[].notes", "`description`, else `data.reason.text`", _CHANGES),
    StandardField("subscriptions[].customFields", "as above, and `CancellationReason__c`, APM"),
    StandardField("orderActions[].triggerDates", "all three: the day that the action counts from"),
    StandardField("orderActions[].changeReason", "`data.reason.id`, else `data.reason.text`"),
    StandardField(
        "terms", "the offer's `term__limio` and `autoRenew__limio`", "`new`, `submitted`"
    ),
    StandardField(
        "termsAndConditions",
        "the new offer's `term__limio` and `autoRenew__limio`",
        "`change_offer`, `renew`",
    ),
    StandardField("processingOptions.runBilling", "the option `runBilling`"),
    StandardField(
        "processingOptions.collectPayment",
        "the option `collectPayment`, where the order names a payment method",
        "`new`, `submitted`, `change_offer`, `renew`",
    ),
    StandardField("processingOptions.billingOptions", "the day that is billed up to"),
)
"""What the reference page of the connector lists."""


def fields_table() -> str:
    """The standard fields as the reference page shows them."""
    rows = [f"| `{one.field}` | {one.source} | {one.order_types} |" for one in STANDARD_FIELDS]
    head = "| standard field of an order | from | order types |"
    return "\n".join((head, "| --- | --- | --- |", *rows))


def order_head(step: Step[ZuoraOptions]) -> dict[str, Any]:
    """What every order begins with."""
    return given(
        orderDate=str(step.order["effective_date"]),
        orderNumber=order_number(step),
        category="NewSales",
        reasonCode=reason_code(step),
        customFields=order_fields(step),
    )


def notes(step: Step[ZuoraOptions]) -> str | None:
    """Why the subscription was changed, in words."""
    said = first_text(text(step.order, "description"), text(_reason(step), "text"))
    return said[:_LONGEST_NOTE] if said else None


def change_reason(step: Step[ZuoraOptions]) -> str | None:
    """Why, as reports count it."""
    said = first_text(text(_reason(step), "id"), text(_reason(step), "text"))
    return said[:_LONGEST_REASON] if said else None


def reason_fields(step: Step[ZuoraOptions]) -> dict[str, Any]:
    """Limio's built-in custom field of a subscription that is cancelled, saved or switched."""
    if "CancellationReason__c" not in step.options.custom_fields:
        return {}
    return given(CancellationReason__c=text(_reason(step), "id"))


def reason_code(step: Step[ZuoraOptions]) -> str | None:
    """The reason, as the tenant has set it up in Zuora."""
    reason, codes = text(_reason(step), "id"), step.options.reason_codes
    if reason is None or codes is None:
        return reason[:_LONGEST_REASON] if reason else None
    return codes.get(reason)


def _reason(step: Step[ZuoraOptions]) -> Mapping[str, Any]:
    return part(step.order, "data", "reason")
