"""Orders by words and by every filter together, on both databases, whichever way is taken."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, select

from projections import listing, search_queries
from projections.listing import OrderFilters
from projections.queries import Queries
from projections.search import index_again, leave_index
from projections.store import Store
from projections.testing import START, WAYBILLS, History, acceptance
from schemas.codec import decode
from schemas.events import CompensationFailed, Event, OrderAccepted, OrderAmended, StepFailed
from streams.agents.projector import Projector
from streams.core.order import Order
from tests.full_histories import full_history

TENANT = "tenant-0"
NAMES = ("Print and Digital", "Print Archive", "Crosswörd Monthly")


@pytest.fixture(scope="module")
def history() -> History:
    """Besides what happens to orders, some with names of their own."""
    made = full_history(2)
    for number in range(100, 112):
        accepted = acceptance(number, WAYBILLS[number % 2], TENANT)
        fact = accepted.fact
        assert isinstance(fact, OrderAccepted)
        document = f'{{"orderItems": [{{"offer": {{"name": "{NAMES[number % 3]}"}}}}]}}'
        mode = "test" if number % 4 == 0 else "production"
        # Three at a time at the very same moment: pages have to go on in between.
        at = START + timedelta(minutes=number - number % 3)
        envelope = replace(accepted.envelope, occurred_at=at)
        made.append(0, Event(envelope, replace(fact, document=document, mode=mode)))
    return made


@pytest.fixture
def store(database_url: str, history: History) -> Iterator[Store]:
    opened = Store.open(database_url)
    projector = Projector(opened)
    projector.assign(history.log)
    for partition, records in history.log.items():
        for start in range(0, len(records), 7):
            projector.apply(partition, records[start : start + 7])
    yield opened
    opened.close()


def found(store: Store, limit: int = 200, **filters: Any) -> list[str]:
    """All pages together, none of them longer than it may be."""
    ids: list[str] = []
    cursor = None
    while True:
        page = Queries(store).orders(TENANT, OrderFilters(**filters), cursor, limit)
        assert len(page["items"]) <= limit
        ids += [order["id"] for order in page["items"]]
        cursor = page["next"]
        if cursor is None:
            return ids


def mine(history: History, fits: Callable[[Order], bool]) -> set[str]:
    return {o.id for o in history.orders.values() if o.tenant == TENANT and fits(o)}


def test_orders_are_found_by_what_their_events_say(store: Store, history: History) -> None:
    events = [decode(record.value) for log in history.log.values() for record in log]
    declined, amended = set(), set()
    for one in events:
        failed = isinstance(one.fact, StepFailed | CompensationFailed)
        if failed and one.fact.failure.code == "card_declined":
            declined.add(one.envelope.order_id)
        if isinstance(one.fact, OrderAmended):
            amended.add(one.envelope.order_id)
    assert set(found(store, q="card DECLINED")) <= mine(history, lambda o: o.id in declined)
    assert found(store, q="card DECLINED")
    assert set(found(store, q="yearly")) <= mine(history, lambda o: o.id in amended)
    one = next(o for o in history.orders.values() if o.tenant == TENANT and o.context)
    accepted = one.accepted
    for q in (one.id, one.id[6:20], accepted.order_reference, accepted.subscription_reference):
        assert one.id in found(store, q=q)
    numbers = [v for out in one.context.values() for k, v in out.items() if k == "accountId"]
    for number in numbers:
        assert one.id in found(store, q=f"{number} salesforcev3") or number == "by hand"
    assert found(store, q="s3cret") == []
    assert set(found(store, q="crossword mon")) == mine(
        history, lambda o: "Crosswörd" in o.accepted.document
    )


@pytest.mark.parametrize("most", [search_queries.MOST_CANDIDATES, 0, 3])
def test_rare_and_common_words_are_found_alike(
    store: Store, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """With `most` 0 nothing is rare, and pages go through few orders."""
    monkeypatch.setattr(search_queries, "MOST_CANDIDATES", most)
    if most == 0:
        monkeypatch.setattr(listing, "SCANNED", 5)
        monkeypatch.setattr(listing, "_FIRST_SCANNED", 2)
    with store.reading() as (connection, tables):
        rows = connection.execute(
            select(tables.orders.c.id, tables.orders.c.tenant, tables.words.c.words).join(
                tables.words, tables.words.c.place == tables.orders.c.place
            )
        ).all()
    newest = found(store)
    for q in (
        "print",
        "print a",
        "print archive",
        "digital p",
        "order",
        "zuora crossword",
        "ext 10",
    ):
        *whole, last = q.split()
        expected = {
            row.id
            for row in rows
            if row.tenant == TENANT
            and set(whole) <= set(row.words.split())
            and any(word.startswith(last) for word in row.words.split())
        }
        assert expected, q
        assert found(store, q=q, limit=3) == [one for one in newest if one in expected]
    assert found(store, q="print nothing") == []
    assert found(store, q=" ".join("abcdefghij" * 12)) == []
    assert found(store, q="%") == found(store, q="-_") == []


def test_filters_hold_together(store: Store, history: History) -> None:
    one = next(o for o in history.orders.values() if o.accepted.external_id == "EXT-104")
    accepted = one.accepted
    assert set(found(store, mode="test")) == mine(history, lambda o: o.accepted.mode == "test")
    assert set(found(store, lane=one.lane)) == mine(history, lambda o: o.lane == one.lane)
    reference = accepted.subscription_reference
    assert set(found(store, subscription=reference)) == mine(
        history, lambda o: o.accepted.subscription_reference == reference
    )
    every = {
        "mode": "test",
        "lane": one.lane,
        "subscription": reference,
        "order_type": accepted.order_type,
        "status": "submitted",
        "stage": "salesforceV3",
        "since": one.created,
        "q": "crossword",
    }
    assert found(store, **every) == [one.id]
    others = {"mode": "production", "status": "failed", "order_type": "renew", "q": "archive"}
    for name, value in others.items():
        assert found(store, **{**every, name: value}) == []
    for cause in ({"attention": "failed"}, {"plugin": "zuora"}, {"code": "card_declined"}):
        all_of_cause = found(store, **cause)
        assert found(store, limit=1, **cause) == all_of_cause
        for kind in ("new", "cancel"):
            both = {o.id for o in history.orders.values() if o.accepted.order_type == kind}
            expected = [one for one in all_of_cause if one in both]
            assert found(store, order_type=kind, **cause) == expected
            assert found(store, order_type=kind, q="order", **cause) == expected


def test_pages_stay_right_while_orders_arrive(store: Store, history: History) -> None:
    before = found(store)
    page = Queries(store).orders(TENANT, OrderFilters(), None, 5)
    projector = Projector(store)
    projector.assign(history.log)
    more = History({0: list(history.log[0])})
    for number in range(200, 205):
        more.append(0, acceptance(number, (), TENANT))
    projector.apply(0, more.log[0])
    seen = [order["id"] for order in page["items"]]
    while page["next"] is not None:
        page = Queries(store).orders(TENANT, OrderFilters(), page["next"], 5)
        seen += [order["id"] for order in page["items"]]
    assert seen == before


def test_an_index_that_is_left_and_made_again_finds_the_same(store: Store) -> None:
    before = found(store, q="archive")
    with store.reading() as (_, tables):
        words = tables.words
    with store.writer.begin() as connection:
        leave_index(connection, words)
    with store.writer.begin() as connection:
        index_again(connection, words)
    assert found(store, q="archive") == before != []


@pytest.mark.parametrize(
    ("filters", "index"),
    [
        ({}, "created"),
        ({"status": "complete"}, "created"),
        ({"status": "failed"}, "incomplete"),
        ({"status": "failed", "order_type": "renew", "mode": "test"}, "incomplete"),
        ({"order_type": "renew"}, "type"),
        ({"order_type": "renew", "status": "complete", "mode": "production"}, "type"),
        ({"mode": "test", "order_type": "renew"}, "rehearsed"),
        ({"stage": "zuora", "status": "queued"}, "stage"),
        ({"error_code": "timeout", "stage": "zuora"}, "error"),
        ({"external_id": "x", "status": "failed"}, "external"),
        ({"subscription": "x", "order_type": "new"}, "subscription"),
        ({"lane": "x", "mode": "test"}, "of_lane"),
    ],
)
def test_sqlite_takes_the_index_that_leaves_the_fewest(
    tmp_path: Path, filters: dict[str, str], index: str
) -> None:
    """Of a store that is still empty as of one with a million orders."""
    opened = Store.open(f"sqlite:///{tmp_path / 'plan.sqlite'}")
    asked: list[tuple[str, Any]] = []

    @event.listens_for(opened.reader, "before_cursor_execute")
    def _note(*given: Any) -> None:
        asked.append((given[2], given[3]))

    for cursor in (None, "MTc5ODY3NDA1NjA2NDAwMDoxMjQ2NTM"):
        asked.clear()
        Queries(opened).matching(TENANT, OrderFilters(**filters), cursor)
        statement, parameters = next(one for one in asked if "ORDER BY" in one[0])
        with opened.reader.begin() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        assert f"v1_orders_{index} (" in str(plan)
    opened.close()
