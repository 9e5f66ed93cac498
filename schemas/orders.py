"""Order documents as they arrive: JSON in Limio's shape, or Avro in Confluent's wire format."""

from typing import Any, TypeAlias

from schemas.arriving import Arriving, refused
from schemas.registry import ORDERS

Document: TypeAlias = dict[str, Any]

MAX_ORDER_BYTES = 1 << 20

ORDER_TYPES = (
    "new",
    "cancel_subscription",
    "change_offer",
    "add_offer",
    "change_payment",
    "change_address",
    "update_customer_details",
    "update_subscription",
    "renew",
    "refund",
    "credit",
    "external",
    "activation",
)
"""The thirteen order types; `submitted` is read as `new`."""
CHANGES = frozenset(ORDER_TYPES) - {"new"}
"""Those that are about a subscription that is there already, or being made."""


def read_document(value: bytes | None) -> Document:
    """The order in a record or a request body; `RefusedError` where there is none."""
    document, is_avro = _ORDER.read(value)
    if is_avro:
        document = _from_record(document)
    if not isinstance(document, dict):
        raise refused("malformed", "the order is not a JSON object", "send one order per record")
    return document


def _from_record(record: Any) -> Any:
    if not isinstance(record, dict):
        return record
    sections = {field for field in record if isinstance(record[field], str)} & _JSON_SECTIONS
    document = {name: value for name, value in record.items() if value is not None}
    for name in sections:
        document[name] = _ORDER.json(record[name].encode())
    more = document.pop("more", {})
    return {**(more if isinstance(more, dict) else {}), **document}


_ORDER = Arriving(
    name="order",
    subject=ORDERS,
    most_bytes=MAX_ORDER_BYTES,
    shorten="leave out what no plugin needs, such as embedded images",
)
_JSON_SECTIONS = frozenset(
    {
        "orderItems",
        "total",
        "tracking",
        "sourceDetails",
        "customerDetails",
        "billingDetails",
        "deliveryDetails",
        "recipientDetails",
        "payment",
        "originalOffer",
        "customFields",
        "more",
    }
)
