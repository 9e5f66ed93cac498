"""Scripted steps of the Stripe plugin, for the contract suite."""

from collections.abc import Sequence
from typing import Any

from plugins.api import Done, Example, Failed, Reply, Script, Step
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.prices import prices_of
from schemas.steps import ErrorKind

_PERIOD_END = 1_780_272_000
_CHARGE = {
    "label": "Charge 1",
    "type": "recurring",
    "value": "25.00",
    "currencyCode": "GBP",
    "repeat_interval": 3,
    "repeat_interval_type": "months",
}
_OFFER = {
    "path": "/offers/Digital",
    "data": {"attributes": {"price__limio": [_CHARGE], "autoRenew__limio": True}},
}
_BUYER = {
    "firstName": "Ottilie",
    "lastName": "Brandvold",
    "email": "ottilie.brandvold@example.org",
}
_ADDRESS = {"address1": "Skippergata 9", "city": "Harbourmouth", "country": "NO"}
_ORDER = {
    "id": "order-1",
    "order_reference": "7Q2KX5M9ADLP",
    "order_type": "new",
    "subscriptionReference": "SUBK3V7Q2WXA",
    "owner": "id-41",
    "effective_date": "2026-03-01",
    "customerDetails": _BUYER,
    "billingDetails": _ADDRESS,
    "payment": {"type": "stripe", "stripe": {"paymentMethodId": "pm_1Invented"}},
    "orderItems": [{"offer": _OFFER, "quantity": 1}],
}
_CUSTOMER = Reply(200, {"id": "cus_1", "object": "customer", "address": {"line1": "Elsewhere"}})
_MOVED = {"line1": "Skippergata 9", "city": "Harbourmouth", "country": "NO"}
_HELD: dict[str, Any] = {
    "id": "sub_1",
    "customer": "cus_1",
    "status": "active",
    "metadata": {"order_id": "order-1", "subscription_reference": "SUBK3V7Q2WXA"},
    "latest_invoice": {"id": "in_1", "number": "WB-0001", "status": "paid"},
    "current_period_end": _PERIOD_END,
}
_NONE = Reply(200, {"data": []})
_SEARCHED = Reply(200, {"data": [_HELD]})
_CANCELLED = {
    **_HELD,
    "cancel_at_period_end": True,
    "cancellation_details": {"comment": "too dear (order-1)"},
}
_DECLINED = {"type": "card_error", "code": "card_declined", "decline_code": "do_not_honor"}


def _step(order_type: str = "new", **changes: Any) -> Step[StripeOptions]:
    order = {**_ORDER, "order_type": order_type, **changes}
    return Step(id="stripe", order=order, options=StripeOptions())


_KEY = prices_of(_step())[0].lookup_key
_REPLIES: Script = {
    "GET /v1/customers": _NONE,
    "create-customer": _CUSTOMER,
    "attach-payment-method": Reply(200, {"id": "pm_1Invented"}),
    "GET /v1/prices": Reply(200, {"data": [{"id": "price_1", "lookup_key": _KEY}]}),
    "create-subscription": Reply(200, _HELD),
}
_CANCEL: dict[str, Any] = {
    "order_type": "cancel_subscription",
    "data": {"reason": {"text": "too dear"}},
}

EXAMPLES: Sequence[Example] = (
    Example(
        name="a new buyer gets a customer and a subscription",
        step=_step(),
        replies=_REPLIES,
        expected=Done(
            customerId="cus_1",
            subscriptionId="sub_1",
            status="active",
            invoiceId="in_1",
            invoiceNumbers=["WB-0001"],
            effectiveDate="2026-03-01",
        ),
        found={
            "GET /v1/customers": Reply(200, {"data": [{"id": "cus_1"}]}),
            "GET /v1/subscriptions": _SEARCHED,
        },
        missing={"GET /v1/customers": _NONE},
    ),
    Example(
        name="a declined card leaves no subscription behind",
        step=_step(),
        replies={
            **_REPLIES,
            "create-subscription": Reply(
                402, {"error": {**_DECLINED, "message": "Your card was declined."}}
            ),
        },
        expected=Failed(ErrorKind.DECLINED, "do_not_honor", ""),
    ),
    Example(
        name="a cancellation takes effect at the end of the period that is paid",
        step=_step(**_CANCEL),
        replies={
            "GET /v1/subscriptions/search": _SEARCHED,
            "cancel-subscription": Reply(200, _CANCELLED),
        },
        expected=Done(
            subscriptionId="sub_1",
            customerId="cus_1",
            status="active",
            effectiveDate="2026-06-01",
        ),
        found={"GET /v1/subscriptions/search": Reply(200, {"data": [_CANCELLED]})},
        missing={"GET /v1/subscriptions/search": _SEARCHED},
    ),
    Example(
        name="a changed address is the customer's",
        step=_step("change_address"),
        replies={
            "GET /v1/subscriptions/search": _SEARCHED,
            "update-customer": Reply(200, {"id": "cus_1", "address": _MOVED}),
        },
        expected=Done(customerId="cus_1", changed=["billing"]),
        found={
            "GET /v1/subscriptions/search": _SEARCHED,
            "GET /v1/customers/cus_1": Reply(200, {"id": "cus_1", "address": _MOVED}),
        },
        missing={
            "GET /v1/subscriptions/search": _SEARCHED,
            "GET /v1/customers/cus_1": _CUSTOMER,
        },
    ),
)
