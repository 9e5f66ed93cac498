"""Routes of subscriptions, with their examples."""

from typing import Any

from waybill.api import examples, problems, shapes, subscription_shapes, subscriptions
from waybill.api.auth import Scope
from waybill.api.call import Answer, Route

_ORDER = str(examples.ORDER["id"])
_AT = str(examples.ORDER["created"])

SUBSCRIPTION: dict[str, Any] = {
    "reference": examples.ORDER["subscriptionReference"],
    "status": "active",
    "owner": examples.ORDER["owner"],
    "mode": "production",
    "start": "2026-03-01",
    "ends": None,
    "term": {
        "start": "2026-03-01",
        "end": "2026-06-01",
        "length": 3,
        "unit": "month",
        "auto_renew": True,
    },
    "currency": "GBP",
    "items": [
        {
            "name": "Quarterly",
            "offer": "/offers/Quarterly",
            "offer_type": "standard",
            "quantity": "1",
            "price": {"amount": "25", "currency": "GBP"},
            "rate_plan": "UK-UK A Quarterly",
            "products": ["Harbour Journal Digital"],
            "from": "2026-03-01",
            "until": None,
            "order": _ORDER,
        }
    ],
    "plans": [],
    "numbers": {
        "crm": {"crmId": "0015400000k3Y70AAE", "contactId": "0035400000kbH8CAAU"},
        "zuora": {"accountNumber": "W-K7QZ2M5RWX3A", "invoiceNumbers": ["INV00000412"]},
    },
    "given_back": [],
    "created": _AT,
    "updated": _AT,
    "first_order": _ORDER,
    "last_order": _ORDER,
    "last_type": "new",
    "orders": 1,
}

_OPEN = {"id": _ORDER.replace("0b9f", "1c8e"), "order_type": "renew", "status": "processing"}
_ONE = "/api/subscriptions/{reference}"

SUBSCRIPTIONS: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/subscriptions",
        handler=subscriptions.subscriptions,
        id="listSubscriptions",
        summary="The tenant's subscriptions as their completed orders left them, the newest first",
        tag="subscriptions",
        scope=Scope.READ,
        query=subscription_shapes.SubscriptionsQuery,
        answers=(
            Answer(
                status=200,
                description="A page of subscriptions",
                shape=subscription_shapes.SubscriptionsPage,
                example={"items": [SUBSCRIPTION], "next": None},
            ),
        ),
    ),
    Route(
        method="GET",
        path=_ONE,
        handler=subscriptions.subscription,
        id="readSubscription",
        summary="One subscription with its orders under way",
        tag="subscriptions",
        scope=Scope.READ,
        query=shapes.Reread,
        answers=(
            Answer(
                status=200,
                description="The subscription",
                shape=subscription_shapes.OneSubscription,
                example={**SUBSCRIPTION, "open_orders": [_OPEN]},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path=_ONE + "/orders",
        handler=subscriptions.orders,
        id="listSubscriptionOrders",
        summary="The orders of a subscription, the newest first",
        tag="subscriptions",
        scope=Scope.READ,
        query=subscription_shapes.PageQuery,
        answers=(
            Answer(
                status=200,
                description="A page of orders",
                shape=shapes.OrdersPage,
                example={"items": [examples.ORDER], "next": None},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path=_ONE + "/timeline",
        handler=subscriptions.timeline,
        id="readSubscriptionTimeline",
        summary="The events of all orders of a subscription, the latest first",
        tag="subscriptions",
        scope=Scope.READ,
        query=subscription_shapes.PageQuery,
        answers=(
            Answer(
                status=200,
                description="A page of events",
                shape=subscription_shapes.SubscriptionTimeline,
                example={"items": [{**examples.ENTRY, "order": _ORDER}], "next": None},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
)
