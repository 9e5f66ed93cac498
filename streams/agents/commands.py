"""Takes commands: reads `order-commands`, and writes what each one asks to the log."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, TypeAlias

from schemas.arriving import refused
from schemas.order_commands import StageCommandKind
from schemas.problems import Problem, RefusedError
from streams.agents import metrics
from streams.agents.fate import Fatal, StoreCalls
from streams.agents.in_hand import POISON, InHand
from streams.agents.inbox import until_loop_is_free
from streams.agents.intake import BEHIND_AGAIN_S, INTERNAL, MOST_BEHIND, Ready
from streams.agents.journal import AGAIN_AFTER_S, Journal
from streams.agents.keyring import KeyRing
from streams.agents.ledger import Ledger, LedgerReader
from streams.agents.rejections import DEFAULT_TENANT, Refused, Rejections, header
from streams.core.commanding import (
    SUBJECTLESS,
    Asked,
    Belonging,
    Commanding,
    PreparedCommand,
    Request,
    command_received,
    read_request,
    stage_control,
)
from streams.core.order import Order
from streams.core.sealing import NONCE_BYTES
from streams.core.sequence import Sequencer
from streams.kafka.reader import Record, Records

AT_ONCE = 500
INBOX_RECORDS = 2_000
UNKNOWN_AFTER_S = 5.0
LOOK_AGAIN_S = 0.25
MOST_MISSING = 1_000
"""Commands that may wait at once for orders that the store does not have."""

log = logging.getLogger(__name__)

Work: TypeAlias = Awaitable[Any]
"""Ends when the outcome of a command is durable."""


class OrderBook(Protocol):
    """The store, as far as commands ask it. Blocking."""

    def whereabouts(self, tenant: str, names: Collection[str]) -> Mapping[str, Sequence[Belonging]]:
        """Where the orders with these ids, references and external ids belong, by name."""

    def folded(self, tenant: str, order_id: str) -> Order | None:
        """The order as it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandDesk:
    """What commands are taken with; `behind` and `ready` as for intake.

    `pinned` resolves orders under an older version of a tenant's configuration. Blocking.
    """

    topic: str
    controls_topic: str
    commanding: Commanding
    pinned: Callable[[str, int], Sequencer | None]
    book: OrderBook
    calls: StoreCalls
    journal: Journal
    rejections: Rejections
    ring: KeyRing
    in_hand: InHand
    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    monotonic: Callable[[], float]
    behind: Callable[[], int]
    fatal: Fatal
    ready: Ready | None = None


@dataclass(frozen=True, slots=True)
class _Item:
    """A command that was read, and its record, should it be refused after all."""

    asked: Asked
    record: Refused

    @property
    def name(self) -> str:
        """What it calls its order."""
        assert self.asked.command.order is not None
        return self.asked.command.order


