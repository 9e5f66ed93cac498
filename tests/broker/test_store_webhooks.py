"""Deliveries in the store, on both databases: what the API is told, replays, upkeep, races."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from projections.moments import microseconds
from projections.queries import CursorError
from projections.store import Store
from projections.tables import place_of
from projections.webhooks.deliveries import Addition, Deliveries, DeliveryFilters, delivery_id
from projections.webhooks.heads import hold
from projections.webhooks.queue import (
    AnotherSenderError,
    Arrivals,
    DeliveryQueue,
    Due,
    Message,
    New,
    Result,
    Wanted,
)
from projections.webhooks.standings import Disabling, Note, Standings
from projections.webhooks.tables import ATTEMPTS, DELIVERED, DELIVERIES, FAILED, MESSAGES, PENDING
from projections.webhooks.upkeep import Backlog, Upkeep

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
AT = microseconds(NOW)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


class Filled:
    """A store with deliveries of orders of one tenant to some endpoints."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.queue = DeliveryQueue(store)
        self.api = Deliveries(store)
        self.end = self.queue.assign([0])[0]

    def arrive(self, order: str, *endpoints: str, created: int = AT) -> None:
        self.arrive_all([order], *endpoints, created=created)

    def arrive_all(self, orders: list[str], *endpoints: str, created: int = AT) -> None:
        start, messages, news = self.end, [], []
        for order in orders:
            self.end += 1
            name = f"msg_{self.end}"
            messages.append(Message(name, "full", created, None, b'{"type":"order.accepted"}'))
            news += [
                New(
                    *(delivery_id(endpoint, name), "t", endpoint, name, "full", "order.accepted"),
                    *(order, 0, place_of(0, self.end), 0, created),
                )
                for endpoint in endpoints
            ]
        self.queue.arrived(Arrivals({0: (start, self.end)}, messages, news), created)

    def due(self, *endpoints: str, at: int = AT) -> list[Due]:
        return self.queue.due({name: Wanted(2_000) for name in endpoints}, [0], at)

    def end_all(self, status: str, *endpoints: str, next_at: int | None = None) -> None:
        results = [
            Result(due, AT, 12, 200, None, "thanks", status, next_at)
            for due in self.due(*endpoints)
        ]
        if results:
            self.queue.settle(results, AT)


@pytest.fixture
def filled(store: Store) -> Filled:
    return Filled(store)


def test_a_position_moves_from_where_it_was_and_never_twice(filled: Filled) -> None:
    filled.arrive("order-1", "whe_a")
    with pytest.raises(AnotherSenderError):
        filled.queue.arrived(Arrivals({0: (-1, 5)}, [], []), AT)
    assert filled.queue.assign([0, 1]) == {0: 0, 1: -1}
    assert [due.lane for due in filled.due("whe_a", "whe_b")] == ["order-1"]


def test_what_is_due_comes_with_its_body_the_longest_waiting_first(filled: Filled) -> None:
    filled.arrive("order-2", "whe_a", created=AT - 5)
    filled.arrive("order-1", "whe_a", created=AT - 9)
    filled.arrive("order-3", "whe_a", created=AT + 1)
    found = filled.due("whe_a")
    assert [due.lane for due in found] == ["order-1", "order-2"]
    assert {due.body for due in found} == {b'{"type":"order.accepted"}'}
    known = Wanted(100, (found[0].id,))
    assert filled.queue.due({"whe_a": known}, [0], AT) == found[1:]
    assert filled.queue.due({"whe_a": Wanted(100)}, [1], AT) == []
    assert filled.queue.earliest(["whe_a", "whe_b"], [0, 1]) == {"whe_a": AT - 9}


