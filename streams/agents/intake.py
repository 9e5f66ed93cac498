"""Intake: reads `orders`, and writes each order's acceptance or its rejection."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from schemas.events import Event
from schemas.problems import Problem, RefusedError
from streams.agents import metrics
from streams.agents.fate import Fatal, guarded
from streams.agents.inbox import Inbox, until_loop_is_free
from streams.agents.journal import Journal
from streams.agents.keyring import KeyRing
from streams.agents.rejections import DEFAULT_TENANT, Refused, Rejections
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


@dataclass(slots=True)
class _Chunk:
    last: int
    landed: bool = False


@dataclass(slots=True)
class _Ledger:
    """What of one partition is durable elsewhere, in the order it was read."""

    partition: int
    position: int
    open: deque[_Chunk] = field(default_factory=deque)

    def committable(self) -> int:
        while self.open and self.open[0].landed:
            self.position = self.open.popleft().last + 1
        return self.position


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


class IntakeAgent:
    """Reads `orders`; nothing is committed before its outcome is durable."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._ledgers: dict[int, _Ledger] = {}
        self._inbox: Inbox[_Ledger] = Inbox(INBOX_RECORDS)
        self._writing: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Starts its loop."""
        self._writing.add(guarded(self._loop(), self._desk.fatal))

    async def stop(self) -> None:
        """Ends its loop; what is not durable is read again by another worker."""
        for task in self._writing:
            task.cancel()
        await asyncio.gather(*self._writing, return_exceptions=True)

    async def assigned(
        self, committed: Mapping[int, int], ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        """Starts at the committed offsets; at 0 where nothing was committed yet.

        It has to be said: without a committed offset the consumer would go on where it stands,
        past what was fetched while the partitions were being moved.
        """
        del ends
        self._ledgers = {number: _Ledger(number, offset) for number, offset in committed.items()}
        return committed

    def revoked(self) -> None:
        """Forgets its place; what is being written lands or is read again."""
        self._ledgers = {}
        self._inbox.clear()

    @property
    def has_room(self) -> bool:
        """Whether it keeps up, and not too many orders are in memory."""
        return self._inbox.has_room and self._desk.held() < MOST_HELD

    def take(self, partition: int, records: Records) -> None:
        """Takes records, to be taken or rejected soon."""
        ledger = self._ledgers.get(partition)
        if ledger is not None:
            self._inbox.put(ledger, records)

    def committable(self, partition: int) -> int | None:
        """Behind the first record whose outcome is not durable."""
        ledger = self._ledgers.get(partition)
        return None if ledger is None else ledger.committable()

    async def _loop(self) -> None:
        while True:
            await until_loop_is_free(self._desk.monotonic)
            while self._desk.behind() > MOST_BEHIND:  # noqa: ASYNC110 (an event per record costs)
                await asyncio.sleep(BEHIND_AGAIN_S)
            await self._take(await self._inbox.take(AT_ONCE))

    async def _take(self, taken: list[tuple[_Ledger, Records]]) -> None:
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
            chunk = _Chunk(records[-1].offset)
            ledger.open.append(chunk)
            rejecting = [outcome for outcome in outcomes if not isinstance(outcome, Prepared)]
            events = [self._accepted(o, keys) for o in outcomes if isinstance(o, Prepared)]
            task = asyncio.ensure_future(self._land(chunk, events, rejecting))
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    def _watch_age(self, record: Record) -> None:
        age_s = self._desk.now().timestamp() - record.timestamp / 1000
        metrics.INTAKE_AGE.set(age_s)
        if age_s > ALARM_AGE_S:
            log.error("intake is %.0f hours behind: orders expire after 14 days", age_s / 3600)

    def _outcome(self, partition: int, record: Record) -> Prepared | Rejecting:
        desk = self._desk
        headers = dict(record.headers or ())
        tenant = _header(headers, "waybill-tenant") or DEFAULT_TENANT
        origin = f"{desk.topic}/{partition}/{record.offset}"
        submission = Submission(
            tenant=tenant,
            value=record.value,
            identity=_header(headers, "waybill-identity") or origin,
            actor=_header(headers, "waybill-actor") or "kafka",
            origin=origin,
            trace=_header(headers, "traceparent"),
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

    async def _land(self, chunk: _Chunk, events: list[Event], rejecting: list[Rejecting]) -> None:
        """Returns when the outcome of every record of the chunk is durable."""
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
        chunk.landed = True


def _header(headers: Mapping[str, bytes], name: str) -> str | None:
    value = headers.get(name)
    return value.decode(errors="replace") if value else None
