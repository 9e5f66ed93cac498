"""No personal or payment value of any document reaches the log in clear."""

import random
from datetime import UTC, datetime
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.events import OrderAccepted
from schemas.orders import MAX_ORDER_BYTES, read_document
from streams.core.intake import acceptance
from streams.core.sealing import fingerprint, unseal
from tests.unit.core.taking import KEY, KEYS, taken

SECTIONS = ("customerDetails", "billingDetails", "deliveryDetails", "recipientDetails", "payment")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = st.text("abcdef", min_size=1, max_size=6)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8)
)


def nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
        max_leaves=8,
    )


VALUES = nested(LEAVES)
# Values long and odd enough to be found nowhere by chance.
PERSONAL = st.text("PQRSTUVWXYZ", min_size=24, max_size=24)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4)
SECTION = st.dictionaries(NAMES, nested(PERSONAL), max_size=4)
"""Intake takes no section that is not an object."""
SECRETS = st.dictionaries(st.sampled_from(SECTIONS), SECTION, max_size=len(SECTIONS))


def leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in leaves(inner)]
    return [value]


def shuffled(value: Any, chance: random.Random) -> Any:
    """The same document with its members in another order, at every depth."""
    if isinstance(value, list):
        return [shuffled(inner, chance) for inner in value]
    if not isinstance(value, dict):
        return value
    members = [(name, shuffled(inner, chance)) for name, inner in value.items()]
    chance.shuffle(members)
    return dict(members)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, SECRETS, st.binary(min_size=12, max_size=12))
def test_no_personal_value_is_in_the_event_and_all_come_back_with_the_key(
    clear: dict[str, Any], secrets: dict[str, Any], nonce: bytes
) -> None:
    document = {**clear, **secrets}
    order = taken(orjson.dumps(document))
    event = acceptance(order, KEY, nonce, NOW)
    fact = event.fact
    assert isinstance(fact, OrderAccepted)
    written = encode(event)
    for value in leaves(secrets):
        assert value not in fact.document
        assert value.encode() not in written
    opened = orjson.loads(fact.document)
    for part in fact.sealed:
        opened.update(unseal(part, order.order_id, KEY))
    assert opened == document


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.randoms(use_true_random=False))
def test_the_order_of_members_does_not_change_a_fingerprint(
    document: dict[str, Any], chance: random.Random
) -> None:
    assert fingerprint(KEYS, shuffled(document, chance)) == fingerprint(KEYS, document)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, DOCUMENTS)
def test_fingerprints_are_equal_only_where_the_documents_are(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    alike = orjson.dumps(one, option=orjson.OPT_SORT_KEYS) == orjson.dumps(
        other, option=orjson.OPT_SORT_KEYS
    )
    assert (fingerprint(KEYS, one) == fingerprint(KEYS, other)) is alike


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, NAMES, VALUES)
def test_another_value_anywhere_gives_another_fingerprint(
    document: dict[str, Any], name: str, value: Any
) -> None:
    changed = {**document, name: [value, document.get(name)]}
    assert fingerprint(KEYS, changed) != fingerprint(KEYS, document)


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS)
def test_a_document_survives_being_sent(document: dict[str, Any]) -> None:
    value = orjson.dumps(document)
    assert len(value) <= MAX_ORDER_BYTES
    assert fingerprint(KEYS, read_document(value)) == fingerprint(KEYS, document)