def test_a_page_after_the_other_shows_all_deliveries_the_newest_first(filled: Filled) -> None:
    for number in range(7):
        filled.arrive(f"order-{number % 3}", "whe_a", "whe_b", created=AT + number // 2)
    shown, cursor = [], None
    while True:
        page = filled.api.listed("t", DeliveryFilters(endpoint="whe_a"), cursor, 2)
        assert len(page["items"]) <= 2
        shown += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len({one["id"] for one in shown}) == 7
    moments = [one["created"] for one in shown]
    assert moments == sorted(moments, reverse=True)
    assert filled.api.listed("another", DeliveryFilters())["items"] == []
    with pytest.raises(CursorError):
        filled.api.listed("t", DeliveryFilters(), "nonsense!")


def test_each_filter_leaves_what_it_says(filled: Filled) -> None:
    filled.arrive("order-1", "whe_a", "whe_b")
    filled.end_all(DELIVERED, "whe_b")
    filled.arrive("order-2", "whe_a", created=AT + 10)
    later = NOW + timedelta(microseconds=5)
    for filters, wanted in (
        (DeliveryFilters(endpoint="whe_b"), ["order-1"]),
        (DeliveryFilters(status=PENDING), ["order-2", "order-1"]),
        (DeliveryFilters(status=DELIVERED), ["order-1"]),
        (DeliveryFilters(order="order-2"), ["order-2"]),
        (DeliveryFilters(type="order.failed"), []),
        (DeliveryFilters(since=later), ["order-2"]),
        (DeliveryFilters(until=later, endpoint="whe_a"), ["order-1"]),
    ):
        found = filled.api.listed("t", filters)["items"]
        assert [one["order"] for one in found] == wanted, filters
        assert filled.api.count("t", filters) == len(wanted)


def test_one_delivery_tells_its_request_and_every_attempt(filled: Filled) -> None:
    filled.arrive("order-1", "whe_a")
    filled.end_all(PENDING, "whe_a", next_at=AT)
    filled.end_all(DELIVERED, "whe_a")
    listed = filled.api.listed("t", DeliveryFilters())["items"][0]
    found = filled.api.one("t", listed["id"])
    assert found is not None
    attempts = found.pop("attempts_log")
    request = found.pop("request")
    assert found == listed
    assert (found["status"], found["attempts"], found["next_attempt"]) == ("delivered", 2, None)
    assert found["delivered"] == NOW.isoformat()
    assert [one["attempt"] for one in attempts] == [1, 2]
    assert attempts[0]["response"] == "thanks"
    assert request["headers"]["webhook-id"] == found["message"]
    assert request["body"] == {"type": "order.accepted"}
    assert filled.api.one("another", listed["id"]) is None


def test_a_replay_keeps_message_and_order_and_wakes_its_lane(filled: Filled) -> None:
    for _ in range(3):
        filled.arrive("order-1", "whe_a")
    for _ in range(2):
        filled.end_all(DELIVERED, "whe_a")
    filled.end_all(PENDING, "whe_a", next_at=AT + 10**12)
    chosen = DeliveryFilters(endpoint="whe_a", status=DELIVERED)
    assert filled.api.replay("t", chosen, NOW) == 2
    sent = []
    while due := filled.due("whe_a"):
        sent += [one.message for one in due]
        filled.end_all(DELIVERED, "whe_a")
    # The one that waited is the head of its lane, and stays it.
    assert sent == ["msg_2", "msg_0", "msg_1"]
    shown = filled.api.listed("t", DeliveryFilters())["items"]
    assert {one["message"]: one["replays"] for one in shown} == {"msg_0": 1, "msg_1": 1, "msg_2": 0}
    assert filled.api.replay("t", [shown[0]["id"], "del_unknown"], NOW) == 1


def test_more_than_fit_into_one_transaction_are_replayed_in_order(filled: Filled) -> None:
    orders = [f"order-{number}" for number in range(550)]
    filled.arrive_all([*orders, *orders], "whe_a")
    for _ in range(2):
        filled.end_all(FAILED, "whe_a")
    assert filled.api.replay("t", DeliveryFilters(status=FAILED), NOW) == 1_100
    assert {due.message for due in filled.due("whe_a")} == {f"msg_{n}" for n in range(550)}


def test_an_endpoint_is_disabled_once_with_notices_and_enabled_anew(filled: Filled) -> None:
    standings = Standings(filled.store)
    filled.arrive("order-1", "whe_a")
    filled.end_all(PENDING, "whe_a", next_at=AT + 10**9)
    standings.note([Note("whe_a", "t", 1, None, AT - 7), Note("whe_b", "t", 1, AT, None)])
    standings.note([Note("whe_a", "t", 1, None, AT)])
    notice = Addition(tenant="t", endpoint="whe_b", message="msg_n", type="x", body=b"{}")
    gone = Disabling("whe_a", "t", 1, "gone")
    assert standings.disable(gone, [notice], NOW)
    assert not standings.disable(gone, [notice], NOW)
    assert [due.message for due in filled.due("whe_a", "whe_b")] == ["msg_n"]
    states = filled.api.states("t")
    assert states["whe_a"] == {
        "generation": 1,
        "disabled_at": NOW.isoformat(),
        "reason": "gone",
        "failing_since": (NOW - timedelta(microseconds=7)).isoformat(),
        "last_success": None,
        "pending": 1,
        "oldest_pending": NOW.isoformat(),
    }
    assert states["whe_b"]["last_success"] == NOW.isoformat()
    assert standings.begin("whe_a", 2, NOW)
    assert not standings.begin("whe_a", 2, NOW)
    assert standings.all()["whe_a"].disabled_at is None
    assert [due.message for due in filled.due("whe_a")] == ["msg_0"]
    standings.note([Note("whe_a", "t", 2, AT, None)])
    assert standings.all()["whe_a"].failing_since is None


def test_what_is_too_old_is_forgotten_and_the_lane_goes_on(filled: Filled) -> None:
    upkeep, old = Upkeep(filled.store), microseconds(NOW - timedelta(days=31))
    filled.arrive("order-1", "whe_a", "whe_b", created=old - 10**12)
    filled.end_all(DELIVERED, "whe_b")
    filled.arrive("order-1", "whe_a")
    assert upkeep.backlogs()[0].pending == 2
    forgotten = upkeep.forget(NOW - timedelta(days=30), NOW)
    assert (forgotten.deliveries, forgotten.pending) == (2, 1)
    assert [due.message for due in filled.due("whe_a")] == ["msg_1"]
    with filled.store.reader.begin() as connection:
        left = [
            connection.scalar(select(func.count()).select_from(table))
            for table in (DELIVERIES, MESSAGES, ATTEMPTS)
        ]
    assert left == [1, 1, 0]


def test_what_is_for_a_deleted_endpoint_is_given_up(filled: Filled) -> None:
    upkeep = Upkeep(filled.store)
    filled.arrive("order-1", "whe_a", "whe_b", created=AT - 10)
    filled.arrive("order-1", "whe_a")
    backlog = upkeep.backlogs()[0]
    assert (backlog.endpoint, backlog.pending) == ("whe_a", 2)
    assert upkeep.discard(backlog, NOW, NOW) == 1
    assert upkeep.discard(backlog, NOW + timedelta(seconds=1), NOW) == 1
    assert upkeep.backlogs() == [Backlog("t", "whe_b", 1, NOW - timedelta(microseconds=10))]
    assert filled.due("whe_a") == []


def test_no_lane_stands_still_whatever_happens_at_the_same_time(filled: Filled) -> None:
    """Arrivals, results and replays of one lane: whoever is last leaves it with a head."""
    rounds = 60
    works = (
        lambda: [filled.arrive("order-1", "whe_a") for _ in range(rounds)],
        lambda: [filled.end_all(DELIVERED, "whe_a") for _ in range(2 * rounds)],
        lambda: [
            filled.api.replay("t", DeliveryFilters(status=DELIVERED), NOW)
            for _ in range(rounds // 4)
        ],
    )
    with ThreadPoolExecutor(len(works)) as pool:
        for work in [pool.submit(one) for one in works]:
            work.result()
    pending = filled.api.count("t", DeliveryFilters(status=PENDING))
    assert len(filled.due("whe_a", at=AT + 1)) == min(1, pending)
    while filled.due("whe_a"):
        filled.end_all(DELIVERED, "whe_a")
    assert filled.api.count("t", DeliveryFilters(status=DELIVERED)) == rounds


def test_whoever_changes_a_queue_waits_for_the_one_who_holds_it(filled: Filled) -> None:
    filled.arrive("order-1", "whe_a")
    works = (
        lambda: filled.arrive("order-1", "whe_a"),
        lambda: filled.end_all(DELIVERED, "whe_a"),
        lambda: filled.api.replay("t", DeliveryFilters(), NOW),
    )
    with ThreadPoolExecutor(len(works)) as pool:
        with filled.store.writer.begin() as connection:
            hold(connection)
            waiting = [pool.submit(work) for work in works]
            assert wait(waiting, timeout=0.3).done == set()
        for work in waiting:
            work.result()
