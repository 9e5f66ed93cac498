"""What the API and the console ask of the store, on both databases."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from projections.attention import causes
from projections.attention_queries import SHOWN
from projections.lanes import unfinished_of
from projections.orders import unfinished
from projections.queries import CursorError, OrderFilters, Queries
from projections.snapshots import Snapshots
from projections.standing import standing
from projections.statistics import COUNTS
from projections.store import Store
from projections.testing import START, History, acceptance, next_event
from schemas.events import OrderAccepted
from streams.agents.projector import (
    Projector,
)
from streams.core.order import ENDED, Order, State
from streams.core.wakes import wake
from tests.full_histories import full_history

SENT = ("succeeded", "failed", "in_doubt", "compensated", "compensation_failed")


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def history() -> History:
    return full_history(2)


def project(store: Store, history: History, size: int = 11) -> Projector:
    projector = Projector(store)
    projector.assign(history.log)
    for partition, records in history.log.items():
        for start in range(0, len(records), size):
            projector.apply(partition, records[start : start + size])
    return projector


def test_what_is_asked_in_one_moment_is_of_that_moment(store: Store, history: History) -> None:
    projector = Projector(store)
    projector.assign(history.log)
    queries, partition = Queries(store), min(history.log)
    records = history.log[partition]
    projector.apply(partition, records[:5])
    tenants = {order.tenant for order in history.orders.values()}
    with queries.one_moment() as applied:
        shown = [queries.status_counts(tenant) for tenant in tenants]
        projector.apply(partition, records[5:])
        assert [queries.status_counts(tenant) for tenant in tenants] == shown
        assert applied[partition] == 4
    assert [queries.status_counts(tenant) for tenant in tenants] != shown
    with queries.one_moment() as applied:
        assert applied[partition] == len(records) - 1


def test_orders_are_found_by_their_tenant_only(store: Store, history: History) -> None:
    project(store, history)
    queries = Queries(store)
    order = next(iter(history.orders.values()))
    other = "tenant-1" if order.tenant == "tenant-0" else "tenant-0"
    external = order.accepted.external_id
    assert external is not None
    shown = queries.order(order.tenant, order.id)
    assert shown is not None
    assert shown["order_reference"] == order.accepted.order_reference
    assert queries.order(other, order.id) is None
    assert queries.timeline(other, order.id) is None
    assert queries.process_events(other, order.id) is None
    assert queries.find_by_external_id(other, external) is None
    found = queries.find_by_external_id(order.tenant, external)
    assert found is not None
    assert tuple(found) == (order.id, order.lane, order.accepted.fingerprint)


def test_pages_show_every_order_once_newest_first(store: Store, history: History) -> None:
    project(store, history)
    seen: list[dict] = []
    cursor = None
    while True:
        page = Queries(store).orders("tenant-0", OrderFilters(), cursor, limit=4)
        seen += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    mine = {order.id for order in history.orders.values() if order.tenant == "tenant-0"}
    assert [order["id"] for order in seen] == list(dict.fromkeys(o["id"] for o in seen))
    assert {order["id"] for order in seen} == mine
    assert [o["created"] for o in seen] == sorted((o["created"] for o in seen), reverse=True)
    with pytest.raises(CursorError):
        Queries(store).orders("tenant-0", OrderFilters(), "nonsense")


def test_filters_pick_the_orders_that_they_name(store: Store, history: History) -> None:
    project(store, history)
    mine = [order for order in history.orders.values() if order.tenant == "tenant-0"]
    one = mine[0]

    def ids(**filters) -> set[str]:
        page = Queries(store).orders("tenant-0", OrderFilters(**filters))
        return {order["id"] for order in page["items"]}

    words = {State.ACCEPTED: "submitted", State.COMPLETED: "complete"}
    for state in State:
        expected = {order.id for order in mine if order.state is state}
        assert ids(status=words.get(state, state.value)) == expected
    assert ids(external_id=one.accepted.external_id) == {one.id}
    assert ids(order_type="new") | ids(order_type="cancel") == {order.id for order in mine}
    at_zuora = {
        o.id
        for o in mine
        if (at := standing(o)) is not None and o.accepted.waybill[at].plugin == "zuora"
    }
    assert ids(stage="zuora") == at_zuora
    found = Queries(store).matching("tenant-0", OrderFilters(stage="zuora"))
    assert dict(found.orders) == {o.id: o.lane for o in mine if o.id in at_zuora}
    counts = Queries(store).count("tenant-0", OrderFilters(stage="zuora"))
    assert sum(counts.values()) == len(at_zuora)
    assert ids(since=one.created, until=one.created + timedelta(microseconds=1)) == {one.id}
    for q in (one.id, one.id[:20], one.accepted.order_reference[:9], one.accepted.external_id):
        assert one.id in ids(q=q)
    assert ids(q="%") == set()


def test_the_timeline_and_process_events_tell_what_happened(store: Store, history: History) -> None:
    project(store, history)
    queries = Queries(store)
    order = next(
        o
        for o in history.orders.values()
        if o.state is State.COMPLETED and o.progress and o.run == 1
    )
    timeline = queries.timeline(order.tenant, order.id)
    assert timeline is not None
    entries = timeline["items"]
    assert [entry["sequence"] for entry in entries] == list(range(1, order.sequence + 1))
    assert entries[0]["type"] == "OrderAccepted"
    assert "OrderCompleted" in {entry["type"] for entry in entries}
    assert entries[0]["at"].endswith("+00:00")
    assert "sealed" not in entries[0]["data"]
    events = queries.process_events(order.tenant, order.id)
    assert events is not None
    [event] = events["items"]
    assert event["id"].startswith("process_event-")
    assert {callout["plugin"] for callout in event["callouts"]} <= {
        step.plugin for step in order.accepted.waybill
    }
    assert len([line for line in event["logs"] if line["level"] != "warning"]) == len(entries)


def test_the_causes_of_attention_are_those_of_the_orders(store: Store, history: History) -> None:
    project(store, history)
    queries = Queries(store)
    kinds: set[str] = set()
    for tenant in ("tenant-0", "tenant-1"):
        expected = grouped(order for order in history.orders.values() if order.tenant == tenant)
        groups = queries.attention(tenant)
        assert {(g["kind"], g["plugin"], g["code"]): g["orders"] for g in groups} == {
            key: len(orders) for key, orders in expected.items()
        }
        for group in groups:
            kind, plugin, code = group["kind"], group["plugin"], group["code"]
            kinds.add(kind)
            orders = expected[kind, plugin, code]
            assert group["oldest"] == min(o.updated for o in orders.values()).isoformat()
            assert set(group["some"]) <= set(orders)
            assert len(group["some"]) == min(SHOWN, len(orders))
            assert group["needs_person"] is (kind != "deferred")
            filters = OrderFilters(attention=kind, plugin=plugin, code=code)
            page = queries.orders(tenant, filters)
            assert {order["id"] for order in page["items"]} == set(orders)
    assert kinds >= {"failed", "in_doubt", "paused", "follow_up"}


def grouped(orders: Iterable[Order]) -> dict[tuple[str, str, str], dict[str, Order]]:
    """Orders by cause, those that a stage defers under its name."""
    found: dict[tuple[str, str, str], dict[str, Order]] = {}
    for order in orders:
        for cause in causes(order):
            found.setdefault((cause.kind, cause.plugin, cause.code), {})[order.id] = order
        waits, at = wake(order), standing(order)
        if order.state is State.PAUSED:
            plugin = "" if at is None else order.accepted.waybill[at].plugin
            found.setdefault(("paused", plugin, ""), {})[order.id] = order
        if waits is not None and waits.stage is not None and at is not None:
            key = ("deferred", order.accepted.waybill[at].plugin, waits.stage)
            found.setdefault(key, {})[order.id] = order
    return found


def test_counts_of_stages_add_up(store: Store, history: History) -> None:
    project(store, history)
    queries = Queries(store)
    for tenant in ("tenant-0", "tenant-1"):
        stages = queries.stages(tenant)
        assert all(stage["attempts"] == sum(stage[how] for how in SENT) for stage in stages)
        assert all(stage["duration_ms"] == 12 * stage["callouts"] for stage in stages)
        counts = queries.status_counts(tenant)
        mine = [order for order in history.orders.values() if order.tenant == tenant]
        assert sum(counts.values()) == sum(o.state is not State.COMPLETED for o in mine)
    every = [stage for tenant in ("tenant-0", "tenant-1") for stage in queries.stages(tenant)]
    assert all(any(stage[name] for stage in every) for name in COUNTS)


def test_a_lane_shows_its_unfinished_orders_in_their_order(store: Store) -> None:
    history = History()
    first, second = acceptance(1, ()), acceptance(2, ())
    second = replace(second, envelope=replace(second.envelope, lane=first.envelope.lane))
    history.append(0, first)
    history.append(0, second)
    project(store, history)
    lane = first.envelope.lane
    expected = [first.envelope.order_id, second.envelope.order_id]
    assert [order.id for order in unfinished_of(store, [lane, "no/lane"])[lane]] == expected
    while (order := history.orders[first.envelope.order_id]).state not in ENDED:
        event = next_event(order, lambda _: 3)
        assert event is not None
        history.append(0, event)
    project(store, history)
    assert [order.id for order in unfinished_of(store, [lane])[lane]] == expected[1:]


def test_texts_that_a_database_would_refuse_stop_nothing(store: Store) -> None:
    history = History()
    for number, external in enumerate(["a\x00b", "x" * 100_000, "x" * 99_999 + "y", "\U0001f600"]):
        event = acceptance(number, ())
        fact = event.fact
        assert isinstance(fact, OrderAccepted)
        history.append(0, replace(event, fact=replace(fact, external_id=external)))
    project(store, history)
    assert Snapshots(store).load({}, history.orders, []) == history.orders
    for order in history.orders.values():
        assert order.accepted.external_id is not None
        found = Queries(store).find_by_external_id("default", order.accepted.external_id)
        assert found is not None
        assert found.id == order.id


def test_the_small_index_answers_questions_about_unfinished_orders(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'plan.sqlite'}")
    with store.reading() as (connection, tables):
        query = select(tables.orders.c.id).where(
            tables.orders.c.lane == "a", unfinished(tables.orders)
        )
        plan = connection.exec_driver_sql(
            f"EXPLAIN QUERY PLAN {query.compile(store.reader)}", ("a",)
        ).all()
    store.close()
    assert "v1_orders_lane" in str(plan)


def test_moments_keep_their_microseconds(store: Store) -> None:
    history = History()
    event = acceptance(1, ())
    moment = START + timedelta(days=20_000, microseconds=123_457)
    history.append(0, replace(event, envelope=replace(event.envelope, occurred_at=moment)))
    project(store, history)
    shown = Queries(store).order("default", event.envelope.order_id)
    assert shown is not None
    assert shown["created"] == moment.isoformat()
