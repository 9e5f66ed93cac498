"""The queue of deliveries under everything at once: senders, crashes, repeats, replays.

Whatever happens: of a lane's pending deliveries exactly one is due, first attempts are made in the
order of the log, and in the end everything was attempted.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)
from sqlalchemy import Row, delete, select

from projections.moments import microseconds
from projections.store import Store
from projections.tables import place_of
from projections.webhooks.deliveries import Deliveries, DeliveryFilters, delivery_id
from projections.webhooks.queue import Arrivals, DeliveryQueue, Due, Message, New, Result, Wanted
from projections.webhooks.standings import Standings
from projections.webhooks.tables import (
    ATTEMPTS,
    DELIVERED,
    DELIVERIES,
    FAILED,
    MESSAGES,
    PENDING,
    POSITIONS,
    STATES,
)
from projections.webhooks.upkeep import Upkeep

ENDPOINTS = ("whe_a", "whe_b")
PARTITIONS = (0, 1)
START = datetime(2026, 3, 1, tzinfo=UTC)

senders = st.integers(0, 1)
endpoints = st.sampled_from(ENDPOINTS)
ended = st.sampled_from([DELIVERED, DELIVERED, PENDING, FAILED])


FOLDER = tempfile.TemporaryDirectory()


@cache
def one_store() -> Store:
    """Making its tables would take longer than a whole example."""
    return Store.open(f"sqlite:///{Path(FOLDER.name) / 'queue.sqlite'}")


def empty_store() -> Store:
    with one_store().writer.begin() as connection:
        for table in (POSITIONS, MESSAGES, DELIVERIES, ATTEMPTS, STATES):
            connection.execute(delete(table))
    return one_store()


class Queue(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.store = empty_store()
        self.queue = DeliveryQueue(self.store)
        self.api = Deliveries(self.store)
        self.now = START
        self.ends = dict.fromkeys(PARTITIONS, -1)
        self.made: list[tuple[int, list[New], list[Message]]] = []
        self.at_hand: list[list[Due]] = [[], []]
        self.results: list[list[Result]] = [[], []]
        self.firsts: defaultdict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
        self.attempted: set[str] = set()
        self.position: dict[str, tuple[int, int]] = {}

    @initialize()
    def placed(self) -> None:
        assert self.queue.assign(PARTITIONS) == self.ends

    def rows(self) -> list[Row]:
        with self.store.reader.begin() as connection:
            return connection.execute(select(DELIVERIES)).all()

    @rule(orders=st.lists(st.integers(0, 3), min_size=1, max_size=4), types=st.integers(1, 2))
    def updates_arrive(self, orders: list[int], types: int) -> None:
        for order in orders:
            self._insert(order % len(PARTITIONS), f"order-{order}", types)

    def _insert(self, partition: int, order: str, types: int) -> None:
        end = self.ends[partition] + 1
        names = [f"msg_{partition}_{end}_{n}" for n in range(types)]
        messages = [Message(name, "full", self._at(), None, b"{}") for name in names]
        news = [
            New(
                *(delivery_id(endpoint, name), "t", endpoint, name, "full", "order.x", order),
                *(partition, place_of(partition, end), n, self._at()),
            )
            for n, name in enumerate(names)
            for endpoint in ENDPOINTS
        ]
        self.made.append((partition, news, messages))
        self._arrive(partition, news, messages)

    def _arrive(self, partition: int, news: list[New], messages: list[Message]) -> None:
        end = self.ends[partition] + 1
        move = {partition: (end - 1, end)}
        self.queue.arrived(Arrivals(move, messages, news), self._at())
        self.ends[partition] = end
        for new in news:
            self.position.setdefault(new.id, (new.place, new.n))

    @rule(which=st.integers(0, 1000))
    def an_update_is_published_again(self, which: int) -> None:
        if self.made:
            self._arrive(*self.made[which % len(self.made)])

    @rule(sender=senders, limit=st.integers(1, 5))
    def a_sender_reads(self, sender: int, limit: int) -> None:
        """It may hold deliveries of long ago: then it is one that others have taken over from."""
        held = self.at_hand[sender]
        known = {due.id for due in held} | {result.due.id for result in self.results[sender]}
        wanted = {endpoint: Wanted(limit, tuple(known)) for endpoint in ENDPOINTS}
        found = self.queue.due(wanted, PARTITIONS, self._at())
        assert not known & {due.id for due in found}
        held.extend(found)

    @rule(
        sender=senders,
        which=st.integers(0, 1000),
        status=ended,
        wait=st.integers(1, 100),
    )
    def a_sender_attempts(self, sender: int, which: int, status: str, wait: int) -> None:
        if self.at_hand[sender]:
            due = self.at_hand[sender].pop(which % len(self.at_hand[sender]))
            self._attempt(due)
            self.results[sender].append(self._result(due, status, wait))

    def _attempt(self, due: Due) -> None:
        if due.id not in self.attempted:
            self.attempted.add(due.id)
            self.firsts[due.endpoint, due.lane].append(self.position[due.id])

    def _result(self, due: Due, status: str, wait: int) -> Result:
        next_at = self._at() + wait * 1_000_000 if status == PENDING else None
        return Result(due, self._at(), 5, 200, None, "ok", status, next_at)

    @rule(sender=senders, statuses=st.lists(ended, min_size=2, max_size=5))
    def a_sender_is_quick(self, sender: int, statuses: list[str]) -> None:
        for status in statuses:
            self.a_sender_reads(sender, 3)
            while self.at_hand[sender]:
                self.a_sender_attempts(sender, 0, status, 50)
            self.a_sender_writes(sender)

    @rule(sender=senders)
    def a_sender_writes(self, sender: int) -> None:
        results, self.results[sender] = self.results[sender], []
        if results:
            self.queue.settle(results, self._at())

    @rule(sender=senders)
    def a_sender_writes_twice(self, sender: int) -> None:
        """The store had not said whether it took them."""
        results, self.results[sender] = self.results[sender], []
        if results:
            self.queue.settle(results, self._at())
            self.queue.settle(results, self._at())

    @rule(sender=senders)
    def a_sender_dies(self, sender: int) -> None:
        self.at_hand[sender], self.results[sender] = [], []

    @rule(seconds=st.integers(1, 200))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(
        endpoint=st.none() | endpoints,
        status=st.sampled_from([None, DELIVERED, FAILED, PENDING]),
        order=st.none() | st.integers(0, 3).map("order-{}".format),
    )
    def somebody_replays(self, endpoint: str | None, status: str | None, order: str | None) -> None:
        filters = DeliveryFilters(endpoint=endpoint, status=status, order=order)
        wanted = self.api.count("t", filters)
        assert self.api.replay("t", filters, self.now) == wanted

    @rule(endpoint=endpoints)
    def an_endpoint_is_enabled_anew(self, endpoint: str) -> None:
        Standings(self.store).wake(endpoint, self.now)

    @invariant()
    def of_each_lane_one_is_due(self) -> None:
        lanes: defaultdict[tuple[str, str], list[Row]] = defaultdict(list)
        for row in self.rows():
            assert (row.status == PENDING) == (row.settled is None)
            if row.settled is None:
                lanes[row.endpoint, row.lane].append(row)
            else:
                assert row.next_at is None
        for pending in lanes.values():
            assert sum(row.next_at is not None for row in pending) == 1

    @invariant()
    def first_attempts_are_in_the_order_of_the_log(self) -> None:
        for found in self.firsts.values():
            assert found == sorted(found)

    def teardown(self) -> None:
        for sender in (0, 1):
            self.a_sender_writes(sender)
        self.now += timedelta(days=1)
        while found := self._all_due():
            for due in found:
                self._attempt(due)
            self.queue.settle([self._result(due, DELIVERED, 0) for due in found], self._at())
        self.first_attempts_are_in_the_order_of_the_log()
        rows = self.rows()
        assert {row.status for row in rows} <= {DELIVERED, FAILED}
        assert {row.id for row in rows} == set(self.position) == self.attempted
        assert Upkeep(self.store).backlogs() == []

    def _all_due(self) -> Iterable[Due]:
        wanted = {endpoint: Wanted(1000) for endpoint in ENDPOINTS}
        return self.queue.due(wanted, PARTITIONS, self._at())

    def _at(self) -> int:
        return microseconds(self.now)


Queue.TestCase.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
test_queue = Queue.TestCase
