"""What the scripted steps share: an order, a subscription, and what Zuora says of them."""

from collections.abc import Mapping
from typing import Any

from plugins.api import Reply, Step
from plugins.connectors.zuora.options import ZuoraOptions

NUMBER, SUBSCRIPTION, ACCOUNT = "7Q2KX5M9ADLP", "SUBK3V7Q2WXA", "W-7Q2KX5M9ADLP"
ACCOUNT_ID = "8ad0a1f29c01f4b3019c0a5cfb1f0001"
METHOD = "8adca41e7c7cf49c017c84948c906d5e"
PLAN, FEE = "8ad09be48db5aba7018db604776d4854", "8ad09be48db5aba7018db60477724859"
OTHER_PLAN, OTHER_FEE = "8ad09be48db5aba7018db604776d4855", "8ad09be48db5aba7018db60477724860"
HELD_PLAN = "8ad09b7d8292b85d0182a4d6f875225a"
START, END = "2026-03-01", "2026-06-01"
RATE_PLANS = {
    "UK Digital Quarterly": {"id": PLAN, "charges": {"Charge 1": FEE}},
    "UK Bundle Quarterly": {"id": OTHER_PLAN, "charges": {"Charge 1": OTHER_FEE}},
}
BUYER = {
    "firstName": "Ottilie",
    "lastName": "Brandvold",
    "email": "ottilie.brandvold@example.org",
}
HOME = {
    "address1": "4 Heron Quay Cottages",
    "city": "Saltmarsh",
    "postalCode": "SM4 2QX",
    "country": "GB",
}
HOSTED_PAGE = {"type": "zuora", "zuora": {"refId": METHOD}}
READ = f"GET /v1/subscriptions/{SUBSCRIPTION}"
FIND = f"GET /v1/orders/{NUMBER}"
ABSENT = Reply(
    200,
    {
        "success": False,
        "reasons": [{"code": 50000040, "message": f"Cannot find entity by key: '{NUMBER}'."}],
    },
)


def offer(plan: str = "UK Digital Quarterly", value: str = "25", **more: Any) -> dict[str, Any]:
    """An order item with its offer."""
    attributes = {
        "term__limio": {"length": 3, "type": "months"},
        "autoRenew__limio": True,
        "rate_plan__zuora": plan,
        "price__limio": [
            {"name": "charge_1", "label": "Charge 1", "type": "recurring", "value": value}
        ],
        **more,
    }
    return {"quantity": 1, "offer": {"data": {"attributes": attributes}}}


def order(order_type: str, *offers: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """As a step sees it."""
    return {
        "id": "order-1",
        "order_reference": NUMBER,
        "order_type": order_type,
        "subscriptionReference": SUBSCRIPTION,
        "owner": "id-41",
        "effective_date": "2026-04-15",
        "country": "GB",
        "customerDetails": BUYER,
        "orderItems": list(offers),
        **more,
    }


def step(document: Mapping[str, Any], **options: Any) -> Step[ZuoraOptions]:
    """The step of an order, with the rate plans of the offers above."""
    parsed = ZuoraOptions.model_validate({"ratePlans": RATE_PLANS, **options})
    return Step(id="zuora", order=document, options=parsed)


_CHARGE = {
    "number": "C-00000017",
    "name": "Charge 1",
    "type": "Recurring",
    "model": "FlatFee",
    "price": 25,
    "productRatePlanChargeId": FEE,
    "chargedThroughDate": END,
}
_HELD = {
    "id": HELD_PLAN,
    "productRatePlanId": PLAN,
    "ratePlanName": "UK Digital Quarterly",
    "lastChangeType": "New",
    "ratePlanCharges": [_CHARGE],
}


def subscription(**more: Any) -> Reply:
    """What Zuora says of the subscription before the order: three months, paid to their end."""
    document = {
        "success": True,
        "id": "8ad0a1f29c01f4b3019c0a5cfb1f0007",
        "subscriptionNumber": SUBSCRIPTION,
        "accountNumber": ACCOUNT,
        "accountId": ACCOUNT_ID,
        "orderNumber": "3HW8ZN4KQRTB",
        "status": "Active",
        "version": 1,
        "currency": "GBP",
        "termType": "TERMED",
        "termStartDate": START,
        "termEndDate": END,
        "subscriptionEndDate": END,
        "currentTerm": 3,
        "currentTermPeriodType": "Month",
        "renewalTerm": 3,
        "renewalTermPeriodType": "Month",
        "autoRenew": True,
        "ratePlans": [_HELD],
        **more,
    }
    return Reply(200, document)


def ordered(**more: Any) -> Reply:
    """The answer to the order."""
    document = {
        "success": True,
        "orderNumber": NUMBER,
        "accountNumber": ACCOUNT,
        "status": "Completed",
        "subscriptions": [{"subscriptionNumber": SUBSCRIPTION, "status": "Active"}],
        **more,
    }
    return Reply(200, document)


def found(on: str, **action: Any) -> Reply:
    """The order as the look-up finds it, with one action that counts from the day."""
    dates = [{"name": "ContractEffective", "triggerDate": on}]
    actions = [{"type": "AddProduct", "triggerDates": dates, **action}]
    return Reply(
        200,
        {
            "success": True,
            "order": {
                "orderNumber": NUMBER,
                "existingAccountNumber": ACCOUNT,
                "status": "Completed",
                "subscriptions": [{"subscriptionNumber": SUBSCRIPTION, "orderActions": actions}],
            },
        },
    )


def refused(code: int, message: str) -> Reply:
    """HTTP 200, and yet no success."""
    return Reply(200, {"success": False, "reasons": [{"code": code, "message": message}]})


def changed(on: str, **more: Any) -> dict[str, Any]:
    """What an order on the subscription hands on."""
    return {
        "accountNumber": ACCOUNT,
        "orderNumber": NUMBER,
        "status": "Completed",
        "subscriptionNumber": SUBSCRIPTION,
        "subscriptionNumbers": [SUBSCRIPTION],
        "effectiveDate": on,
        **more,
    }
