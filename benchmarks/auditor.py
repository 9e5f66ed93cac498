"""The auditor of a campaign: folds the log and notes whatever breaks a promise.

It knows the events and `evolve`, which says what applies; every rule it checks is its own.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from schemas.events import (
    CommandReceived,
    Event,
    MainPhaseCompleted,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderQueued,
    OrderReopened,
    RetryDue,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepResolved,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from schemas.steps import Phase
from streams.core.evolve import evolve
from streams.core.order import Order, State

END = (OrderCompleted, OrderFailed, OrderCancelled)
CALLED = (StepStarted, StepSucceeded, StepFailed, StepInDoubt)
"""Facts that tell that the order's turn in its lane has come."""
RESTING = frozenset({State.IN_DOUBT, State.PAUSED})
"""States in which an order waits for a person."""


@dataclass
class Run:
    """One attempt to bring an order to its end; `place` is where it stands in its lane."""

    order: str
    place: tuple[int, int]
    began: datetime
    ended: datetime | None = None


@dataclass
class Audit:
    """What the log says, order by order, and where it contradicts a promise."""

    orders: dict[str, Order] = field(default_factory=dict)
    by_external_id: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    origins: set[str] = field(default_factory=set)
    lanes: dict[str, dict[str, Run]] = field(default_factory=lambda: defaultdict(dict))
    runs: dict[str, list[Run]] = field(default_factory=lambda: defaultdict(list))
    passed: set[str] = field(default_factory=set)
    completed: dict[str, str] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    doubts: Counter[tuple[str, str]] = field(default_factory=Counter)
    indefinite: Counter[tuple[str, str]] = field(default_factory=Counter)
    people_retried: Counter[tuple[str, str]] = field(default_factory=Counter)
    resolved: Counter[tuple[str, str]] = field(default_factory=Counter)
    due: dict[tuple[str, str], datetime] = field(default_factory=dict)
    lateness_s: list[float] = field(default_factory=list)
    fired_twice: int = 0
    deferred: set[tuple[str, str]] = field(default_factory=set)
    facts: Counter[str] = field(default_factory=Counter)
    events: int = 0
    ignored: int = 0
    out_of_order: list[str] = field(default_factory=list)
    overtaken: list[str] = field(default_factory=list)
    _done: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def read(self, event: Event, offset: int) -> None:
        """One record of `order-events`, in the order of its partition."""
        self.events += 1
        order_id, fact = event.envelope.order_id, event.fact
        if isinstance(fact, OrderAccepted):
            self.origins.add(event.envelope.origin or "")
            if fact.external_id is not None:
                self.by_external_id[fact.external_id].add(order_id)
        before = self.orders.get(order_id)
        after = evolve(before, event, offset)
        if after is None or after is before:
            self.ignored += 1
            return
        self.orders[order_id] = after
        self.facts[type(fact).__name__] += 1
        self._lane(event, offset, after)
        self._steps(event, after)
        self._outcomes(event)

    def stuck(self) -> list[Order]:
        """Orders that are at no end, and wait neither for a person nor for one that does."""
        unfinished = [run for lane in self.lanes.values() for run in lane.values()]
        return [
            self.orders[run.order]
            for run in unfinished
            if not self._waits_for_a_person(self.orders[run.order])
        ]

    def at_rest(self) -> int:
        """Orders that wait for a person, or for one that does."""
        unfinished = [run for lane in self.lanes.values() for run in lane.values()]
        return sum(self._waits_for_a_person(self.orders[run.order]) for run in unfinished)

    def _waits_for_a_person(self, order: Order) -> bool:
        seen: set[str] = set()
        while order.state is State.QUEUED and order.behind is not None and order.id not in seen:
            seen.add(order.id)
            order = self.orders[order.behind]
        return order.state in RESTING

    def _lane(self, event: Event, offset: int, order: Order) -> None:
        lane, order_id, fact = self.lanes[order.lane], order.id, event.fact
        at = event.envelope.occurred_at
        if isinstance(fact, OrderAccepted | OrderReopened):
            run = Run(order_id, (offset, 0), at)
            lane[order_id] = run
            self.runs[order_id].append(run)
            if isinstance(fact, OrderReopened):
                self.people_retried[order_id, fact.step] += 1
        elif isinstance(fact, OrderQueued) and fact.passed_by is not None:
            self.passed.add(order.lane)
            lane[order_id].place = (fact.passed_by, order.passes)
        elif isinstance(fact, END):
            if order_id in lane:  # a failed order that is cancelled has left it before
                lane.pop(order_id).ended = at
            ends = self.completed if isinstance(fact, OrderCompleted) else self.failed
            ends[event.envelope.event_id] = order_id
        elif isinstance(fact, CALLED) and order_id in lane:
            mine = lane[order_id].place
            before = [run.order for run in lane.values() if run.place < mine]
            if before:
                self.overtaken.append(f"{order_id} ({type(fact).__name__}) overtook {before[0]}")

    def _steps(self, event: Event, order: Order) -> None:
        fact, done = event.fact, self._done[order.id]
        if isinstance(fact, OrderAmended):
            done.clear()
            return
        if isinstance(fact, MainPhaseCompleted):
            done |= {s.id for s in order.accepted.waybill if s.phase is Phase.MAIN}
            return
        if isinstance(fact, CALLED):
            missing = self._missing_before(order, fact.step, done)
            if missing:
                self.out_of_order.append(f"{order.id}: {fact.step} before {missing[0]}")
        if isinstance(fact, StepSucceeded | StepSkipped | StepResolved):
            done.add(fact.step)

    def _missing_before(self, order: Order, step: str, done: set[str]) -> list[str]:
        """Critical steps of the main phase that had to end well before this one."""
        missing = []
        for one in order.accepted.waybill:
            if one.id == step:
                break
            if one.phase is Phase.MAIN and one.critical and one.id not in done:
                missing.append(one.id)
        return missing

    def _outcomes(self, event: Event) -> None:
        order_id, fact, at = event.envelope.order_id, event.fact, event.envelope.occurred_at
        match fact:
            case StepInDoubt():
                self.doubts[order_id, fact.step] += 1
            case StepFailed():
                self.indefinite[order_id, fact.step] += not fact.failure.definite
                if fact.next_attempt_at is not None:
                    self.due[order_id, fact.step] = fact.next_attempt_at
            case StepDeferred():
                self.deferred.add((order_id, fact.step))
            case RetryDue():
                self._retried(order_id, fact, at)
            case StepResolved():
                self.resolved[order_id, fact.step] += 1
            case CommandReceived():
                self.facts[f"command {fact.kind.value}"] += 1

    def _retried(self, order_id: str, fact: RetryDue, at: datetime) -> None:
        due = self.due.pop((order_id, fact.step), None)
        if fact.command is not None:
            self.people_retried[order_id, fact.step] += 1
        elif due is not None:
            self.lateness_s.append((at - due).total_seconds())
        elif (order_id, fact.step) not in self.deferred:
            self.fired_twice += 1
        self.deferred.discard((order_id, fact.step))
