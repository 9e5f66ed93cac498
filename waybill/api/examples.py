"""Examples of answers for the OpenAPI document."""

from typing import Any

from schemas.configuration import Configuration

_ID = "order-0b9f3c6c5d8a5a4f9d3e2a1b4c5d6e7f"

SUBMISSION: dict[str, Any] = {
    "order_type": "new",
    "external_id": "2V44IEVMFOT",
    "process_immediately": False,
    "mode": "production",
    "country": "GB",
    "customerDetails": {"email": "ada@example.org", "firstName": "Ada", "lastName": "Lovelace"},
    "orderItems": [{"name": "Quarterly", "quantity": 1, "offer": {"path": "/offers/Quarterly"}}],
}

QUEUED_ANSWER: dict[str, Any] = {
    "id": _ID,
    "order_reference": "K7QZ2M5RWX3A",
    "status": "submitted",
    "external_id": "2V44IEVMFOT",
    "subscriptionReference": "H4T6PL9WQ2ZC",
    "owner": "id-5f2c9d0e8b7a41c3a6d4e2f1b0c9d8e7",
    "token": f"o{_ID}",
}

FAILED_ANSWER: dict[str, Any] = {
    **QUEUED_ANSWER,
    "status": "failed",
    "error": {"code": "card_declined", "buyer_message": "Your card was declined."},
}

_AT = "2026-03-01T10:15:30.123456+00:00"

ORDER: dict[str, Any] = {
    **{name: value for name, value in QUEUED_ANSWER.items() if name != "token"},
    "status": "complete",
    "order_type": "new",
    "mode": "production",
    "created": _AT,
    "updated": _AT,
    "config_version": 1,
    "lane": "default/H4T6PL9WQ2ZC",
    "next_action": "none",
    "queued_behind": None,
    "pending_commands": [],
    "steps": [
        {
            "id": "zuora",
            "name": "zuora",
            "service": "zuora",
            "phase": "main",
            "critical": True,
            "status": "succeeded",
            "attempts": 1,
            "attempt": 1,
            "next_attempt": None,
            "deferred_by": None,
            "error": None,
            "started": _AT,
            "ended": _AT,
        }
    ],
    "run": 1,
    "completion": "order complete",
    "error": None,
}

ENTRY: dict[str, Any] = {
    "id": "6f1c0f0a-58a1-5b3f-8f52-0d9a3c1b2e4f",
    "type": "OrderCompleted",
    "at": _AT,
    "partition": 3,
    "offset": 120,
    "token": "e3:120",
    "run": 1,
    "sequence": 7,
    "actor": "worker",
    "causation": None,
    "trace": None,
    "origin": None,
    "data": {"completion": "order complete"},
}

STREAM: dict[str, Any] = {**ENTRY, "order": _ID}

PROCESS_EVENT: dict[str, Any] = {
    "id": "process_event-0b9f3c6c5d8a5a4f9d3e2a1b4c5d6e7f",
    "order": _ID,
    "run": 1,
    "callouts": [
        {
            "plugin": "zuora",
            "call": "create-order",
            "attempt": 1,
            "method": "POST",
            "url": "https://rest.zuora.example/v1/orders",
            "status": 200,
            "duration_ms": 412.5,
            "request": None,
            "response": None,
            "error": None,
            "key": None,
            "at": _AT,
            "ended": _AT,
        }
    ],
    "errors": [],
    "logs": [],
}

CONFIGURATION: dict[str, Any] = {
    "version": 1,
    "sequence": [
        {"name": "salesforceV3", "service": "salesforce", "critical": True, "options": {}},
        {"name": "zuora", "service": "zuora", "critical": True, "options": {}},
    ],
}

SCHEMA_VERSION: dict[str, Any] = {
    "subject": "orders-value",
    "version": 1,
    "id": 2,
    "schema": '{"type":"record","name":"Order","fields":[]}',
}

READY: dict[str, Any] = {
    "status": "ready",
    "missing": [],
    "checks": [
        {"name": "store", "ok": True, "detail": "answers"},
        {"name": "kafka", "ok": True, "detail": "answers"},
        {"name": "views", "ok": True, "detail": "have caught up"},
    ],
}

NOT_READY: dict[str, Any] = {
    "status": "not_ready",
    "missing": ["views"],
    "checks": [
        *READY["checks"][:2],
        {"name": "views", "ok": False, "detail": "1200 events behind the log's end at start"},
    ],
}

__all__ = [
    "CONFIGURATION",
    "ENTRY",
    "FAILED_ANSWER",
    "NOT_READY",
    "ORDER",
    "PROCESS_EVENT",
    "QUEUED_ANSWER",
    "READY",
    "SCHEMA_VERSION",
    "STREAM",
    "SUBMISSION",
    "Configuration",
]
