"""What the OpenAPI document shows of webhook endpoints and deliveries."""

from typing import Any

_AT = "2026-03-01T10:15:30.123456+00:00"
_LATER = "2026-03-01T10:15:35.401200+00:00"
_ID = "whe_0b9f3c6c5d8a5a4f9d3e2a1b4c5d6e7f"
_ORDER = "order-0b9f3c6c5d8a5a4f9d3e2a1b4c5d6e7f"
_DELIVERY = "del_5f2c9d0e8b7a51c3a6d4e2f1b0c9d8e7"
_MESSAGE = "msg_8e1d7c2b3a4f5e6d9c8b7a6f5e4d3c2b"

CREATIONS: dict[str, Any] = {
    "all ends of orders": {
        "url": "https://shop.example.com/hooks/waybill",
        "description": "Order pages of the shop",
        "events": ["order.completed", "order.failed", "order.cancelled"],
    },
    "everything, thin, with a header and an ed25519 signature": {
        "url": "https://crm.example.com/waybill",
        "payload": "thin",
        "headers": {"Authorization": "Bearer 9e4c1f7a"},
        "secret_kind": "v1a",
        "rate_limit": 50,
    },
}

CHANGES: dict[str, Any] = {
    "other types": {"events": ["order.*", "step.failed"]},
    "enable it again": {"enabled": True},
    "replace one header and take one away": {
        "headers": {"Authorization": "Bearer 51d0aa93", "X-Team": None}
    },
}

ROTATIONS: dict[str, Any] = {
    "the old one signs along for a day": {},
    "at once, to ed25519": {"kind": "v1a", "overlap_s": 0},
}

ENDPOINT: dict[str, Any] = {
    "id": _ID,
    "url": "https://shop.example.com/hooks/waybill",
    "description": "Order pages of the shop",
    "events": ["order.completed", "order.failed", "order.cancelled"],
    "payload": "full",
    "personal_data": False,
    "header_names": ["authorization"],
    "enabled": True,
    "disabled": None,
    "rate_limit": None,
    "max_in_flight": 8,
    "secrets": [
        {
            "id": "whs_4f1c9a7e2b6d8035",
            "kind": "v1",
            "public": None,
            "created": _AT,
            "expires": None,
        }
    ],
    "pending": 0,
    "oldest_pending": None,
    "failing_since": None,
    "last_success": _LATER,
    "created": _AT,
    "updated": _AT,
    "revision": 1,
}

DISABLED: dict[str, Any] = {
    **ENDPOINT,
    "enabled": False,
    "disabled": {"reason": "gone", "at": _LATER},
    "pending": 17,
    "oldest_pending": _AT,
}

WITH_SECRET: dict[str, Any] = {
    **ENDPOINT,
    # Thirty-two times the byte of "0": nobody is to take it for a secret of theirs.
    "secret": "whsec_MDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDA=",
}

DELETED: dict[str, Any] = {"id": _ID, "deleted": True}

TESTS: dict[str, Any] = {"webhook.test": {}, "an example": {"type": "order.failed"}}

TEST: dict[str, Any] = {"delivery": _DELIVERY, "message": _MESSAGE, "type": "webhook.test"}

DELIVERY: dict[str, Any] = {
    "id": _DELIVERY,
    "endpoint": _ID,
    "message": _MESSAGE,
    "type": "order.failed",
    "order": _ORDER,
    "status": "pending",
    "attempts": 1,
    "created": _AT,
    "next_attempt": _LATER,
    "delivered": None,
    "last_status": 503,
    "last_error": "status_503",
    "last_latency_ms": 41,
    "replays": 0,
}

DELIVERY_DETAILS: dict[str, Any] = {
    **DELIVERY,
    "request": {
        "method": "POST",
        "headers": {
            "content-type": "application/json",
            "webhook-id": _MESSAGE,
            "waybill-event-type": "order.failed",
        },
        "body": {"type": "order.failed", "timestamp": _AT, "data": {"id": _ORDER}},
        "sealed": False,
    },
    "attempts_log": [
        {
            "attempt": 1,
            "at": _AT,
            "status": 503,
            "duration_ms": 41,
            "error": "answered 503",
            "response": "down for maintenance",
        }
    ],
}

REPLAYS: dict[str, Any] = {
    "what failed in an hour": {
        "status": "failed",
        "from": "2026-03-01T10:00:00Z",
        "to": "2026-03-01T11:00:00Z",
    },
    "one order": {"order": _ORDER},
    "how many": {"type": "order.failed", "preview": True},
}

REPLAYED: dict[str, Any] = {"matched": 12, "replayed": 12}
PREVIEWED: dict[str, Any] = {"matched": 12, "replayed": 0}
