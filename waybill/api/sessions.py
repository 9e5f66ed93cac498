"""Sessions of people: a sealed cookie that stands for an API key for some hours."""

import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from streams.core.sealing import NONCE_BYTES, TenantKeys

COOKIE = "wb_session"
LASTS = timedelta(hours=12)


class SessionKey(Protocol):
    """What a session stands for."""

    @property
    def id(self) -> str:
        """The key's id."""

    @property
    def tenant(self) -> str:
        """Whose key it is."""

    @property
    def hash(self) -> str:
        """Sealed in, so that a key renewed under the same id ends its sessions."""


class Sessions:
    """Seals and opens cookies `<key id>.<nonce and sealed end>` by the tenant's key.

    Nothing is kept: every API process with the same files knows every session, and one ends with
    its hours, or with its key.
    """

    def __init__(
        self,
        keys: Mapping[str, TenantKeys],
        now: Callable[[], datetime],
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._keys = keys
        self._now = now
        self._random_bytes = random_bytes

    def sealed(self, key: SessionKey) -> str:
        """The cookie of a new session. KeyError where the tenant has no key of its own."""
        nonce = self._random_bytes(NONCE_BYTES)
        until = int((self._now() + LASTS).timestamp())
        text = AESGCM(self._keys[key.tenant].console).encrypt(
            nonce, str(until).encode(), _bound(key)
        )
        return f"{key.id}.{base64.urlsafe_b64encode(nonce + text).decode()}"

    def holds(self, cookie: str, key: SessionKey) -> bool:
        """Whether the cookie is a session of that key, and not over."""
        keys = self._keys.get(key.tenant)
        if keys is None:
            return False
        try:
            raw = base64.urlsafe_b64decode(cookie.partition(".")[2].encode())
            until = AESGCM(keys.console).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], _bound(key))
        except (binascii.Error, ValueError, InvalidTag):
            return False
        return int(until) > self._now().timestamp()


def _bound(key: SessionKey) -> bytes:
    return f"{key.tenant}\0{key.id}\0{key.hash}".encode()
