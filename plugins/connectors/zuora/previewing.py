"""Zuora's order preview as a buyer asks: what do I pay, when, and what comes back?"""

from collections.abc import Generator, Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from plugins.api import Conversation, Done, Reply, Request, Step
from plugins.connectors.zuora.amounts import amount_of, text_amount
from plugins.connectors.zuora.changing import Change, Planned, order_body
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.envelope import StoppedError, headers, refusal
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.reactivation import is_taken_back_first
from plugins.connectors.zuora.subscription import Subscription, read, today_of
from plugins.limio import first_text, part, parts, text

_NOT_PREVIEWED = frozenset({"orderNumber", "processingOptions"})


def foretold(
    step: Step[ZuoraOptions], planned: Planned, *, reactivates: bool = False
) -> Conversation:
    """What the change would cost and give back; nothing is changed.

    `reactivates`: the change takes a cancellation back that is still to come.
    """
    subscription = yield from read(step)
    change = yield from planned(step, subscription)
    if reactivates and is_taken_back_first(step, subscription):
        return _untold(step, subscription, change)
    through = max(change.effective.day, today_of(step))
    result = yield from previewed(step, subscription, change, through)
    warnings = [*change.warnings, *change.effective.warnings]
    pending = subscription.pending_cancel(today_of(step))
    return Done(
        effectiveDate=change.effective.iso,
        **documents_of(result, subscription.currency or step.options.currency or ""),
        **given(warnings=warnings or None, cancelledFrom=pending and pending.isoformat()),
    )


def _untold(step: Step[ZuoraOptions], subscription: Subscription, change: Change) -> Done:
    """Zuora previews no such change while the order that cancels is there."""
    ends = subscription.pending_cancel(today_of(step))
    warning = (
        f"the subscription is cancelled as of {ends}; the order takes that back, and what it "
        "costs can only be told afterwards"
    )
    return Done(
        effectiveDate=change.effective.iso,
        currency=subscription.currency,
        cancelledFrom=ends and ends.isoformat(),
        warnings=[warning, *change.warnings, *change.effective.warnings],
    )


def previewed(
    step: Step[ZuoraOptions], subscription: Subscription, change: Change, through: date
) -> Generator[Request, Reply, Mapping[str, Any]]:
    """The billing documents that the change would make up to the day `through`."""
    body = order_body(step, subscription, change)
    return (yield from asked(step, body, through))


def asked(
    step: Step[ZuoraOptions], order: Mapping[str, Any], through: date
) -> Generator[Request, Reply, Mapping[str, Any]]:
    """Zuora's preview of an order."""
    body = {
        **{name: value for name, value in order.items() if name not in _NOT_PREVIEWED},
        "previewOptions": {
            "previewThruType": "SpecificDate",
            "specificPreviewThruDate": through.isoformat(),
            "previewTypes": ["BillingDocs"],
        },
    }
    reply = yield Request("POST", "/v1/orders/preview", body, headers=headers(step))
    problem = refusal(reply)
    if problem is not None:
        raise StoppedError(problem)
    return part({"result": reply["previewResult"]}, "result")


def balance_of(result: Mapping[str, Any]) -> Decimal:
    """What the documents come to; below zero is the subscriber's."""
    invoiced = sum((amount_of(one.get("amount")) for one in parts(result, "invoices")), Decimal(0))
    return invoiced - sum((_credit(one) for one in parts(result, "creditMemos")), Decimal(0))


def documents_of(result: Mapping[str, Any], currency: str) -> dict[str, Any]:
    """Charges to come and credits, item by item."""
    charges = list(_items(result, "invoices", "invoiceItems", currency))
    memos = list(_items(result, "creditMemos", "creditMemoItems", currency))
    # Without Invoice Settlement a credit is a negative item of an invoice.
    negative = [one for one in charges if one["amount"].startswith("-")]
    taken = [{**one, "amount": one["amount"].removeprefix("-")} for one in (*memos, *negative)]
    return {
        "currency": currency or None,
        "futureCharges": [one for one in charges if one not in negative],
        "credits": taken,
    }


def _items(
    result: Mapping[str, Any], documents: str, items: str, currency: str
) -> Iterator[dict[str, Any]]:
    for document in parts(result, documents):
        on = text(document, "targetDate")
        for item in parts(document, items):
            amount = amount_of(item.get("amountWithoutTax")) + amount_of(item.get("taxAmount"))
            yield given(
                date=first_text(text(item, "serviceStartDate"), on),
                amount=text_amount(amount, currency),
                description=first_text(text(item, "chargeName"), text(item, "chargeDescription")),
                product=text(item, "productName"),
                serviceStartDate=text(item, "serviceStartDate"),
                serviceEndDate=text(item, "serviceEndDate"),
            )


def _credit(memo: Mapping[str, Any]) -> Decimal:
    """Tenants differ in the sign of a memo's amount; it is always given back."""
    return abs(amount_of(memo.get("amount")))
