"""How endpoints come to be and change: secrets that take turns, headers, enabling anew."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from streams.core.sealing import NONCE_BYTES, TenantKeys
from streams.core.webhooks.endpoint import (
    Endpoint,
    Header,
    Secret,
    sealed_headers,
    sealed_secret,
)
from streams.core.webhooks.signing import SECRET_BYTES, Kind, SigningKey

MOST_SECRETS = 5
"""Secrets that may sign at once: each makes every delivery's headers longer."""

_ID_BYTES = 8


class TooManySecretsError(Exception):
    """So many secrets are valid that one more would make the headers too long."""


@dataclass(frozen=True, slots=True)
class Sealer:
    """Draws an endpoint's secrets and seals them with the tenant's key."""

    keys: TenantKeys
    random_bytes: Callable[[int], bytes]

    def secret(self, endpoint: str, kind: Kind, now: datetime) -> tuple[Secret, SigningKey]:
        """A new secret of the endpoint, and its key to be shown once."""
        key = SigningKey(kind, self.random_bytes(SECRET_BYTES))
        name = f"whs_{self.random_bytes(_ID_BYTES).hex()}"
        nonce = self.random_bytes(NONCE_BYTES)
        sealed = sealed_secret(self.keys, endpoint, name, key, nonce)
        return Secret(name, kind, sealed, key.shown() if kind == "v1a" else None, now), key

    def headers(
        self, endpoint: str, held: tuple[Header, ...], changes: Mapping[str, str | None]
    ) -> tuple[Header, ...]:
        """The headers with those of `changes` set, by lower-case name; None takes one away."""
        kept = tuple(one for one in held if one.name not in changes)
        given = [(name, value) for name, value in changes.items() if value is not None]
        nonces = [self.random_bytes(NONCE_BYTES) for _ in given]
        return (*kept, *sealed_headers(self.keys, endpoint, given, nonces))


def changed(endpoint: Endpoint, members: Mapping[str, Any], now: datetime) -> Endpoint:
    """The next revision; secrets that sign no more are left behind."""
    after = replace(endpoint, **members, updated=now, revision=endpoint.revision + 1)
    return replace(after, secrets=tuple(after.valid_secrets(now)))


def rotated(endpoint: Endpoint, secret: Secret, overlap: timedelta, now: datetime) -> Endpoint:
    """With a new secret; the older ones sign along for `overlap`, if they do not end sooner.

    `TooManySecretsError` where too many would sign.
    """
    end = now + overlap
    older = [
        replace(one, expires=end if one.expires is None else min(one.expires, end))
        for one in endpoint.secrets
    ]
    after = changed(endpoint, {"secrets": (secret, *older)}, now)
    if len(after.secrets) > MOST_SECRETS:
        raise TooManySecretsError(len(after.secrets))
    return after
