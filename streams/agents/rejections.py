"""Orders that are not taken: whole, sealed and with the reason, in `orders-rejected`."""

import asyncio
import base64
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import orjson

from schemas.events import Event, OrderAccepted
from schemas.problems import Problem
from streams.agents import metrics
from streams.agents.journal import AGAIN_AFTER_S
from streams.agents.keyring import KeyRing
from streams.core.sealing import NONCE_BYTES, TenantKeys, seal_rejected, unseal, unseal_rejected
from streams.kafka.reader import Record
from streams.kafka.writer import Headers, LogWriter

log = logging.getLogger(__name__)

DEFAULT_TENANT = "default"
SENT_HEADERS = "sent-headers"
"""The header of a rejection that holds those of the original record: sealed, in base64."""

CONTRADICTION = Problem(
    code="external_id_conflict",
    message="an order with this external_id and another body was accepted before",
    remedy="send changes as orders of their own, under an external_id of their own",
    field="/external_id",
)


@dataclass(frozen=True, slots=True)
class Refused:
    """What is refused: the original record, where it came from, and whose it is."""

    key: bytes | None
    value: bytes
    origin: str
    tenant: str
    headers: Headers = ()

    @classmethod
    def record(cls, record: Record, origin: str, tenant: str) -> "Refused":
        """A record of `orders` or `order-commands`."""
        return cls(record.key, record.value or b"", origin, tenant, record.headers or ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejections:
    """Writes to `orders-rejected` until it is durable."""

    topic: str
    writer: LogWriter
    keys: Mapping[str, TenantKeys]
    ring: KeyRing
    random_bytes: Callable[[int], bytes]

    async def write(self, refused: Refused, problem: Problem) -> None:
        """Returns when the rejection is durable."""
        metrics.ORDERS_REJECTED.labels(problem.code).inc()
        log.warning("order rejected: %s at %s", problem.code, refused.origin)
        tenants = (refused.tenant, DEFAULT_TENANT, *self.keys)
        keys = next(self.keys[tenant] for tenant in tenants if tenant in self.keys)
        value = seal_rejected(keys, refused.value, self.random_bytes(NONCE_BYTES))
        headers = _headers(refused, problem)
        if refused.headers:
            # Sealed, too: nobody knows what a sender puts into them.
            sent = _written(refused.headers)
            sealed = seal_rejected(keys, sent, self.random_bytes(NONCE_BYTES))
            headers.append((SENT_HEADERS, base64.b64encode(sealed)))
        while True:
            try:
                await self.writer.append(self.topic, refused.key, value, headers)
            except Exception as failure:  # noqa: BLE001 (whatever it was, it is not durable yet)
                log.warning("a rejection is written again: %r", failure)
                await asyncio.sleep(AGAIN_AFTER_S)
            else:
                return

    async def contradiction(self, event: Event) -> None:
        """An acceptance that lost the race for its `external_id` to another body."""
        fact, envelope = event.fact, event.envelope
        assert isinstance(fact, OrderAccepted)
        document = orjson.loads(fact.document)
        for part in fact.sealed:
            key = await self.ring.existing(envelope.tenant, part.subject)
            if key is not None:
                document.update(unseal(part, envelope.order_id, key))
        origin = envelope.origin or ""
        refused = Refused(envelope.lane.encode(), orjson.dumps(document), origin, envelope.tenant)
        await self.write(refused, CONTRADICTION)


def opened(rejected: Record, keys: TenantKeys) -> Refused:
    """What was refused, from its record in `orders-rejected`: whole, to be sent again."""
    told = dict(rejected.headers or ())
    sent = told.get(SENT_HEADERS)
    return Refused(
        key=rejected.key,
        value=unseal_rejected(keys, rejected.value or b""),
        origin=told.get("origin", b"").decode(),
        tenant=told.get("waybill-tenant", DEFAULT_TENANT.encode()).decode(),
        headers=_read(unseal_rejected(keys, base64.b64decode(sent))) if sent else (),
    )


def _written(headers: Headers) -> bytes:
    return orjson.dumps([[name, base64.b64encode(text or b"").decode()] for name, text in headers])


def _read(written: bytes) -> Headers:
    return [(name, base64.b64decode(text)) for name, text in orjson.loads(written)]


def _headers(refused: Refused, problem: Problem) -> list[tuple[str, bytes]]:
    headers = [
        ("code", problem.code),
        ("reason", problem.message),
        ("remedy", problem.remedy),
        ("field", problem.field or ""),
        ("origin", refused.origin),
        ("waybill-tenant", refused.tenant),
    ]
    return [(name, text.encode()) for name, text in headers if text]


def header(headers: Mapping[str, bytes], name: str) -> str | None:
    """The header's text; None where it is missing or empty."""
    value = headers.get(name)
    return value.decode(errors="replace") if value else None
