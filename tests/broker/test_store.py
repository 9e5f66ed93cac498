"""The store on a real SQLite and a real PostgreSQL: one projector at a time, rebuilt alike."""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event

import pytest
from sqlalchemy import inspect, select, text

from projections.lanes import unfinished_of
from projections.orders import unfinished
from projections.queries import CursorError, OrderFilters, Queries
from projections.rebuild import (
    LogTooShortError,
    Progress,
    drop_unused_sets,
    rebuild,
    table_hashes,
)
from projections.snapshots import Snapshots
from projections.store import SETS, Birth, Store, StoreError
from projections.testing import START, History, acceptance, next_event, random_history
from projections.writing import Record
from schemas.events import OrderAccepted
from streams.agents.projector import (
    AnotherProjectorError,
    Projector,
    UndecodableRecordError,
)
from streams.core.order import ENDED, State


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def history() -> History:
    return random_history(random.Random(7).randrange, orders=30, partitions=3, most=400)


def project(store: Store, history: History, size: int = 11) -> Projector:
    projector = Projector(store)
    projector.assign(history.log)
    for partition, records in history.log.items():
        for start in range(0, len(records), size):
            projector.apply(partition, records[start : start + size])
    return projector


def reader(history: History, sizes: random.Random | None = None):
    def read(partition: int, offset: int) -> Iterator[Sequence[Record]]:
        records = history.log.get(partition, [])
        while offset < len(records):
            size = sizes.randrange(1, 30) if sizes else 50
            yield records[offset : offset + size]
            offset += size

    return read


def ignore(_: Progress) -> None:
    return None


def test_a_store_opened_again_is_the_same(database_url: str, history: History) -> None:
    first = Store.open(database_url)
    project(first, history)
    again = Store.open(database_url)
    assert again.set_id() == 1
    assert again.applied() == {p: len(records) - 1 for p, records in history.log.items()}
    assert table_hashes(again, 1) == table_hashes(first, 1)
    first.close()
    again.close()


def test_nothing_is_applied_at_first(store: Store) -> None:
    assert store.applied() == {}
    assert Projector(store).assign([0, 4]) == {0: 0, 4: 0}
    assert store.applied() == {0: -1, 4: -1}


def test_of_two_projectors_only_one_gets_its_transaction_through(
    store: Store, history: History
) -> None:
    slow, quick = Projector(store), Projector(store)
    slow.assign(history.log)
    quick.assign(history.log)
    quick.apply(0, history.log[0][:5])
    before = table_hashes(store, 1)
    with pytest.raises(AnotherProjectorError):
        slow.apply(0, history.log[0][:3])
    assert table_hashes(store, 1) == before
    assert slow.assign([0]) == {0: 5}
    slow.apply(0, history.log[0][5:])
    with pytest.raises(AnotherProjectorError):
        quick.apply(0, history.log[0][5:])


def test_a_projector_that_failed_on_one_partition_has_written_nothing_of_the_others(
    store: Store, history: History
) -> None:
    slow, quick = Projector(store), Projector(store)
    slow.assign(history.log)
    quick.assign([1])
    quick.apply(1, history.log[1][:2])
    before = table_hashes(store, 1)
    with pytest.raises(AnotherProjectorError):
        slow.apply_all({0: history.log[0], 1: history.log[1]})
    assert store.applied()[0] == -1
    assert table_hashes(store, 1) == before


def test_a_partition_that_is_not_assigned_is_refused(store: Store, history: History) -> None:
    projector = Projector(store)
    with pytest.raises(AnotherProjectorError):
        projector.apply(0, history.log[0])
    projector.assign([1])
    with pytest.raises(AnotherProjectorError):
        projector.apply(0, history.log[0])


def test_a_record_that_cannot_be_read_stops_its_partition_there(
    store: Store, history: History
) -> None:
    records = [*history.log[0][:4], Record(4, b"\x00\x00\x00\x00\x63rest"), *history.log[0][5:]]
    projector = Projector(store)
    projector.assign([0])
    with pytest.raises(UndecodableRecordError) as stopped:
        projector.apply(0, records)
    assert (stopped.value.partition, stopped.value.offset) == (0, 4)
    assert stopped.value.code == "unknown_schema"
    assert store.applied() == {0: 3}
    with pytest.raises(UndecodableRecordError):
        projector.apply(0, records[4:])
    assert store.applied() == {0: 3}


