"""Sealing: personal and payment sections leave the clear before anything reaches the log."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from schemas.steps import Sealed

SECTIONS = (
    "customerDetails",
    "billingDetails",
    "deliveryDetails",
    "recipientDetails",
    "payment",
    "notificationData",
)
"""Members of an order document that are sealed: who buys, where they live, how they pay, and what
a partner said of them.
"""

_USES = (b"wrap", b"fingerprint", b"subject", b"rej", b"webhooks", b"console")

NONCE_BYTES = 12
KEY_BYTES = 32


class UnsealingError(Exception):
    """The sealed part cannot be read: another key, another order, or it was changed."""


@dataclass(frozen=True, slots=True, repr=False)
class DataKey:
    """The key of one data subject; destroying it erases the subject."""

    id: str
    subject: str
    secret: bytes


@dataclass(frozen=True, slots=True, repr=False)
class TenantKeys:
    """What is derived from a tenant's key: one key per purpose."""

    wrapping: bytes
    fingerprint: bytes
    subject: bytes
    rejected: bytes
    webhooks: bytes
    console: bytes

    @classmethod
    def derived_from(cls, secret: bytes) -> "TenantKeys":
        """Keys per purpose from the tenant's one secret (HKDF-like, by HMAC-SHA256)."""
        return cls(*(_keyed(secret, use) for use in _USES))


def _keyed(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "sha256")


def fingerprint(keys: TenantKeys, document: Mapping[str, Any]) -> bytes:
    """Equal iff the two documents say the same: HMAC-SHA256 over their canonical JSON."""
    return _keyed(keys.fingerprint, orjson.dumps(document, option=orjson.OPT_SORT_KEYS))


def subject_of(keys: TenantKeys, document: Mapping[str, Any], fallback: str) -> str:
    """The data subject of an order: the buyer by e-mail, else `fallback` stands for itself."""
    return subject_by_email(keys, document) or _subject(keys, fallback)


def subject_by_email(keys: TenantKeys, document: Mapping[str, Any]) -> str | None:
    """The buyer as a data subject; None where the order has no e-mail address of theirs."""
    customer = document.get("customerDetails")
    email = customer.get("email") if isinstance(customer, Mapping) else None
    if not isinstance(email, str) or not email.strip():
        return None
    return _subject(keys, email.strip().lower())


def _subject(keys: TenantKeys, identity: str) -> str:
    return _keyed(keys.subject, identity.encode()).hex()[:32]


def seal_document(
    document: Mapping[str, Any], order: str, key: DataKey, nonce: bytes
) -> tuple[str, tuple[Sealed, ...]]:
    """The document as JSON text without its sealed sections, and those sections."""
    hidden = {name: document[name] for name in SECTIONS if document.get(name) is not None}
    if not hidden:
        return orjson.dumps(document).decode(), ()
    clear = {name: value for name, value in document.items() if name not in hidden}
    return orjson.dumps(clear).decode(), (seal(hidden, order, key, nonce),)


def seal(hidden: Mapping[str, Any], order: str, key: DataKey, nonce: bytes) -> Sealed:
    """One sealed part; the order's id is bound to it, so that it fits no other order."""
    text = AESGCM(key.secret).encrypt(nonce, orjson.dumps(hidden), order.encode())
    return Sealed(
        paths=tuple(f"/{name}" for name in hidden),
        key_id=key.id,
        subject=key.subject,
        nonce=nonce,
        ciphertext=text,
    )


def unseal(sealed: Sealed, order: str, key: DataKey) -> dict[str, Any]:
    """What was hidden, by name. `UnsealingError` where it cannot be read."""
    try:
        text = AESGCM(key.secret).decrypt(sealed.nonce, sealed.ciphertext, order.encode())
    except InvalidTag:
        raise UnsealingError(f"the sealed part of {order} does not open with its key") from None
    opened: dict[str, Any] = orjson.loads(text)
    return opened


def wrap(keys: TenantKeys, subject: str, secret: bytes, nonce: bytes) -> bytes:
    """A data key as it is stored: nonce, then the key under the tenant's."""
    return nonce + AESGCM(keys.wrapping).encrypt(nonce, secret, subject.encode())


def unwrap(keys: TenantKeys, subject: str, stored: bytes) -> bytes:
    """The data key. `UnsealingError` where the tenant's key is another one."""
    try:
        return AESGCM(keys.wrapping).decrypt(
            stored[:NONCE_BYTES], stored[NONCE_BYTES:], subject.encode()
        )
    except InvalidTag:
        raise UnsealingError("a data key does not open with the tenant's key in use") from None


def seal_rejected(keys: TenantKeys, value: bytes, nonce: bytes) -> bytes:
    """A rejected record's bytes under the tenant's key: nonce, then ciphertext."""
    return nonce + AESGCM(keys.rejected).encrypt(nonce, value, b"orders-rejected")


def unseal_rejected(keys: TenantKeys, stored: bytes) -> bytes:
    """The original bytes of a rejected record."""
    try:
        return AESGCM(keys.rejected).decrypt(
            stored[:NONCE_BYTES], stored[NONCE_BYTES:], b"orders-rejected"
        )
    except InvalidTag:
        raise UnsealingError("the rejected record does not open with the tenant's key") from None


def seal_webhook(keys: TenantKeys, place: str, value: bytes, nonce: bytes) -> bytes:
    """A secret of a webhook endpoint under the tenant's key: nonce, then ciphertext.

    `place` says which one it is; the sealed bytes open for no other.
    """
    return nonce + AESGCM(keys.webhooks).encrypt(nonce, value, place.encode())


def unseal_webhook(keys: TenantKeys, place: str, stored: bytes) -> bytes:
    """The secret. `UnsealingError` where it is another's, or under another key."""
    try:
        return AESGCM(keys.webhooks).decrypt(
            stored[:NONCE_BYTES], stored[NONCE_BYTES:], place.encode()
        )
    except InvalidTag:
        raise UnsealingError(
            "a secret of a webhook endpoint does not open with the tenant's key in use"
        ) from None


def seal_body(key: DataKey, message: str, body: bytes, nonce: bytes) -> bytes:
    """The body of a webhook with personal data as it is stored: nonce, then ciphertext."""
    return nonce + AESGCM(key.secret).encrypt(nonce, body, message.encode())


def unseal_body(key: DataKey, message: str, stored: bytes) -> bytes:
    """The body. `UnsealingError` where it is another message's, or the subject's key a new one."""
    try:
        return AESGCM(key.secret).decrypt(
            stored[:NONCE_BYTES], stored[NONCE_BYTES:], message.encode()
        )
    except InvalidTag:
        raise UnsealingError(f"the body of {message} does not open with its key") from None
