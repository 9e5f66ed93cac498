"""Whatever bytes arrive, an order is taken or refused in words; nothing else happens."""

import io
import json
from datetime import UTC, datetime
from typing import Any

from fastavro import schemaless_writer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.codec import HEADER, decode, encode
from schemas.orders import ORDER_TYPES
from schemas.problems import RefusedError
from schemas.registry import ORDERS, latest
from streams.core.intake import acceptance
from tests.unit.core.taking import KEY, taken

NOW = datetime(2026, 1, 1, tzinfo=UTC)
MEMBERS = (
    "external_id",
    "order_type",
    "mode",
    "orderItems",
    "forSubscription",
    "customerDetails",
    "sourceDetails",
    "processing_type",
    "orderDate",
    "owner",
    "originalOffer",
    "subscription",
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6)
WORDS = st.sampled_from((*ORDER_TYPES, "submitted", "test", "production", "/a/b", "2026-01-01"))
KNOWN = st.sampled_from(
    (*MEMBERS, "offer", "data", "attributes", "reference", "id", "startDate", "email")
)
JSON = st.recursive(
    LEAVES | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KNOWN, inner, max_size=4),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(st.sampled_from(MEMBERS), JSON, max_size=6)


def taken_or_refused(value: bytes) -> None:
    try:
        order = taken(value)
    except RefusedError as refusal:
        problem = refusal.problem
        assert problem.code
        assert problem.message
        assert problem.remedy
        return
    event = acceptance(order, KEY, b"n" * 12, NOW)
    assert decode(encode(event)) == event


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS)
def test_any_document_is_taken_or_refused_in_words(document: dict[str, Any]) -> None:
    taken_or_refused(json.dumps(document).encode())


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=64))
@example(b"\x00\x00\x00\x00\x02")
@example(b'{"external_id":"\\u0000"}')
def test_any_bytes_are_taken_or_refused_in_words(value: bytes) -> None:
    taken_or_refused(value)
    taken_or_refused(HEADER.pack(0, latest(ORDERS).id) + value)


@settings(max_examples=200, deadline=None)
@given(
    st.fixed_dictionaries({"external_id": st.text(max_size=9), "orderItems": st.text()}), st.data()
)
def test_avro_orders_cut_or_changed_anywhere_are_taken_or_refused_in_words(
    members: dict[str, Any], data: st.DataObject
) -> None:
    out = io.BytesIO()
    out.write(HEADER.pack(0, latest(ORDERS).id))
    record = {field["name"]: None for field in json.loads(latest(ORDERS).text)["fields"]}
    schemaless_writer(
        out, latest(ORDERS).parsed, {**record, **members, "process_immediately": False}
    )
    value = bytearray(out.getvalue())
    place = data.draw(st.integers(HEADER.size, len(value) - 1))
    taken_or_refused(bytes(value[:place]))
    value[place] = data.draw(st.integers(0, 255))
    taken_or_refused(bytes(value))


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 1500), st.sampled_from([(b"[", b"]"), (b'{"a":', b"}")]))
def test_orders_nested_however_deep_are_taken_or_refused_in_words(
    depth: int, brackets: tuple[bytes, bytes]
) -> None:
    opening, closing = brackets
    taken_or_refused(b'{"customFields":' + opening * depth + b"1" + closing * depth + b"}")
