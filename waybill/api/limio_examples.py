"""Examples of previews, of Zuora's notifications, and of Limio's objects."""

from typing import Any

from waybill.api.examples import ORDER, QUEUED_ANSWER, SUBMISSION

_ID = str(ORDER["id"])

PREVIEW: dict[str, Any] = {
    "order_type": "change_offer",
    "mode": "production",
    "subscriptionReference": "H4T6PL9WQ2ZC",
    "effectiveDate": "2026-04-01",
    "currency": "GBP",
    "futureCharges": [
        {"date": "2026-04-01", "amount": "55.00", "description": "Quarterly", "step": "zuora"}
    ],
    "credits": [
        {"date": "2026-04-01", "amount": "12.50", "description": "Monthly", "step": "zuora"}
    ],
    "warnings": [],
    "steps": [
        {"id": "salesforceV3", "plugin": "salesforceV3", "previewed": False, "more": {}},
        {"id": "zuora", "plugin": "zuora", "previewed": True, "more": {}},
    ],
}

NOTIFICATIONS: dict[str, Any] = {
    "cancelled": {
        "subscriptionID": "H4T6PL9WQ2ZC",
        "type": "CancelSubscription",
        "data": {"orderNumber": "O-00000412"},
    },
    "renewed": {"subscriptionID": "H4T6PL9WQ2ZC", "type": "RenewSubscription"},
}

NOTIFIED: dict[str, Any] = {
    **QUEUED_ANSWER,
    "external_id": "zuora-2c7c1f0a-58a1-5b3f-8f52-0d9a3c1b2e4f",
}

SYNCHRONISED: dict[str, Any] = {
    "success": True,
    "id": "H4T6PL9WQ2ZC",
    "owner": ORDER["owner"],
    "order": _ID,
    "status": "complete",
}

NOT_YET: dict[str, Any] = {**SYNCHRONISED, "success": None, "status": "submitted"}

SUMMARY: dict[str, Any] = {
    "id": _ID,
    "record_type": "order",
    "service": "limio",
    "status": "complete",
    "owner": ORDER["owner"],
    "customer": None,
    "ref": None,
    "reference": ORDER["order_reference"],
    "name": "order.new",
    "mode": "production",
    "created": ORDER["created"],
    "updated": ORDER["updated"],
}

EVENT_SUMMARY: dict[str, Any] = {
    **SUMMARY,
    "id": _ID.replace("order-", "event-", 1),
    "record_type": "event",
    "ref": _ID,
}

OBJECT: dict[str, Any] = {
    **SUMMARY,
    "data": {
        "orderItems": SUBMISSION["orderItems"],
        "country": "GB",
        "external_id": ORDER["external_id"],
        "order_type": "new",
        "subscriptionReference": ORDER["subscriptionReference"],
        "completion": "order complete",
        "error": None,
        "run": 1,
        "orderState": "complete",
    },
}
