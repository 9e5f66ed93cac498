"""Scripted new orders."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.api import Done, Example, Failed, Reply, Step
from plugins.connectors.zuora.options import ZuoraOptions
from schemas.steps import ErrorKind

_NUMBER, _SUBSCRIPTION, _ACCOUNT = "7Q2KX5M9ADLP", "SUBK3V7Q2WXA", "W-7Q2KX5M9ADLP"
_PLAN = "8ad09be48db5aba7018db604776d4854"
_PRICED = {"id": _PLAN, "charges": {"Charge 1": "8ad09be48db5aba7018db60477724859"}}
_PLANS = Reply(
    200,
    {
        "data": [
            {
                "id": _PLAN,
                "name": "UK Digital Quarterly",
                "productRatePlanCharges": [
                    {
                        "id": "8ad09be48db5aba7018db60477724859",
                        "name": "Quarterly fee",
                        "chargeType": "Recurring",
                        "chargeModel": "Flat Fee Pricing",
                    }
                ],
            }
        ]
    },
)
_ORDERED = {
    "success": True,
    "orderNumber": _NUMBER,
    "accountNumber": _ACCOUNT,
    "accountId": "8ad0a1f29c01f4b3019c0a5cfb1f0001",
    "status": "Completed",
    "subscriptions": [{"subscriptionNumber": _SUBSCRIPTION, "status": "Active"}],
    "invoiceNumbers": ["INV00000159"],
    "paymentNumber": "P-00000012",
}
_FOUND = {
    "success": True,
    "order": {
        "orderNumber": _NUMBER,
        "existingAccountNumber": _ACCOUNT,
        "status": "Completed",
        "subscriptions": [{"subscriptionNumber": _SUBSCRIPTION}],
    },
}
_SUMMARY = {
    "success": True,
    "basicInfo": {"id": "8ad0a1f29c01f4b3019c0a5cfb1f0001", "accountNumber": _ACCOUNT},
    "invoices": [{"invoiceNumber": "INV00000159"}],
    "payments": [{"paymentNumber": "P-00000012"}],
}
_ABSENT = {
    "success": False,
    "reasons": [{"code": 50000040, "message": f"Cannot find entity by key: '{_NUMBER}'."}],
}
_DONE = Done(
    accountNumber=_ACCOUNT,
    orderNumber=_NUMBER,
    status="Completed",
    subscriptionNumber=_SUBSCRIPTION,
    subscriptionNumbers=[_SUBSCRIPTION],
    effectiveDate="2026-03-01",
    accountId="8ad0a1f29c01f4b3019c0a5cfb1f0001",
    invoiceNumbers=["INV00000159"],
    paymentNumber="P-00000012",
)


def _order(order_type: str = "new") -> dict[str, Any]:
    attributes = {
        "term__limio": {"length": 3, "type": "months"},
        "autoRenew__limio": True,
        "rate_plan__zuora": "UK Digital Quarterly",
        "price__limio": [
            {"name": "charge_1", "label": "Charge 1", "type": "recurring", "value": "25"}
        ],
    }
    return {
        "id": "order-1",
        "order_reference": _NUMBER,
        "order_type": order_type,
        "subscriptionReference": _SUBSCRIPTION,
        "owner": "id-41",
        "effective_date": "2026-03-01",
        "country": "GB",
        "total": {"currency": "GBP", "amount": 25},
        "customerDetails": {
            "firstName": "Ottilie",
            "lastName": "Brandvold",
            "email": "ottilie.brandvold@example.org",
        },
        "billingDetails": {
            "address1": "4 Heron Quay Cottages",
            "city": "Saltmarsh",
            "postalCode": "SM4 2QX",
            "country": "GB",
        },
        "payment": {"type": "zuora", "zuora": {"refId": "8adca41e7c7cf49c017c84948c906d5e"}},
        "orderItems": [{"quantity": 1, "offer": {"data": {"attributes": attributes}}}],
    }


def _step(order_type: str = "new", **options: Any) -> Step[ZuoraOptions]:
    crm: Mapping[str, Mapping[str, Any]] = {"salesforceV3": {"crmId": "001xx000003DGb2AAG"}}
    parsed = ZuoraOptions.model_validate(options)
    return Step(id="zuora", order=_order(order_type), options=parsed, context=crm)


EXAMPLES: Sequence[Example] = (
    Example(
        name="a new order opens an account and a subscription",
        step=_step(collectPayment=True),
        replies={
            "GET /object-query/product-rate-plans": _PLANS,
            "create-order": Reply(200, _ORDERED),
        },
        expected=_DONE,
        found={
            f"GET /v1/orders/{_NUMBER}": Reply(200, _FOUND),
            f"GET /v1/accounts/{_ACCOUNT}/summary": Reply(200, _SUMMARY),
        },
        missing={f"GET /v1/orders/{_NUMBER}": Reply(200, _ABSENT)},
    ),
    Example(
        name="a declined card is the buyer's to settle",
        step=_step(collectPayment=True, ratePlans={"UK Digital Quarterly": _PRICED}),
        replies={
            "create-order": Reply(
                200,
                {
                    "success": False,
                    "reasons": [{"code": 53100399, "message": "Transaction declined. 05"}],
                },
            ),
        },
        expected=Failed(ErrorKind.DECLINED, "53100399", ""),
    ),
    Example(
        name="an order type without a journey says so",
        step=_step("loyalty"),
        replies={},
        expected=Failed(ErrorKind.MISCONFIGURED, "journey_missing", ""),
    ),
)
