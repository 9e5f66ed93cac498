"""Intake: reads `orders`, and writes each order's acceptance or its rejection."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeAlias

from schemas.problems import Problem, RefusedError
from streams.agents import metrics
from streams.agents.fate import Fatal
from streams.agents.in_hand import POISON, InHand
from streams.agents.inbox import until_loop_is_free
from streams.agents.journal import Journal
from streams.agents.keyring import KeyRing
from streams.agents.ledger import Ledger, LedgerReader
from streams.agents.rejections import DEFAULT_TENANT, Refused, Rejections, header
from streams.core.intake import Intake, Prepared, Submission, acceptance
from streams.core.sealing import NONCE_BYTES
from streams.kafka.reader import Record, Records

AT_ONCE = 100
INBOX_RECORDS = 2_000
MOST_HELD = 50_000
MOST_BEHIND = 200
ALARM_AGE_S = 86_400
BEHIND_AGAIN_S = 0.005
VERSION_SEEN = "waybill-config-version"
"""Header of an order: this version was in use when it was sent, so no older one will do."""
_LONGEST_VERSION = 11

log = logging.getLogger(__name__)

INTERNAL = Problem(
    code="internal",
    message="the order could not be read by this version",
    remedy="report it with this record; it can be sent again later",
)


Rejecting: TypeAlias = Coroutine[Any, Any, object]
Ready: TypeAlias = Callable[[Mapping[str, int]], Awaitable[None]]


class Taken(NamedTuple):
    """An order that can be accepted, and its record, should that fail after all."""

    prepared: Prepared
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What intake works with.

    `held` counts the orders that the worker has in memory, `behind` the records that it wrote
    and has yet to read back. `ready` waits for the versions of configurations, by tenant, that
    senders of orders have seen; without it there is one version only.
    """

    topic: str
    intake: Intake
    journal: Journal
    rejections: Rejections
    ring: KeyRing
    in_hand: InHand
    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    monotonic: Callable[[], float]
    held: Callable[[], int]
    behind: Callable[[], int]
    fatal: Fatal
    ready: Ready | None = None


class IntakeAgent(LedgerReader):
    """Reads `orders`; nothing is committed before its outcome is durable."""

    def __init__(self, desk: Desk) -> None:
        super().__init__(INBOX_RECORDS, desk.fatal)
        self._desk = desk

    @property
    def has_room(self) -> bool:
        """Whether it keeps up, and not too many orders are in memory."""
        return self._inbox.has_room and self._desk.held() < MOST_HELD

    async def _loop(self) -> None:
        while True:
            await until_loop_is_free(self._desk.monotonic)
            while self._desk.behind() > MOST_BEHIND:  # noqa: ASYNC110 (an event per record costs)
                await asyncio.sleep(BEHIND_AGAIN_S)
            taken = await self._inbox.take(AT_ONCE)
            if self._desk.ready is not None:
                await self._desk.ready(versions_seen(taken))
            await self._take(taken)

    async def assigned(
        self, committed: Mapping[int, int], ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        """As for any ledger; who had these partitions before may have died of a record."""
        await self._desk.in_hand.learn()
        return await super().assigned(committed, ends)

    async def _take(self, taken: list[tuple[Ledger, Records]]) -> None:
        writes: list[list[Rejecting | Taken]] = []
        subjects: dict[str, dict[str, None]] = {}
        self._watch_age(taken[-1][1][-1])
        for ledger, records in taken:
            outcomes = [self._outcome(ledger.partition, record) for record in records]
            writes.append(outcomes)
            for outcome in outcomes:
                if isinstance(outcome, Taken):
                    prepared = outcome.prepared
                    subjects.setdefault(prepared.submission.tenant, {})[prepared.subject] = None
        keys = {
            (tenant, subject): key
            for tenant, wanted in subjects.items()
            for subject, key in (await self._desk.ring.made(tenant, wanted)).items()
        }
        for (ledger, records), outcomes in zip(taken, writes, strict=True):
            landing = [
                self._accepted(outcome, keys) if isinstance(outcome, Taken) else outcome
                for outcome in outcomes
            ]
            self._land(ledger, records[-1].offset, self._landed(landing))

    def _watch_age(self, record: Record) -> None:
        age_s = self._desk.now().timestamp() - record.timestamp / 1000
        metrics.INTAKE_AGE.set(age_s)
        if age_s > ALARM_AGE_S:
            log.error("intake is %.0f hours behind: orders expire after 14 days", age_s / 3600)

    def _outcome(self, partition: int, record: Record) -> Rejecting | Taken:
        desk = self._desk
        origin = f"{desk.topic}/{partition}/{record.offset}"
        if desk.in_hand.is_poison(origin):
            return self._rejecting(record, origin, POISON)
        desk.in_hand.taking(origin.encode())
        try:
            return Taken(desk.intake.prepare(self._submission(record, origin)), record)
        except RefusedError as refusal:
            problem = refusal.problem
        except Exception:
            log.exception("an order could not be handled at %s", origin)
            problem = INTERNAL
        finally:
            desk.in_hand.done()
        desk.in_hand.survived(origin)
        return self._rejecting(record, origin, problem)

    def _submission(self, record: Record, origin: str) -> Submission:
        headers = dict(record.headers or ())
        return Submission(
            tenant=header(headers, "waybill-tenant") or DEFAULT_TENANT,
            value=record.value,
            identity=header(headers, "waybill-identity") or origin,
            actor=header(headers, "waybill-actor") or "kafka",
            origin=origin,
            trace=header(headers, "traceparent"),
        )

    def _rejecting(self, record: Record, origin: str, problem: Problem) -> Rejecting:
        tenant = header(dict(record.headers or ()), "waybill-tenant") or DEFAULT_TENANT
        return self._desk.rejections.write(Refused.record(record, origin, tenant), problem)

    def _accepted(self, taken: Taken, keys: Mapping[Any, Any]) -> Rejecting:
        """Seals and encodes the acceptance, and sends it off; returns its way to the log."""
        desk, prepared = self._desk, taken.prepared
        origin = prepared.submission.origin
        desk.in_hand.taking(origin.encode())
        try:
            key = keys[prepared.submission.tenant, prepared.subject]
            event = acceptance(prepared, key, desk.random_bytes(NONCE_BYTES), desk.now())
            written = desk.journal.append(event)
        except Exception:
            log.exception("an order could not be written at %s", origin)
            return self._rejecting(taken.record, origin, INTERNAL)
        finally:
            desk.in_hand.done()
        desk.in_hand.survived(origin)
        metrics.ORDERS_ACCEPTED.labels(prepared.order_type).inc()
        return desk.journal.ensured(event, written)

    async def _landed(self, landing: list[Rejecting]) -> None:
        """Returns when the outcome of every record is durable."""
        for outcome in landing:
            await outcome


def versions_seen(taken: list[tuple[Ledger, Records]]) -> dict[str, int]:
    """The highest version of each tenant's configuration that a sender had seen."""
    seen: dict[str, int] = {}
    for _, records in taken:
        for record in records:
            headers = dict(record.headers or ())
            version = headers.get(VERSION_SEEN)
            if version is not None and version.isdigit() and len(version) < _LONGEST_VERSION:
                tenant = header(headers, "waybill-tenant") or DEFAULT_TENANT
                seen[tenant] = max(seen.get(tenant, 0), int(version))
    return seen