class CommandAgent(LedgerReader):
    """Reads `order-commands`; nothing is committed before its outcome is durable."""

    def __init__(self, desk: CommandDesk) -> None:
        super().__init__(INBOX_RECORDS, desk.fatal)
        self._desk = desk
        self._missing = 0
        self._controlling = asyncio.Lock()

    async def assigned(
        self, committed: Mapping[int, int], ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        """As for any ledger; who had these partitions before may have died of a record."""
        await self._desk.in_hand.learn()
        return await super().assigned(committed, ends)

    async def _loop(self) -> None:
        desk = self._desk
        while True:
            await until_loop_is_free(desk.monotonic)
            while desk.behind() > MOST_BEHIND or self._missing > MOST_MISSING:  # noqa: ASYNC110 (an event per record costs)
                await asyncio.sleep(BEHIND_AGAIN_S)
            for ledger, records in await self._inbox.take(AT_ONCE):
                if desk.ready is not None:
                    await desk.ready({})
                await self._take(ledger, records)

    async def _take(self, ledger: Ledger, records: Records) -> None:
        """Writes what can be written at once, in the order it was read."""
        works: list[Work] = []
        items: list[_Item] = []
        for record in records:
            read = self._read(ledger.partition, record)
            if isinstance(read, _Item):
                items.append(read)
            else:
                works.append(read)
        begun, missing = await self._begun(items)
        works += begun
        if missing:
            works.append(self._later(missing))
        self._land(ledger, records[-1].offset, _all(works))

    def _read(self, partition: int, record: Record) -> _Item | Work:
        headers = dict(record.headers or ())
        origin = f"{self._desk.topic}/{partition}/{record.offset}"
        tenant = header(headers, "waybill-tenant") or DEFAULT_TENANT
        refused_record = Refused.record(record, origin, tenant)
        if self._desk.in_hand.is_poison(origin):
            return self._reject(refused_record, POISON)
        request = Request(
            tenant=tenant,
            value=record.value,
            identity=header(headers, "waybill-identity") or origin,
            actor=header(headers, "waybill-actor") or "kafka",
            origin=origin,
            trace=header(headers, "traceparent"),
        )
        try:
            with self._desk.in_hand.hold(origin):
                asked = read_request(request)
        except RefusedError as refusal:
            return self._reject(refused_record, refusal.problem)
        except Exception:
            log.exception("a command could not be read at %s", origin)
            return self._reject(refused_record, INTERNAL)
        metrics.COMMANDS.labels(asked.command.command.value).inc()
        if isinstance(asked.command.command, StageCommandKind):
            return self._control(asked, record.timestamp)
        return _Item(asked, refused_record)

    async def _begun(
        self, items: list[_Item], *, is_last: bool = False
    ) -> tuple[list[Work], list[_Item]]:
        """Those whose orders are there, under way; and those whose orders are not."""
        works: list[Work] = []
        missing: list[_Item] = []
        found = await self._whereabouts(items)
        for item in items:
            there = found.get((item.asked.tenant, item.name), ())
            if not there and not is_last:
                missing.append(item)
                continue
            try:
                works.append(await self._written(item, _the_one(item, there)))
            except RefusedError as refusal:
                works.append(self._reject(item.record, refusal.problem))
            except Exception:
                log.exception("a command could not be taken at %s", item.record.origin)
                works.append(self._reject(item.record, INTERNAL))
        return works, missing

    async def _later(self, missing: list[_Item]) -> None:
        """An order that was just accepted is not in the store yet; others have a wrong name."""
        desk, count = self._desk, len(missing)
        until = desk.monotonic() + UNKNOWN_AFTER_S
        self._missing += count
        try:
            while missing:
                await asyncio.sleep(LOOK_AGAIN_S)
                works, missing = await self._begun(missing, is_last=desk.monotonic() > until)
                await _all(works)
        finally:
            self._missing -= count

    async def _whereabouts(self, items: list[_Item]) -> dict[tuple[str, str], Sequence[Belonging]]:
        book, calls = self._desk.book, self._desk.calls
        wanted: dict[str, dict[str, None]] = {}
        for item in items:
            wanted.setdefault(item.asked.tenant, {})[item.name] = None
        found: dict[tuple[str, str], Sequence[Belonging]] = {}
        for tenant, names in wanted.items():
            there = await calls.read(partial(book.whereabouts, tenant, names))
            found.update({(tenant, name): orders for name, orders in there.items()})
        return found

    async def _written(self, item: _Item, to: Belonging) -> Work:
        """The command on its way to the log."""
        desk, asked = self._desk, item.asked
        prepared = PreparedCommand(asked=asked, to=to)
        if asked.needs_order:
            prepared = await self._prepared(asked, to)
        key = None
        if prepared.subject != SUBJECTLESS:
            key = (await desk.ring.made(asked.tenant, [prepared.subject]))[prepared.subject]
        origin = asked.request.origin
        with desk.in_hand.hold(origin):
            event = command_received(prepared, key, desk.random_bytes(NONCE_BYTES), desk.now())
            written = desk.journal.append(event)
        desk.in_hand.survived(origin)
        return desk.journal.ensured(event, written)

    async def _prepared(self, asked: Asked, to: Belonging) -> PreparedCommand:
        desk = self._desk
        order = await desk.calls.read(lambda: desk.book.folded(asked.tenant, to.order_id))
        assert order is not None, "rows of orders are never deleted"
        keys = {}
        for part in order.accepted.sealed if asked.revises else ():
            keys[part.subject] = await desk.ring.existing(asked.tenant, part.subject)
        version, pinned = desk.commanding.other_version(asked, order), None
        if version is not None:
            pinned = await desk.calls.read(partial(desk.pinned, asked.tenant, version))
        with desk.in_hand.hold(asked.request.origin):
            return desk.commanding.prepare(asked, order, keys, pinned)

    def _reject(self, record: Refused, problem: Problem) -> Work:
        return self._desk.rejections.write(record, problem)

    async def _control(self, asked: Asked, timestamp: int) -> None:
        """Returns when what holds or releases a stage is durable; one after the other.

        Its time is that of the command's record: written again, it is no younger than before.
        """
        desk, command = self._desk, asked.command
        key, value = stage_control(asked, datetime.fromtimestamp(timestamp / 1000, UTC))
        log.warning(
            "%s %s, asked by %s: %s",
            command.command.value,
            command.stage,
            asked.request.actor,
            command.reason,
        )
        async with self._controlling:
            while True:
                try:
                    await desk.journal.writer.append(desk.controls_topic, key, value)
                except Exception as problem:  # noqa: BLE001 (whatever it was, it is not durable yet)
                    log.warning("a stage's control is written again: %r", problem)
                    await asyncio.sleep(AGAIN_AFTER_S)
                else:
                    return


def _the_one(item: _Item, there: Sequence[Belonging]) -> Belonging:
    lane = item.asked.command.lane
    fitting = [order for order in there if lane in {None, order.lane}]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise refused(
            "ambiguous_order",
            f"{len(fitting)} orders are called {item.name!r}",
            "give the order's id",
            "/order",
        )
    if there:
        raise refused(
            "wrong_lane", f"the order is not of the lane {lane!r}", "leave lane out", "/lane"
        )
    raise refused(
        "unknown_order",
        f"the tenant {item.asked.tenant!r} has no order {item.name!r}",
        "check the order and the header waybill-tenant, then send it again",
        "/order",
    )


async def _all(works: Sequence[Work]) -> None:
    await asyncio.gather(*works)
