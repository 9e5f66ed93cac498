"""Order documents as they arrive: JSON in Limio's shape, or Avro in Confluent's wire format."""

import io
from typing import Any, TypeAlias

import orjson
from fastavro import schemaless_reader

from schemas.codec import HEADER, MAGIC
from schemas.problems import Problem, RefusedError
from schemas.registry import ORDERS, by_id

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


def read_document(value: bytes | None) -> Document:
    """The order in a record or a request body; `RefusedError` where there is none."""
    if not value:
        raise _refused("empty", "the record has no value", "send the order as JSON or Avro")
    if len(value) > MAX_ORDER_BYTES:
        raise _refused(
            "oversize",
            f"the order has {len(value)} bytes; the limit is {MAX_ORDER_BYTES}",
            "leave out what no plugin needs, such as embedded images",
        )
    document = _avro(value) if value[0] == MAGIC else _json(value)
    if not isinstance(document, dict):
        raise _refused("malformed", "the order is not a JSON object", "send one order per record")
    return document


def _json(value: bytes) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError as problem:
        raise _refused(
            "malformed", f"the order is not JSON: {problem}", "send valid JSON in UTF-8"
        ) from None


def _avro(value: bytes) -> Any:
    if len(value) <= HEADER.size:
        raise _refused("malformed", "the record ends within its schema id", "send whole records")
    _, schema_id = HEADER.unpack_from(value)
    schema = by_id(schema_id)
    if schema is None or schema.subject != ORDERS:
        raise _refused(
            "unknown_schema",
            f"schema id {schema_id} is not known",
            "use a schema of the subject orders-value, served under /subjects",
        )
    source = io.BytesIO(value)
    source.seek(HEADER.size)
    try:
        record = schemaless_reader(source, schema.parsed, None)
    except Exception as problem:  # noqa: BLE001 (fastavro raises whatever the bytes provoke)
        raise _refused(
            "malformed", f"the bytes do not fit schema {schema_id}: {problem}", "write it again"
        ) from None
    return _from_record(record)


def _from_record(record: Any) -> Any:
    if not isinstance(record, dict):
        return record
    sections = {field for field in record if isinstance(record[field], str)} & _JSON_SECTIONS
    document = {name: value for name, value in record.items() if value is not None}
    for name in sections:
        document[name] = _json(record[name].encode())
    more = document.pop("more", {})
    return {**(more if isinstance(more, dict) else {}), **document}


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


def _refused(code: str, message: str, remedy: str, field: str | None = None) -> RefusedError:
    return RefusedError(Problem(code=code, message=message, remedy=remedy, field=field))
