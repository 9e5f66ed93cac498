"""Judges a run by what is outside of every process: the log, the partners' journal, the store."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from schemas.events import (
    CommandReceived,
    Decided,
    Event,
    OrderAccepted,
    OrderCompleted,
    OrderReleased,
    RetryDue,
    StepResult,
)
from streams.agents.projector import AnotherProjectorError
from streams.core.evolve import evolve
from streams.core.lanes import before, place
from streams.core.order import ENDED, FINAL, Order, State
from streams.core.snapshot import restored, state_bytes
from streams.core.undoing import undoing
from streams.core.wakes import wake
from tests.simulation.effects import Effects
from tests.simulation.final import Final
from tests.simulation.legal import decided_again, illegal
from tests.simulation.log import Entry, SimLog
from tests.simulation.loop import SimLoop
from tests.simulation.partners import Call, Partners
from tests.simulation.store import SimStore, StoreDownError

EVENTS = "order-events"
EARLY_S = 0.001
CALM_S = 15.0
EXPECTED_DEATHS = (AnotherProjectorError, StoreDownError)


@dataclass(frozen=True, slots=True)
class Seen:
    """One record of `order-events`, and what the fold made of it."""

    at: float
    partition: int
    offset: int
    event: Event
    before: Order | None
    after: Order | None

    @property
    def applied(self) -> bool:
        return self.after is not self.before


class Auditor:
    """Watches what lands and what partners are asked; knows no process."""

    def __init__(self, loop: SimLoop, log: SimLog, store: SimStore, partners: Partners) -> None:
        self.loop = loop
        self.log = log
        self.store = store
        self.problems: list[str] = []
        self.orders: dict[str, Order] = {}
        self.history: dict[str, list[Seen]] = {}
        self.lanes: dict[str, dict[str, None]] = {}
        self.met: Counter[str] = Counter()
        self._applied: Counter[str] = Counter()
        self._results: set[tuple[str, int, str, int]] = set()
        self._moving: dict[int, dict[str, int]] = {}
        self._stored: dict[int, int] = {}
        self.healed_at: float | None = None
        self.sound: set[str] = set()
        self.effects = Effects(self, partners)
        log.landed.append(self._landed)
        partners.arrived.append(self.called)

    def problem(self, text: str) -> None:
        """Something is wrong."""
        self.problems.append(f"{self.loop.time():.3f} {text}")

    def is_calm(self) -> bool:
        """Whether the healing was so long ago that nothing of the faults is left."""
        return self.healed_at is not None and self.loop.time() > self.healed_at + CALM_S

    def born(self, name: str) -> None:
        """A process begins; after the healing it is never a zombie."""
        if self.healed_at is not None:
            self.sound.add(name)

    def died(self, problems: Sequence[BaseException]) -> None:
        """A process ended; what it says of itself must be something that may happen."""
        for problem in problems:
            if not isinstance(problem, EXPECTED_DEATHS):
                self.problem(f"a process died of {problem!r}")

    def called(self, call: Call) -> None:
        """A partner is asked for something."""
        self.effects.arrives(call)

    def _landed(self, topic: str, partition: int, entries: list[Entry]) -> None:
        if topic != EVENTS:
            return
        for entry in entries:
            self._read(partition, entry)

    def _read(self, partition: int, entry: Entry) -> None:
        self._check_applied()
        event = self.store.codec.decode(entry.value)
        order_id = event.envelope.order_id
        before_ = self.orders.get(order_id)
        after = evolve(before_, event, entry.offset)
        seen = Seen(self.loop.time(), partition, entry.offset, event, before_, after)
        self.history.setdefault(order_id, []).append(seen)
        if after is None:
            self.problem(f"I-3 {order_id} does not begin with its acceptance")
            return
        if seen.applied:
            self._check(seen)
            self.orders[order_id] = after
            self.lanes.setdefault(after.lane, {})[order_id] = None
            self._applied[order_id] += 1
            if isinstance(event.fact, OrderReleased):
                self._moving[partition].pop(order_id, None)
            self._note_moving(partition, after.lane, entry.offset)

    def _check(self, seen: Seen) -> None:
        event, before_ = seen.event, seen.before
        fact, order_id = event.fact, event.envelope.order_id
        if (before_ is None) is not isinstance(fact, OrderAccepted):
            self.problem(f"I-3 {order_id} {type(fact).__name__} out of place")
        if before_ is None:
            return
        if isinstance(fact, Decided) and fact.expected != self._applied[order_id]:
            self.problem(f"I-5 {order_id} {fact} decided at {fact.expected} applied")
        if isinstance(fact, StepResult):
            attempt = (order_id, event.envelope.run, fact.step, fact.attempt)
            if attempt in self._results:
                self.problem(f"I-4 {attempt} has two results")
            self._results.add(attempt)
        why = illegal(before_, fact)
        if why is not None:
            self.problem(f"I-3 {type(fact).__name__} applies to {told(before_)}: {why}")
        self._check_end(seen, before_)
        if isinstance(fact, Decided) and not decided_again(before_, event):
            self.problem(f"I-14 {type(fact).__name__} is not what {told(before_)} leads to")
        self._check_timer(seen, before_)
        self._check_restored(seen, before_)

    def _check_end(self, seen: Seen, before_: Order) -> None:
        after, fact = seen.after, seen.event.fact
        assert after is not None
        answers = isinstance(fact, CommandReceived) or (
            isinstance(fact, Decided) and fact.command is not None
        )
        if before_.state in ENDED and not answers and not self._was_asked(before_):
            self.problem(f"I-1 {after.id} {type(fact).__name__} after {before_.state}")
        if before_.state in FINAL and after.state is not before_.state:
            self.problem(f"I-1 {after.id} went from {before_.state} to {after.state}")
        if isinstance(fact, OrderCompleted) and before_.state in ENDED:
            self.problem(f"I-1 {after.id} ended twice")

    @staticmethod
    def _was_asked(order: Order) -> bool:
        """Repeats of steps of an order that has ended go on once a person asked for one."""
        return order.open_at is not None or wake(order) is not None or bool(order.pending)

    def _check_timer(self, seen: Seen, before_: Order) -> None:
        fact = seen.event.fact
        if not isinstance(fact, RetryDue) or fact.command is not None:
            return
        index = before_.index_of(fact.step)
        assert index is not None
        one = before_.progress[index]
        at = seen.event.envelope.occurred_at
        self.met["timer_fired"] += 1
        if one.stage is None and one.retry_at is not None:
            early = (one.retry_at - at).total_seconds()
            if early > EARLY_S:
                self.problem(f"I-13 {before_.id} {fact.step} woke {early:.3f} s early")

    def _check_restored(self, seen: Seen, before_: Order) -> None:
        accepted = self.history[before_.id][0].event.fact
        assert isinstance(accepted, OrderAccepted)
        again = restored(state_bytes(before_), accepted)
        if again != before_:
            self.problem(f"I-14 {before_.id} is another one once stored")
            return
        after = evolve(again, seen.event, seen.offset)
        assert seen.after is not None
        if after is None or state_bytes(after) != state_bytes(seen.after):
            self.problem(f"I-9 {before_.id} folds to something else from its stored state")

    def lane_of(self, order: Order) -> list[Order]:
        """The orders of its lane."""
        return [self.orders[other] for other in self.lanes[order.lane]]

    def rests(self, order: Order) -> bool:
        """Whether nothing is to be done for it before time, a person, a stage or another order."""
        if order.open_at is not None:
            # What is undone for a command waits for its turn in the lane as well.
            queued = order.compensating and order.behind is not None
            return queued and bool(before(order, self.lane_of(order)))
        if order.pending:
            return len(order.pending) == 1 and undoing(order) is not None
        if order.state in ENDED or order.paused:
            return True
        if order.behind is not None:
            return bool(before(order, self.lane_of(order)))
        return order.state in {State.WAITING, State.IN_DOUBT}

    def _check_applied(self) -> None:
        for number, applied in self.store.applied.items():
            last = self._stored.get(number, -1)
            if applied < last:
                self.problem(f"I-9 the store went back from {last} to {applied} in {number}")
            self._stored[number] = applied

    def _note_moving(self, partition: int, lane: str, offset: int) -> None:
        moving = self._moving.setdefault(partition, {})
        for order_id in self.lanes[lane]:
            if self.rests(self.orders[order_id]):
                moving.pop(order_id, None)
            else:
                moving.setdefault(order_id, offset)

    def committed(self, at: tuple[str, int], offset: int, who: str) -> None:
        """A worker committed: nothing that moves may begin before that, nor the unseen."""
        topic, partition = at
        if topic != EVENTS:
            return
        self._check_applied()
        if offset > self.store.applied[partition] + 1:
            self.problem(f"I-12 {who} committed {offset}, past what the store holds")
        for order_id, first in self._moving.get(partition, {}).items():
            # An event of its own from there on brings it back as well, as the store has it.
            if max(first, self.history[order_id][-1].offset) < offset:
                self.problem(f"I-12 {who} committed {offset}, past {order_id} moving at {first}")

    def next_due(self) -> datetime | None:
        """When the first waiting order goes on by itself."""
        wakes = [wake(order) for order in self.orders.values() if order.state not in ENDED]
        return min((one.due for one in wakes if one and one.due), default=None)

    def waits(self) -> bool:
        """Whether orders go on by themselves, in time or with their stage."""
        unfinished = [order for order in self.orders.values() if order.state not in ENDED]
        return any(wake(order) is not None for order in unfinished)

    def is_at_rest(self) -> bool:
        """Whether nothing moves."""
        return all(self.rests(order) for order in self.orders.values())

    def stuck(self) -> None:
        """Time is up: whatever does not rest is stuck."""
        for order in self.orders.values():
            if not self.rests(order) or wake(order) is not None:
                self.problem(f"I-1 stuck: {told(order)}")
        for number, applied in self.store.applied.items():
            if applied + 1 < self.log.end(EVENTS, number):
                self.problem(f"I-9 the store stands at {applied} in partition {number}")

    def judge(
        self, sent: Sequence[tuple[dict[str, Any], int, int]], asked: Mapping[str, dict[str, Any]]
    ) -> None:
        """At the end of a run that has settled."""
        Final(self).judge(sent, asked)


def told(order: Order) -> str:
    """An order in a line."""
    steps = " ".join(
        f"{step.id}:{step.plugin}={one.status.value}#{one.attempt}"
        for step, one in zip(order.accepted.waybill, order.progress, strict=True)
    )
    return (
        f"{order.id[:14]} {order.state.value} seq {order.sequence} run {order.run} "
        f"place {place(order)} open {order.open_at} behind {order.behind} "
        f"pending {[one.kind.value for one in order.pending]} [{steps}]"
    )
