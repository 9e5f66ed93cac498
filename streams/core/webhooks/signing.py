"""Signs webhooks as Standard Webhooks 1.0.0 says: `v1` (HMAC-SHA256) and `v1a` (ed25519)."""

import base64
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Kind: TypeAlias = Literal["v1", "v1a"]

SECRET_BYTES = 32
"""Bytes of a new secret: a key for HMAC (`v1`), or the seed of an ed25519 key pair (`v1a`)."""

SECRET_PREFIX = "whsec_"  # noqa: S105 - how the secret of an endpoint begins, not a secret
PUBLIC_PREFIX = "whpk_"

_KEYS_AT_HAND = 4096


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """One key of an endpoint: `secret` are the bytes that were drawn for it."""

    kind: Kind
    secret: bytes

    def signature(self, content: bytes) -> str:
        """One entry of the header `webhook-signature`: the scheme's version and base64."""
        if self.kind == "v1":
            signed = hmac.digest(self.secret, content, "sha256")
        else:
            signed = _private(self.secret).sign(content)
        return f"{self.kind},{base64.b64encode(signed).decode()}"

    def shown(self) -> str:
        """What the receiver verifies with: `whsec_...` is a secret, `whpk_...` is public."""
        if self.kind == "v1":
            return SECRET_PREFIX + base64.b64encode(self.secret).decode()
        public = _private(self.secret).public_key().public_bytes_raw()
        return PUBLIC_PREFIX + base64.b64encode(public).decode()


@lru_cache(maxsize=_KEYS_AT_HAND)
def _private(seed: bytes) -> Ed25519PrivateKey:
    """Deriving a key pair costs as much as signing with it."""
    return Ed25519PrivateKey.from_private_bytes(seed)


def signature_headers(
    message_id: str, timestamp: int, body: bytes, keys: Iterable[SigningKey]
) -> dict[str, str]:
    """The three headers of one attempt, which began at `timestamp` (whole seconds since 1970).

    Each key signs: during a rotation the receiver finds the signature of the key that it knows.
    `ValueError` for an id that could be mistaken for id and timestamp.
    """
    if "." in message_id:
        raise ValueError("an id with a point in it makes the signed text ambiguous")
    content = f"{message_id}.{timestamp}.".encode() + body
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(key.signature(content) for key in keys),
    }
