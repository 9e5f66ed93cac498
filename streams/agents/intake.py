"""Intake: reads `orders`, and writes each order's acceptance or its rejection."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from schemas.events import Event
from schemas.problems import Problem, RefusedError
from streams.agents import metrics
from streams.agents.fate import Fatal
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

log = logging.getLogger(__name__)

INTERNAL = Problem(
    code="internal",
    message="the order could not be read by this version",
    remedy="report it with this record; it can be sent again later",
)


Rejecting: TypeAlias = Coroutine[Any, Any, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What intake works with.

    `held` counts the orders that the worker has in memory, `behind` the records that it wrote
    and has yet to read back.
    """

    topic: str
    intake: Intake
    journal: Journal
    rejections: Rejections
    ring: KeyRing
    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    monotonic: Callable[[], float]
    held: Callable[[], int]
    behind: Callable[[], int]
    fatal: Fatal


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
            await self._take(await self._inbox.take(AT_ONCE))

    async def _take(self, taken: list[tuple[Ledger, Records]]) -> None:
        writes: list[list[Rejecting | Prepared]] = []
        subjects: dict[str, dict[str, None]] = {}
        self._watch_age(taken[-1][1][-1])
        for ledger, records in taken:
            outcomes = [self._outcome(ledger.partition, record) for record in records]
            writes.append(outcomes)
            for outcome in outcomes:
                if isinstance(outcome, Prepared):
                    subjects.setdefault(outcome.submission.tenant, {})[outcome.subject] = None
        keys = {
            (tenant, subject): key
            for tenant, wanted in subjects.items()
            for subject, key in (await self._desk.ring.made(tenant, wanted)).items()
        }
        for (ledger, records), outcomes in zip(taken, writes, strict=True):
            rejecting = [outcome for outcome in outcomes if not isinstance(outcome, Prepared)]
            events = [self._accepted(o, keys) for o in outcomes if isinstance(o, Prepared)]
            self._land(ledger, records[-1].offset, self._written(events, rejecting))

    def _watch_age(self, record: Record) -> None:
        age_s = self._desk.now().timestamp() - record.timestamp / 1000
        metrics.INTAKE_AGE.set(age_s)
        if age_s > ALARM_AGE_S:
            log.error("intake is %.0f hours behind: orders expire after 14 days", age_s / 3600)

    def _outcome(self, partition: int, record: Record) -> Prepared | Rejecting:
        desk = self._desk
        headers = dict(record.headers or ())
        tenant = header(headers, "waybill-tenant") or DEFAULT_TENANT
        origin = f"{desk.topic}/{partition}/{record.offset}"
        submission = Submission(
            tenant=tenant,
            value=record.value,
            identity=header(headers, "waybill-identity") or origin,
            actor=header(headers, "waybill-actor") or "kafka",
            origin=origin,
            trace=header(headers, "traceparent"),
        )
        try:
            return desk.intake.prepare(submission)
        except RefusedError as refusal:
            problem = refusal.problem
        except Exception:
            log.exception("an order could not be handled at %s", origin)
            problem = INTERNAL
        return desk.rejections.write(Refused.record(record, origin, tenant), problem)

    def _accepted(self, prepared: Prepared, keys: Mapping[Any, Any]) -> Event:
        desk = self._desk
        metrics.ORDERS_ACCEPTED.labels(prepared.order_type).inc()
        key = keys[prepared.submission.tenant, prepared.subject]
        return acceptance(prepared, key, desk.random_bytes(NONCE_BYTES), desk.now())

    async def _written(self, events: list[Event], rejecting: list[Rejecting]) -> None:
        """Returns when the outcome of every record is durable."""
        journal = self._desk.journal
        appended = [(event, journal.append(event)) for event in events]
        for rejection in rejecting:
            await rejection
        for event, ack in appended:
            try:
                await ack
            except Exception as problem:  # noqa: BLE001 (whatever it was, it is not durable yet)
                log.warning("an acceptance is written again: %r", problem)
                await journal.write(event)
