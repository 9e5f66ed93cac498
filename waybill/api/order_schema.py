"""The JSON Schema of an order as it is submitted: what intake reads, and what plugins may add."""

from collections.abc import Mapping
from typing import Any

from schemas.orders import ORDER_TYPES
from streams.core.about import MAX_REFERENCE

_REFERENCE: Mapping[str, Any] = {
    "type": ["string", "null"],
    "maxLength": MAX_REFERENCE,
    "pattern": r"^[^\x00-\x1f\x7f]*$",
}
_SECTION: Mapping[str, Any] = {"type": ["object", "null"]}
_SUBSCRIPTION: Mapping[str, Any] = {
    "description": "The subscription that a change is about: its reference, alone or as a member",
    "anyOf": [
        {"type": ["string", "null"], "maxLength": MAX_REFERENCE},
        {"type": "object"},
        {"type": "array", "items": {}},
    ],
    "examples": ["H4T6PL9WQ2ZC", {"reference": "H4T6PL9WQ2ZC"}],
}

ORDER: Mapping[str, Any] = {
    "title": "Order",
    "description": "An order to be submitted. Further members are kept and handed to the plugins.",
    "type": "object",
    "properties": {
        "external_id": {
            **_REFERENCE,
            "description": "The caller's own name for the order: the same one again is the same"
            " order",
        },
        "order_type": {
            **_REFERENCE,
            "default": "new",
            "description": "`submitted` is read as `new`; a tenant may declare further ones",
            "examples": [*ORDER_TYPES],
        },
        "process_immediately": {
            "type": ["boolean", "null"],
            "default": False,
            "description": "Answer with how it went",
        },
        "mode": {
            "anyOf": [{"type": "string", "enum": ["production", "test"]}, {"type": "null"}],
            "default": "production",
        },
        "forSubscription": _SUBSCRIPTION,
        "effectiveDate": {
            "type": ["string", "null"],
            "description": "The day from which a change counts, as YYYY-MM-DD",
            "examples": ["2026-04-01"],
        },
        "originalOffer": {**_SECTION, "description": "What a change of offer replaces"},
        "orderItems": {"type": ["array", "null"], "items": {"type": "object"}},
        "customerDetails": _SECTION,
        "billingDetails": _SECTION,
        "deliveryDetails": _SECTION,
        "recipientDetails": _SECTION,
        "payment": _SECTION,
        "total": _SECTION,
    },
    "additionalProperties": True,
}