def test_orders_come_back_from_the_store_when_they_are_no_longer_remembered(
    store: Store, history: History
) -> None:
    for partition, records in history.log.items():
        for record in records:
            projector = Projector(store)
            projector.assign([partition])
            projector.apply(partition, [record])
    assert Snapshots(store).load(history.orders) == history.orders
    assert Snapshots(store).load(["order-unknown"]) == {}
    assert Snapshots(store).load([]) == {}


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rebuilt_set_equals_the_live_one(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    history = random_history(chance.randrange, orders=40, partitions=4, most=500)
    project(store, history, size=chance.randrange(1, 40))
    live = table_hashes(store, 1)
    seen: list[Progress] = []
    done = rebuild(store, history.log, reader(history, chance), seen.append)
    assert (done.set_id, done.before) == (2, 1)
    assert done.records == sum(map(len, history.log.values()))
    assert seen[-1].records == done.records
    assert store.set_id() == 2
    assert table_hashes(store, 2) == live
    assert store.applied() == {p: len(records) - 1 for p, records in history.log.items()}


def test_both_databases_give_the_same_hashes(
    store: Store, history: History, tmp_path: Path
) -> None:
    project(store, history)
    other = Store.open(f"sqlite:///{tmp_path / 'other.sqlite'}")
    project(other, history, size=5)
    assert table_hashes(store, 1) == table_hashes(other, 1)
    other.close()


def test_what_was_applied_while_a_rebuild_ran_is_in_the_new_set(
    store: Store, history: History
) -> None:
    live = Projector(store)
    live.assign(history.log)
    half = {p: len(records) // 2 for p, records in history.log.items()}
    live.apply_all({p: history.log[p][: half[p]] for p in history.log})
    first = set(history.log)

    def read(partition: int, offset: int) -> Iterator[Sequence[Record]]:
        if partition in first:
            first.discard(partition)
            yield history.log[partition][offset : half[partition]]
            live.apply(partition, history.log[partition][half[partition] :])
        else:
            yield from reader(history)(partition, offset)

    rebuild(store, history.log, read, ignore)
    assert table_hashes(store, 2) == table_hashes(store, 1)
    with pytest.raises(AnotherProjectorError):
        live.apply(0, [Record(len(history.log[0]), history.log[0][0].value)])
    assert live.assign(history.log) == {p: len(r) for p, r in history.log.items()}


def follow(store: Store, history: History, stop: Event) -> int:
    """A live projector in small steps; how often it had to rejoin."""
    projector, rejoined = Projector(store), 0
    following = projector.assign(history.log)
    while not stop.is_set() or any(n < len(history.log[p]) for p, n in following.items()):
        try:
            for partition, start in following.items():
                records = history.log[partition][start : start + 3]
                projector.apply(partition, records)
                following[partition] = start + len(records)
        except AnotherProjectorError:
            rejoined += 1
            following = projector.assign(history.log)
    return rejoined


def test_a_swap_amid_a_busy_projector_loses_nothing(store: Store) -> None:
    history = random_history(random.Random(3).randrange, orders=80, partitions=2, most=1500)
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(follow, store, history, stop)
        try:
            swaps = [rebuild(store, history.log, reader(history), ignore) for _ in range(3)]
        finally:
            stop.set()
        rejoined = running.result(60)
    assert [swap.set_id for swap in swaps] == [2, 3, 4]
    assert rejoined >= 1
    assert Snapshots(store).load(history.orders) == history.orders
    live_hashes = table_hashes(store, 4)
    rebuild(store, history.log, reader(history), ignore)
    assert table_hashes(store, 5) == live_hashes


def test_a_log_that_lost_records_does_not_replace_the_views(store: Store, history: History) -> None:
    project(store, history)
    before = store.applied()
    shorter = History(log={**history.log, 1: history.log[1][:-1]})
    with pytest.raises(LogTooShortError):
        rebuild(store, shorter.log, reader(shorter), ignore)
    assert (store.set_id(), store.applied()) == (1, before)


def test_what_a_crashed_rebuild_left_is_removed_by_the_next(store: Store, history: History) -> None:
    project(store, history)

    def crash(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(store, history.log, reader(history), crash)
    assert store.set_id() == 1
    rebuild(store, history.log, reader(history), ignore)
    drop_unused_sets(store)
    left = {name for name in inspect(store.reader).get_table_names() if name.startswith("v")}
    expected = {f"v{store.set_id()}_{name}" for name in table_hashes(store, store.set_id())}
    assert left - {"view_sets"} == expected


def test_views_of_another_shape_must_be_rebuilt_first(store: Store, history: History) -> None:
    project(store, history)
    with store.writer.begin() as connection:
        connection.execute(SETS.update().values(shape="older"))
    with pytest.raises(StoreError, match="waybill rebuild") as refused:
        Projector(store).assign([0])
    assert refused.value.code == "views_outdated"
    with pytest.raises(StoreError):
        Queries(store).order("default", "order-1")
    rebuild(store, history.log, reader(history), ignore)
    assert Snapshots(store).load(history.orders) == history.orders


def test_how_order_events_was_made_never_changes(store: Store) -> None:
    assert store.birth() is None
    store.certify(Birth(8, "murmur2"))
    store.certify(Birth(8, "murmur2"))
    assert store.birth() == Birth(8, "murmur2")
    with pytest.raises(StoreError) as refused:
        store.certify(Birth(12, "murmur2"))
    assert refused.value.code == "topic_changed"


def test_the_reader_cannot_write(store: Store) -> None:
    with pytest.raises(Exception, match=r"read-?only"), store.reader.begin() as connection:
        connection.execute(text("DELETE FROM view_sets"))


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
    assert ids(stage="zuora") == {o.id for o in mine if o.step and o.step.plugin == "zuora"}
    assert ids(since=one.created, until=one.created + timedelta(microseconds=1)) == {one.id}
    for q in (one.id, one.id[:20], one.accepted.order_reference[:9], one.accepted.external_id):
        assert one.id in ids(q=q)
    assert ids(q="%") == set()


def test_the_timeline_and_process_events_tell_what_happened(store: Store, history: History) -> None:
    project(store, history)
    queries = Queries(store)
    order = next(o for o in history.orders.values() if o.state is State.COMPLETED and o.progress)
    timeline = queries.timeline(order.tenant, order.id)
    assert timeline is not None
    entries = timeline["items"]
    assert [entry["sequence"] for entry in entries] == list(range(1, order.sequence + 1))
    assert entries[0]["type"] == "OrderAccepted"
    assert entries[-1]["type"] == "OrderCompleted"
    assert entries[0]["at"].endswith("+00:00")
    assert "sealed" not in entries[0]["data"]
    events = queries.process_events(order.tenant, order.id)
    assert events is not None
    [event] = events["items"]
    assert event["id"].startswith("process_event-")
    assert {callout["plugin"] for callout in event["callouts"]} <= {
        step.plugin for step in order.accepted.waybill
    }
    assert len(event["logs"]) == len(entries)


def test_counts_of_stages_and_causes_of_attention_add_up(store: Store, history: History) -> None:
    project(store, history)
    queries = Queries(store)
    for tenant in ("tenant-0", "tenant-1"):
        mine = [order for order in history.orders.values() if order.tenant == tenant]
        failed = sum(order.state in {State.FAILED, State.IN_DOUBT} for order in mine)
        causes = queries.attention(tenant)
        assert sum(c["orders"] for c in causes if c["kind"] != "post_failed") == failed
        stages = queries.stages(tenant)
        assert all(
            stage["attempts"] == stage["succeeded"] + stage["failed"] + stage["in_doubt"]
            for stage in stages
        )
        assert all(stage["duration_ms"] == 12 * stage["callouts"] for stage in stages)
        counts = queries.status_counts(tenant)
        assert sum(counts.values()) == sum(o.state is not State.COMPLETED for o in mine)


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
    assert Snapshots(store).load(history.orders) == history.orders
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
