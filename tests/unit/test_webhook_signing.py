"""Signatures of webhooks, by the specification's vectors and by the official Python library."""

import base64
from datetime import UTC, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from streams.core.webhooks.signing import SigningKey, signature_headers

NEW, OLD = SigningKey("v1", b"n" * 32), SigningKey("v1", b"o" * 24)
PAIR = SigningKey("v1a", bytes(range(32)))
BODY = '{"type":"order.failed","data":{"name":"Zoë 🚚"}}'.encode()


def test_the_official_libraries_vector_of_v1() -> None:
    """All official libraries test with it, among them those of Python, Go, Rust and Ruby."""
    key = SigningKey("v1", base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
    assert key.shown() == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = b'{"test": 2432232314}'
    assert signature_headers("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [key]) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


@pytest.mark.parametrize(
    ("seed", "public", "content", "signature"),
    [
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            (
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
            ),
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            (
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
            ),
        ),
    ],
)
def test_rfc_8032s_vectors_of_v1a(seed: str, public: str, content: str, signature: str) -> None:
    key = SigningKey("v1a", bytes.fromhex(seed))
    assert key.shown() == "whpk_" + base64.b64encode(bytes.fromhex(public)).decode()
    expected = base64.b64encode(bytes.fromhex(signature)).decode()
    assert key.signature(bytes.fromhex(content)) == f"v1a,{expected}"


@given(said=st.text(), secret=st.binary(min_size=24, max_size=64))
def test_the_official_library_verifies_any_body(said: str, secret: bytes) -> None:
    key, body = SigningKey("v1", secret), orjson.dumps(said)
    headers = signature_headers("msg_1", int(datetime.now(UTC).timestamp()), body, [key])
    assert Webhook(key.shown()).verify(body, headers) == said


@pytest.mark.parametrize("keys", [[NEW, OLD], [NEW, PAIR, OLD]])
def test_during_a_rotation_old_and_new_secrets_verify(keys: list[SigningKey]) -> None:
    headers = signature_headers("msg_1", int(datetime.now(UTC).timestamp()), BODY, keys)
    for key in (NEW, OLD):
        assert Webhook(key.shown()).verify(BODY, headers)["type"] == "order.failed"
    with pytest.raises(WebhookVerificationError):
        Webhook(SigningKey("v1", b"x" * 32).shown()).verify(BODY, headers)


@pytest.mark.parametrize("changed", ["webhook-id", "webhook-timestamp", "body"])
def test_what_was_changed_on_the_way_does_not_verify(changed: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    headers, body = signature_headers("msg_1", now, BODY, [NEW]), BODY
    if changed == "body":
        body = BODY.replace(b"failed", b"faileD")
    else:
        headers[changed] = {"webhook-id": "msg_2", "webhook-timestamp": str(now - 1)}[changed]
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW.shown()).verify(body, headers)


def test_an_id_that_could_pass_for_id_and_timestamp_is_not_signed() -> None:
    with pytest.raises(ValueError, match="point"):
        signature_headers("msg_1.1614265330", 1614265331, BODY, [NEW])


def test_keys_do_not_show_themselves() -> None:
    assert "nnn" not in repr(NEW)
