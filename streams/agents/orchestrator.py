"""The orchestrator: folds what it reads back from the log, asks the core, and acts."""

import asyncio
import logging
from collections.abc import Iterable, Mapping

from schemas.codec import UndecodableError
from schemas.events import Event
from streams.agents import metrics
from streams.agents.acting import Acting, key_of
from streams.agents.fate import guarded
from streams.agents.inbox import Inbox
from streams.agents.loading import Loading
from streams.agents.means import Means
from streams.agents.partition import Key, Partition
from streams.agents.timers import Waking
from streams.agents.turn import Turn
from streams.agents.waking import WAKE_EVERY_S, Alarm
from streams.core.commands import wants_stop
from streams.core.decide import Append, Decision, Rest, RunStep, Surroundings, decide
from streams.core.evolve import contradicts, evolved_again
from streams.core.order import Order
from streams.kafka.reader import Records
from streams.kafka.writer import Place

APPLIED_EVERY_S = 0.1
WATCH_EVERY_S = 1.0
AT_ONCE = 250
INBOX_RECORDS = 5_000

log = logging.getLogger(__name__)


class LostPlaceError(Exception):
    """Records are missing between what was read and what came next."""


class Orchestrator:
    """Reads `order-events` and moves the orders of its partitions."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._partitions: dict[int, Partition] = {}
        self._inbox: Inbox[Partition] = Inbox(INBOX_RECORDS)
        self._acting = Acting(means, self._decided, self._again, self._unread)
        self._loading = Loading(means.snapshots, means.calls)
        self._alarm = Alarm(means)
        # Asked for once a chunk: a decision that is made a little early only waits a little longer.
        self._moment = means.now()
        self._folding = asyncio.Lock()
        self._draining = False
        self._placed = False
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts its loops."""
        loops = (self._fold_loop(), self._applied_loop(), self._watch_loop(), self._wake_loop())
        for loop in loops:
            self._loops.append(guarded(loop, self._means.fatal))

    async def drain(self, seconds: float) -> None:
        """Starts nothing new, and gives what is in flight `seconds` to end."""
        self._draining = True
        await self._acting.drain(seconds)
        for loop in self._loops:
            loop.cancel()

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
        """Starts at the lower of the committed offset and the store's applied offset + 1.

        The store also tells whom nothing in the log will wake; after this it is not asked again.
        """
        calls, snapshots = self._means.calls, self._means.snapshots
        applied = await calls.read(snapshots.applied)
        partitions = {
            number: Partition(
                number=number,
                position=min(offset, applied.get(number, -1) + 1),
                end=ends.get(number, 0),
                applied=applied.get(number, -1),
            )
            for number, offset in committed.items()
        }
        for wake in await calls.read(lambda: snapshots.wakes(sorted(partitions))):
            waking = Waking(wake.order_id, wake.lane, wake.due, wake.stage)
            partitions[wake.partition].timers.put(waking)
        self._partitions, self._placed = partitions, True
        self._means.stages.share(len(partitions) / self._means.partitions)
        log.info("partitions assigned: %s", sorted(self._partitions))
        for partition in self._partitions.values():
            self._go_live_when_caught_up(partition)
        return {number: part.position for number, part in self._partitions.items()}

    def revoked(self) -> None:
        """Forgets everything; what is in flight ends, and its result is filtered by the fold."""
        self._placed = False
        if self._partitions:
            log.info("partitions revoked: %s", sorted(self._partitions))
        for part in self._partitions.values():
            part.live = False
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
        await self._loading.before_folding(read, self._partitions.values())
        for part, events in read:
            metrics.EVENTS_READ.inc(len(events))
            if self._partitions.get(part.number) is part:
                await self._fold_chunk(part, events)

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

    async def _fold_chunk(self, part: Partition, events: list[tuple[int, Event]]) -> None:
        lanes: dict[str, None] = {}
        part.chunk, self._moment = part.position, self._means.now()
        for offset, event in events:
            if offset < part.position or part.halted is not None:
                continue
            if offset > part.position:
                raise LostPlaceError(part.number, part.position, offset)
            order_id = event.envelope.order_id
            known = part.orders.get(order_id)
            if contradicts(known, event):
                await self._means.reject(event)
                if self._partitions.get(part.number) is not part:
                    return
            folded = evolved_again(known, event, offset)
            if folded is None:
                self._halt(part, f"{order_id} does not begin with its acceptance at {offset}")
                break
            if folded is known:
                metrics.EVENTS_IGNORED.inc()
            part.folded(folded, offset)
            lanes[folded.lane] = None
        self._settle_lanes(part, lanes)
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

    def _settle_lanes(self, part: Partition, lanes: Iterable[str]) -> None:
        """An event of one order may be what another one of its lane has waited for."""
        for lane in lanes:
            for order_id in list(part.lanes.get(lane, ())):
                self._settle(part, order_id)

    def _decided(self, order: Order, *, admitted: bool = False) -> Decision:
        part = self._part_of(order.id)
        lane = () if part is None else part.lane(order.lane)
        worker = self._means.journal.worker
        return decide(order, Surroundings(worker, self._moment, lane, admitted))

    def _settle(self, part: Partition, order_id: str, *, admitted: bool = False) -> None:
        """Asks the core what is next for the order, and does it."""
        order = part.orders[order_id]
        decision = self._decided(order, admitted=admitted)
        key = key_of(order, decision)
        part.under_way.pop(order_id, None)
        if key is None or isinstance(decision, Rest):
            part.rests(order_id)
            if isinstance(decision, Rest):
                part.timers.put(Waking(order_id, order.lane, decision.due, decision.stage))
            return
        part.moves(order_id)
        part.under_way[order_id] = key
        if part.live and not self._draining:
            self._act(order, decision, key)
        elif isinstance(decision, RunStep):
            part.inherited.add(key)

    def _act(self, order: Order, decision: RunStep | Append, key: Key) -> None:
        if isinstance(decision, Append):
            self._acting.append(decision, key)
            return
        part = self._part_of(order.id)
        if part is not None and key in part.inherited and order.started_by is not None:
            # Announced by this very process, but before it lost the partition, or gave up: it or
            # another worker may have sent it since.
            decision = decision._replace(recover=True)
        turn = Turn(lambda: self._is_mine(order, key), lambda: self._stop_wanted(order, key))
        self._acting.perform(order, decision, key, turn)

    def _is_mine(self, order: Order, key: Key) -> bool:
        part = self._part_of(order.id)
        return part is not None and part.live and part.under_way.get(order.id) == key

    def _stop_wanted(self, order: Order, key: Key) -> bool:
        part = self._part_of(order.id)
        return part is not None and key not in part.inherited and wants_stop(part.orders[order.id])

    def _again(self, order_id: str) -> None:
        part = self._part_of(order_id)
        if part is not None and part.live and not self._draining:
            key = part.under_way.get(order_id)
            if key is not None and key[0] == "run":
                part.inherited.add(key)
            self._settle(part, order_id)

    def _unread(self, place: Place) -> bool:
        part = self._partitions.get(place[0])
        return part is not None and place[1] >= part.position

    def _part_of(self, order_id: str) -> Partition | None:
        return next((p for p in self._partitions.values() if order_id in p.orders), None)

    async def _applied_loop(self) -> None:
        while True:
            await asyncio.sleep(APPLIED_EVERY_S)
            parts = self._partitions.values()
            if not any(part.resting or part.applied < part.position - 1 for part in parts):
                continue
            applied = await self._means.calls.read(self._means.snapshots.applied)
            # Not in the middle of a fold: what it found in memory must stay there to its end.
            async with self._folding:
                for part in self._partitions.values():
                    part.applied = applied.get(part.number, part.applied)
                    for order_id in part.forgettable():
                        part.under_way.pop(order_id, None)

    async def _wake_loop(self) -> None:
        while True:
            await asyncio.sleep(WAKE_EVERY_S)
            if self._draining:
                return
            self._moment = self._means.now()
            live = [part for part in self._partitions.values() if part.live]
            rung = self._alarm.rung(live, self._moment)
            if rung:
                async with self._folding:
                    await self._wake(rung)

    async def _wake(self, rung: list[tuple[Partition, Waking]]) -> None:
        """Decides orders anew whose time has come or whose stage takes them.

        Nothing in the log has set them in motion, so nothing in the log has to: the store's rows
        wake them again after a crash.
        """
        wanted = [(part, waking.order_id, waking.lane) for part, waking in rung]
        await self._loading.lanes_of(wanted, self._partitions.values())
        for part, waking in rung:
            known = self._partitions.get(part.number) is part and waking.order_id in part.orders
            if known and part.live:
                part.chunk = part.position
                self._settle_lanes(part, (waking.lane,))
                self._settle(part, waking.order_id, admitted=waking.stage is not None)

    async def _watch_loop(self) -> None:
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            self._acting.forget_written()
            for part in list(self._partitions.values()):
                if part.live and not self._draining:
                    self._wake_stalled(part)
            metrics.ORDERS_HELD.set(self.held)
            metrics.ORDERS_MOVING.set(self.moving)
            metrics.STEPS_IN_FLIGHT.set(self._acting.in_flight)
            metrics.TIMERS_PENDING.set(sum(len(p.timers) for p in self._partitions.values()))

    def _wake_stalled(self, part: Partition) -> None:
        """A moving order with nothing under way is decided again."""
        for order_id in list(part.first):
            key = part.under_way.get(order_id)
            if key is not None and self._acting.is_done(key):
                continue
            metrics.STALLED.inc()
            log.error("a moving order has nothing under way", extra={"order": order_id})
            self._settle(part, order_id)
