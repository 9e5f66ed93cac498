"""A subscriber's endpoint: where a tenant's webhooks go, as `webhook-endpoints` holds it."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, TypeAlias

import orjson

from streams.core.sealing import TenantKeys, seal_webhook, unseal_webhook
from streams.core.webhooks.signing import Kind, SigningKey

Payload: TypeAlias = Literal["thin", "full"]

IN_FLIGHT = 8
"""Deliveries that may be under way to one endpoint unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Header:
    """A header that every delivery carries; its value is sealed with the tenant's key."""

    name: str
    sealed: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Secret:
    """A key that deliveries are signed with until `expires`.

    `sealed` are its bytes under the tenant's key; `public` is what verifies a `v1a` signature.
    """

    id: str
    kind: Kind
    sealed: bytes = field(repr=False)
    public: str | None
    created: datetime
    expires: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where webhooks go, and which. `events` are names or patterns of types.

    `secrets` stand newest first. `rate_limit` counts deliveries per second of the whole
    deployment. `generation` rises when it is enabled anew: whatever disabled an older generation
    no longer counts.
    """

    id: str
    tenant: str
    url: str
    description: str = ""
    events: tuple[str, ...] = ("*",)
    payload: Payload = "full"
    personal_data: bool = False
    headers: tuple[Header, ...] = ()
    secrets: tuple[Secret, ...]
    enabled: bool = True
    rate_limit: float | None = None
    max_in_flight: int = IN_FLIGHT
    created: datetime
    updated: datetime
    revision: int = 1
    generation: int = 1

    def valid_secrets(self, now: datetime) -> Sequence[Secret]:
        """Those that sign at `now`, the newest first."""
        return [one for one in self.secrets if one.expires is None or one.expires > now]


@dataclass(frozen=True, slots=True)
class Deleted:
    """An endpoint that was taken away; its id is never used again."""

    id: str
    tenant: str


class UnreadableEndpointError(Exception):
    """A record of `webhook-endpoints` that says nothing that is understood."""


def endpoint_bytes(endpoint: Endpoint | Deleted) -> bytes:
    """The record as JSON: sealed parts in base64, moments in UTC."""
    if isinstance(endpoint, Deleted):
        return orjson.dumps({"id": endpoint.id, "tenant": endpoint.tenant, "deleted": True})
    return orjson.dumps(endpoint, default=_written)


def _written(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} has no place in an endpoint")


def endpoint_from(value: bytes) -> Endpoint | Deleted:
    """What the record says; members of later versions are passed over.

    `UnreadableEndpointError` where it is no endpoint.
    """
    try:
        read = orjson.loads(value)
        if read.get("deleted"):
            return Deleted(read["id"], read["tenant"])
        return _endpoint(read)
    except (ValueError, TypeError, KeyError, AttributeError) as problem:
        raise UnreadableEndpointError(f"not an endpoint: {type(problem).__name__}") from None


def _endpoint(read: dict[str, Any]) -> Endpoint:
    plain = {name: read[name] for name in Endpoint.__slots__ if name in read}
    return Endpoint(
        **plain
        | {
            "events": tuple(read["events"]),
            "headers": tuple(
                Header(one["name"], base64.b64decode(one["sealed"])) for one in read["headers"]
            ),
            "secrets": tuple(_secret(one) for one in read["secrets"]),
            "created": datetime.fromisoformat(read["created"]),
            "updated": datetime.fromisoformat(read["updated"]),
        }
    )


def _secret(read: dict[str, Any]) -> Secret:
    expires = read.get("expires")
    return Secret(
        id=read["id"],
        kind=read["kind"],
        sealed=base64.b64decode(read["sealed"]),
        public=read.get("public"),
        created=datetime.fromisoformat(read["created"]),
        expires=None if expires is None else datetime.fromisoformat(expires),
    )


def sealed_secret(
    keys: TenantKeys, endpoint: str, secret_id: str, key: SigningKey, nonce: bytes
) -> bytes:
    """The key's bytes under the tenant's, for that endpoint alone."""
    return seal_webhook(keys, _secret_place(endpoint, secret_id), key.secret, nonce)


def _secret_place(endpoint: str, secret_id: str) -> str:
    return f"{endpoint}/secret/{secret_id}"


def opened_secrets(keys: TenantKeys, endpoint: Endpoint) -> tuple[tuple[Secret, SigningKey], ...]:
    """All secrets with their keys, the newest first. `UnsealingError` under another's key."""
    return tuple(
        (
            one,
            SigningKey(
                one.kind, unseal_webhook(keys, _secret_place(endpoint.id, one.id), one.sealed)
            ),
        )
        for one in endpoint.secrets
    )


def sealed_headers(
    keys: TenantKeys, endpoint: str, headers: Iterable[tuple[str, str]], nonces: Iterable[bytes]
) -> tuple[Header, ...]:
    """The headers with their values under the tenant's key, each with a nonce of its own."""
    return tuple(
        Header(name, seal_webhook(keys, f"{endpoint}/header/{name}", value.encode(), nonce))
        for (name, value), nonce in zip(headers, nonces, strict=False)
    )


def clear_headers(keys: TenantKeys, endpoint: Endpoint) -> dict[str, str]:
    """The headers as they are sent. `UnsealingError` under another tenant's key."""
    return {
        one.name: unseal_webhook(keys, f"{endpoint.id}/header/{one.name}", one.sealed).decode()
        for one in endpoint.headers
    }
