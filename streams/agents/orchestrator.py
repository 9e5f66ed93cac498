"""The orchestrator: folds what it reads back from the log, asks the core, and acts."""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from schemas.codec import UndecodableError
from schemas.events import Event, OrderAccepted, Result, StepInDoubt
from schemas.steps import ErrorKind, Failure
from streams.agents import metrics
from streams.agents.fate import guarded
from streams.agents.inbox import Inbox
from streams.agents.journal import AGAIN_AFTER_S
from streams.agents.means import Means
from streams.agents.partition import Key, Partition
from streams.agents.stages import NotSentError
from streams.core.decide import Append, Rest, RunStep, decide
from streams.core.order import Order, contradicts, evolve
from streams.kafka.reader import Records

APPLIED_EVERY_S = 0.1
WATCH_EVERY_S = 1.0
UNSEEN_AFTER_S = 5.0
AT_ONCE = 250
INBOX_RECORDS = 5_000

log = logging.getLogger(__name__)

UNRECORDABLE = Failure(
    kind=ErrorKind.PERMANENT,
    code="unrecordable",
    message="the step ended with a result that the log cannot hold",
    buyer_message="We could not process your order. Please contact customer service.",
    definite=False,
)


class LostPlaceError(Exception):
    """Records are missing between what was read and what came next."""


