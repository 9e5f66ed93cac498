"""Personal and payment values leave the clear, and come back only with their key."""

from dataclasses import replace

import orjson
import pytest

from schemas.steps import Sealed
from streams.core.sealing import (
    DataKey,
    TenantKeys,
    UnsealingError,
    fingerprint,
    seal,
    seal_document,
    seal_rejected,
    subject_of,
    unseal,
    unseal_rejected,
    unwrap,
    wrap,
)

KEYS = TenantKeys.derived_from(b"one tenant")
OTHERS = TenantKeys.derived_from(b"another tenant")
KEY = DataKey(id="key-1", subject="subject-1", secret=b"s" * 32)
NONCE = b"n" * 12
PERSONAL = ("customerDetails", "billingDetails", "deliveryDetails", "recipientDetails", "payment")
HIDDEN = {"customerDetails": {"email": "ada@example.org"}, "payment": {"card": "4242"}}


def part() -> Sealed:
    return seal(HIDDEN, "order-1", KEY, NONCE)


def test_each_personal_section_is_sealed_and_nothing_else() -> None:
    document = {name: {"value": "secret"} for name in PERSONAL} | {"source": "shop", "total": 1}
    text, [sealed] = seal_document(document, "order-1", KEY, NONCE)
    assert orjson.loads(text) == {"source": "shop", "total": 1}
    assert set(sealed.paths) == {f"/{name}" for name in PERSONAL}
    assert (sealed.key_id, sealed.subject, sealed.nonce) == ("key-1", "subject-1", NONCE)
    assert b"secret" not in sealed.ciphertext
    assert {**orjson.loads(text), **unseal(sealed, "order-1", KEY)} == document


@pytest.mark.parametrize("value", ["text", 7, ["list"], {}, False, ""], ids=repr)
def test_a_section_of_any_shape_is_sealed(value: object) -> None:
    text, [sealed] = seal_document({"payment": value}, "order-1", KEY, NONCE)
    assert text == "{}"
    assert unseal(sealed, "order-1", KEY) == {"payment": value}


def test_an_order_without_personal_sections_needs_no_seal() -> None:
    assert seal_document({"payment": None, "a": 1}, "order-1", KEY, NONCE) == (
        '{"payment":null,"a":1}',
        (),
    )


@pytest.mark.parametrize(
    ("sealed", "order", "key"),
    [
        (part(), "order-2", KEY),
        (part(), "order-1", replace(KEY, secret=b"t" * 32)),
        (replace(part(), nonce=b"m" * 12), "order-1", KEY),
        (replace(part(), ciphertext=part().ciphertext[:-1] + b"x"), "order-1", KEY),
        (replace(part(), ciphertext=b""), "order-1", KEY),
    ],
    ids=["another order", "another key", "another nonce", "changed", "empty"],
)
def test_a_seal_opens_for_its_order_with_its_key_only(
    sealed: Sealed, order: str, key: DataKey
) -> None:
    assert unseal(part(), "order-1", KEY) == HIDDEN
    with pytest.raises(UnsealingError):
        unseal(sealed, order, key)


def test_a_data_key_is_unwrapped_by_its_tenant_for_its_subject_only() -> None:
    stored = wrap(KEYS, "subject-1", KEY.secret, NONCE)
    assert KEY.secret not in stored
    assert unwrap(KEYS, "subject-1", stored) == KEY.secret
    for keys, subject in ((OTHERS, "subject-1"), (KEYS, "subject-2")):
        with pytest.raises(UnsealingError):
            unwrap(keys, subject, stored)


def test_a_rejected_record_is_read_with_its_tenants_key_only() -> None:
    stored = seal_rejected(KEYS, b"<order/>", NONCE)
    assert b"order" not in stored
    assert unseal_rejected(KEYS, stored) == b"<order/>"
    with pytest.raises(UnsealingError):
        unseal_rejected(OTHERS, stored)


def test_each_purpose_has_a_key_of_its_own() -> None:
    keys = [getattr(one, name) for one in (KEYS, OTHERS) for name in TenantKeys.__slots__]
    assert len(set(keys)) == 2 * len(TenantKeys.__slots__) == 12
    assert {len(key) for key in keys} == {32}


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(KEY)
    assert "wrapping" not in repr(KEYS)


def test_a_subject_is_who_has_the_e_mail_address() -> None:
    def subject(email: object, keys: TenantKeys = KEYS) -> str:
        return subject_of(keys, {"customerDetails": {"email": email}}, "order-1")

    assert subject("ada@example.org") == subject(" Ada@Example.ORG ")
    assert subject("ada@example.org") != subject("bo@example.org")
    assert subject("ada@example.org") != subject("ada@example.org", OTHERS)
    assert "ada" not in subject("ada@example.org")


@pytest.mark.parametrize("customer", [None, {}, {"email": " "}, {"email": 7}, "ada", []], ids=repr)
def test_a_buyer_without_an_e_mail_address_is_a_subject_of_the_order_alone(
    customer: object,
) -> None:
    document = {"customerDetails": customer}
    assert subject_of(KEYS, document, "order-1") == subject_of(KEYS, {}, "order-1")
    assert subject_of(KEYS, document, "order-1") != subject_of(KEYS, document, "order-2")


def test_a_fingerprint_tells_tenants_apart() -> None:
    assert fingerprint(KEYS, {"a": 1}) != fingerprint(OTHERS, {"a": 1})
    assert len(fingerprint(KEYS, {"a": 1})) == 32