class Orchestrator:
    """Reads `order-events` and moves the orders of its partitions."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._partitions: dict[int, Partition] = {}
        self._inbox: Inbox[Partition] = Inbox(INBOX_RECORDS)
        self._running: dict[Key, asyncio.Future[Any]] = {}
        self._written: dict[Key, float] = {}
        self._folding = asyncio.Lock()
        self._draining = False
        self._placed = False
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts its loops."""
        for loop in (self._fold_loop(), self._applied_loop(), self._watch_loop()):
            self._loops.append(guarded(loop, self._means.fatal))

    async def drain(self, seconds: float) -> None:
        """Starts nothing new, and gives what is in flight `seconds` to end."""
        self._draining = True
        if self._running:
            await asyncio.wait(self._running.values(), timeout=seconds)
        for task in (*self._loops, *self._running.values()):
            task.cancel()

    @property
    def held(self) -> int:
        """Orders in memory."""
        return sum(len(partition.orders) for partition in self._partitions.values())

    @property
    def behind(self) -> int:
        """Records that this process wrote to its own live partitions and has not read back."""
        journal = self._means.journal
        return sum(
            max(0, journal.writer.end(journal.topic, part.number) - part.position)
            for part in self._partitions.values()
            if part.live
        )

    @property
    def moving(self) -> int:
        """Orders with something to do now."""
        return sum(len(partition.first) for partition in self._partitions.values())

    @property
    def ready(self) -> bool:
        """Whether every partition that it was assigned, be it none, has caught up."""
        return self._placed and all(part.live for part in self._partitions.values())

    @property
    def partitions(self) -> Iterable[Partition]:
        """The assigned partitions."""
        return self._partitions.values()

    async def assigned(
        self, committed: Mapping[int, int], ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        """Starts at the lower of the committed offset and the store's applied offset + 1."""
        applied = await self._means.calls.read(self._means.snapshots.applied)
        self._partitions = {
            number: Partition(
                number=number,
                position=min(offset, applied.get(number, -1) + 1),
                end=ends.get(number, 0),
                applied=applied.get(number, -1),
            )
            for number, offset in committed.items()
        }
        self._placed = True
        log.info("partitions assigned: %s", sorted(self._partitions))
        for partition in self._partitions.values():
            self._go_live_when_caught_up(partition)
        return {number: part.position for number, part in self._partitions.items()}

    def revoked(self) -> None:
        """Forgets everything; what is in flight ends, and its result is filtered by the fold."""
        self._placed = False
        if self._partitions:
            log.info("partitions revoked: %s", sorted(self._partitions))
        self._partitions = {}
        self._inbox.clear()

    @property
    def has_room(self) -> bool:
        """Whether it keeps up."""
        return self._inbox.has_room

    def take(self, partition: int, records: Records) -> None:
        """Takes records, to be folded soon."""
        held = self._partitions.get(partition)
        if held is not None:
            self._inbox.put(held, records)

    def committable(self, partition: int) -> int | None:
        """See `Partition.committable`."""
        held = self._partitions.get(partition)
        return None if held is None else held.committable()

    async def _fold_loop(self) -> None:
        while True:
            taken = await self._inbox.take(AT_ONCE)
            async with self._folding:
                await self._fold(taken)
            await asyncio.sleep(0)

    async def _fold(self, taken: list[tuple[Partition, Records]]) -> None:
        read = [(part, self._decoded(part, records)) for part, records in taken]
        loaded = await self._loaded(read)
        for part, events in read:
            metrics.EVENTS_READ.inc(len(events))
            if self._partitions.get(part.number) is part:
                await self._fold_chunk(part, events, loaded)

    async def _loaded(
        self, read: list[tuple[Partition, list[tuple[int, Event]]]]
    ) -> Mapping[str, Order]:
        """What the store knows of the orders that are not in memory.

        An order that begins with the acceptance just read is folded from there instead: the store
        may be ahead, but all that it has read is still to come.
        """
        begun: dict[str, tuple[int, int]] = {}
        wanted: set[str] = set()
        for part, events in read:
            for offset, event in events:
                order_id = event.envelope.order_id
                if order_id in part.orders or order_id in begun or order_id in wanted:
                    continue
                if isinstance(event.fact, OrderAccepted):
                    begun[order_id] = (part.number, offset)
                else:
                    wanted.add(order_id)
        snapshots, calls = self._means.snapshots, self._means.calls
        if begun:
            wanted |= await calls.read(lambda: snapshots.begun_elsewhere(begun))
        return await calls.read(lambda: snapshots.load(list(wanted))) if wanted else {}

    def _decoded(self, part: Partition, records: Records) -> list[tuple[int, Event]]:
        decode = self._means.journal.memo.decode
        events = []
        for record in records:
            try:
                events.append((record.offset, decode(record.value)))
            except UndecodableError as problem:
                self._halt(part, f"offset {record.offset} cannot be read: {problem}")
                break
        return events

    async def _fold_chunk(
        self, part: Partition, events: list[tuple[int, Event]], loaded: Mapping[str, Order]
    ) -> None:
        touched: dict[str, None] = {}
        for offset, event in events:
            if offset < part.position or part.halted is not None:
                continue
            if offset > part.position:
                raise LostPlaceError(part.number, part.position, offset)
            order_id = event.envelope.order_id
            known = part.orders.get(order_id) or loaded.get(order_id)
            if contradicts(known, event):
                await self._means.reject(event)
            folded = evolve(known, event, offset)
            if folded is None:
                self._halt(part, f"{order_id} does not begin with its acceptance at {offset}")
                break
            if folded is known:
                metrics.EVENTS_IGNORED.inc()
            part.orders[order_id] = folded
            part.touched(order_id, offset)
            touched[order_id] = None
        for order_id in touched:
            self._settle(part, order_id)
        self._go_live_when_caught_up(part)

    def _halt(self, part: Partition, reason: str) -> None:
        part.halted = part.halted or reason
        part.live = False
        metrics.PARTITIONS_HALTED.inc()
        log.critical("partition %d stops: %s", part.number, reason)

    def _go_live_when_caught_up(self, part: Partition) -> None:
        if part.live or not part.caught_up:
            return
        part.live = True
        if self.ready:
            log.info("partitions live, %d orders move", self.moving)
        for order_id in list(part.first):
            self._settle(part, order_id)

    def _settle(self, part: Partition, order_id: str) -> None:
        """Asks the core what is next for the order, and does it."""
        order = part.orders[order_id]
        decision = decide(order, self._means.journal.worker)
        key = _key(order, decision)
        part.under_way.pop(order_id, None)
        if key is None or isinstance(decision, Rest):
            part.rests(order_id)
            return
        part.moves(order_id)
        part.under_way[order_id] = key
        if part.live and not self._draining:
            self._act(order, decision, key)

    def _act(self, order: Order, decision: RunStep | Append, key: Key) -> None:
        if self._is_done(key):
            return
        if isinstance(decision, RunStep):
            self._running[key] = asyncio.ensure_future(self._run(order, decision, key))
        else:
            self._append(order, key, self._means.journal.event(order, decision.fact))

    async def _run(self, order: Order, run: RunStep, key: Key) -> None:
        done = False
        try:
            result = await self._means.perform(order, run, lambda: self._is_mine(order, key))
            await self._record(order, result)
            done = True
        except NotSentError:
            log.warning("a step was not sent in time", extra={"order": order.id})
        except Exception:
            log.exception("a step ended without a result", extra={"order": order.id})
        finally:
            self._ended(order, key, written=done)

    async def _record(self, order: Order, result: Result) -> None:
        journal = self._means.journal
        try:
            event = journal.event(order, result)
            written = journal.append(event)
            self._write_ahead(evolve(order, event, order.offset))
            await journal.ensured(event, written)
        except (ValueError, TypeError, OverflowError):
            # It has happened and cannot be told; performing it again would end the same way.
            log.exception("a result cannot be recorded", extra={"order": order.id})
            doubt = StepInDoubt(step=result.step, attempt=result.attempt, failure=UNRECORDABLE)
            await journal.write(journal.event(order, doubt))

    def _write_ahead(self, order: Order | None) -> None:
        """Writes what follows from a result together with it: that saves reading it back first.

        Should another result have been first, the fold ignores what does not follow from that.
        """
        while order is not None:
            decision = decide(order, self._means.journal.worker)
            key = _key(order, decision)
            if not isinstance(decision, Append) or key is None or self._is_done(key):
                return
            event = self._means.journal.event(order, decision.fact)
            self._append(order, key, event)
            order = evolve(order, event, order.offset)

    def _append(self, order: Order, key: Key, event: Event) -> None:
        appended = self._means.journal.append(event)
        self._running[key] = appended
        appended.add_done_callback(lambda ack: self._appended(order, key, ack))

    def _is_done(self, key: Key) -> bool:
        return key in self._running or key in self._written

    def _is_mine(self, order: Order, key: Key) -> bool:
        part = self._part_of(order.id)
        return part is not None and part.live and part.under_way.get(order.id) == key

    def _appended(self, order: Order, key: Key, ack: "asyncio.Future[Any]") -> None:
        problem = None if ack.cancelled() else ack.exception()
        if problem is None and not ack.cancelled():
            self._ended(order, key, written=True)
            return
        log.warning("a decision is written again: %r", problem, extra={"order": order.id})
        asyncio.get_running_loop().call_later(
            AGAIN_AFTER_S, lambda: self._ended(order, key, written=False)
        )

    def _ended(self, order: Order, key: Key, *, written: bool) -> None:
        del self._running[key]
        if written:
            self._written[key] = self._means.monotonic()
            return
        part = self._part_of(order.id)
        if part is not None and part.live and not self._draining:
            self._settle(part, order.id)

    def _part_of(self, order_id: str) -> Partition | None:
        return next((p for p in self._partitions.values() if order_id in p.orders), None)

    async def _applied_loop(self) -> None:
        while True:
            await asyncio.sleep(APPLIED_EVERY_S)
            if all(part.applied >= part.position - 1 for part in self._partitions.values()):
                continue
            applied = await self._means.calls.read(self._means.snapshots.applied)
            # Not in the middle of a fold: what it found in memory must stay there to its end.
            async with self._folding:
                for part in self._partitions.values():
                    part.applied = applied.get(part.number, part.applied)
                    for order_id in part.forgettable():
                        part.under_way.pop(order_id, None)

    async def _watch_loop(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            long_ago = self._means.monotonic() - UNSEEN_AFTER_S
            while self._written and next(iter(self._written.values())) < long_ago:
                del self._written[next(iter(self._written))]
            for part in list(self._partitions.values()):
                if part.live and not self._draining:
                    self._wake_stalled(part)
            metrics.ORDERS_HELD.set(self.held)
            metrics.ORDERS_MOVING.set(self.moving)
            metrics.STEPS_IN_FLIGHT.set(len(self._running))

    def _wake_stalled(self, part: Partition) -> None:
        """A moving order with nothing under way is decided again."""
        for order_id in list(part.first):
            key = part.under_way.get(order_id)
            if key is not None and self._is_done(key):
                continue
            metrics.STALLED.inc()
            log.error("a moving order has nothing under way", extra={"order": order_id})
            self._settle(part, order_id)


def _key(order: Order, decision: RunStep | Append | Rest) -> Key | None:
    match decision:
        case RunStep():
            return ("run", *decision.attempt_id)
        case Append():
            return ("append", order.id, order.run, order.sequence)
        case Rest():
            return None
