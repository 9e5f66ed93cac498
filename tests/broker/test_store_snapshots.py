"""What a worker reads when it takes over: orders at one moment, and what wakes those that rest."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from projections.snapshots import Snapshots, Wake
from projections.store import Store
from projections.testing import BILLING, History, acceptance, next_event
from schemas.codec import decode
from streams.agents.projector import Projector
from streams.core import lanes
from streams.core.order import ENDED, Order, State
from streams.core.wakes import wake
from tests.full_histories import applied, full_history


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def history() -> History:
    return full_history(1)


def project(store: Store, history: History) -> None:
    projector = Projector(store)
    projector.assign(history.log)
    projector.apply_all(history.log)


def places(history: History) -> dict[str, tuple[int, int]]:
    """Where each order's acceptance is."""
    found: dict[str, tuple[int, int]] = {}
    for partition, records in history.log.items():
        only = History(log={partition: records})
        offsets = {after.id: after.offset for _, before, after in applied(only) if before is None}
        found |= {order_id: (partition, offset) for order_id, offset in offsets.items()}
    return found


def test_orders_that_begin_right_here_are_not_read_again(store: Store, history: History) -> None:
    project(store, history)
    here = places(history)
    partition, offset = here[some := next(iter(here))]
    snapshots = Snapshots(store)
    assert snapshots.load({some: (partition, offset)}, [], []) == {}
    assert snapshots.load({some: (partition, offset + 1)}, [], []) == {some: history.orders[some]}
    assert snapshots.load({"order-new": (partition, offset)}, [], []) == {}
    assert snapshots.load({some: (partition, offset)}, [some], []) == {some: history.orders[some]}
    assert snapshots.load({}, ["order-unknown"], ["no/lane"]) == {}


def test_a_lane_brings_all_its_unfinished_orders(store: Store, history: History) -> None:
    project(store, history)
    snapshots, here = Snapshots(store), places(history)
    wanted = {order.lane for order in history.orders.values()}
    unfinished = {i: o for i, o in history.orders.items() if o.state not in ENDED}
    assert len(unfinished) > 3
    assert snapshots.load({}, [], wanted) == unfinished
    for lane in wanted:
        of_lane = {i: o for i, o in unfinished.items() if o.lane == lane}
        assert snapshots.load({}, [], [lane]) == of_lane
        begun = dict(list({i: here[i] for i in of_lane}.items())[:1])
        left = {i: o for i, o in of_lane.items() if i not in begun}
        assert snapshots.load(begun, [], [lane]) == left


def test_everything_that_is_asked_comes_in_one_answer(store: Store, history: History) -> None:
    project(store, history)
    here = places(history)
    elsewhere = {order_id: (p, offset + 10_000) for order_id, (p, offset) in here.items()}
    every = history.orders
    lanes_of = {order.lane for order in every.values()}
    assert Snapshots(store).load(elsewhere, list(every)[:7], lanes_of) == every


def beginning(history: History, share: float) -> History:
    """The first part of each partition's log."""
    part = History()
    for partition, records in history.log.items():
        for record in records[: int(share * len(records))]:
            part.append(partition, decode(record.value))
    return part


@pytest.mark.parametrize("share", [0.2, 0.3, 0.4, 0.6, 0.8, 1.0])
def test_what_wakes_resting_orders_is_what_the_core_says(
    store: Store, history: History, share: float
) -> None:
    history = beginning(history, share)
    project(store, history)
    here = places(history)
    expected = {w for order in history.orders.values() if (w := told(order, history, here))}
    assert expected
    snapshots = Snapshots(store)
    assert set(snapshots.wakes(history.log)) == expected
    assert len(snapshots.wakes(history.log)) == len(expected)
    for partition in history.log:
        mine = {w for w in expected if w.partition == partition}
        assert set(snapshots.wakes([partition])) == mine
    assert snapshots.wakes([]) == []
    assert snapshots.wakes([999]) == []


def told(order: Order, history: History, here: dict[str, tuple[int, int]]) -> Wake | None:
    partition, _ = here[order.id]
    if order.state is State.QUEUED:
        head = not lanes.before(order, history.lane(order.lane))
        return Wake(partition, order.id, order.lane, order.updated, None) if head else None
    waits = wake(order)
    return None if waits is None else Wake(partition, order.id, order.lane, *waits)


def test_a_queued_order_wakes_when_the_one_before_it_has_ended(store: Store) -> None:
    history = History()
    first, second = acceptance(1, (BILLING,)), acceptance(2, (BILLING,), follows=1)
    before, behind = first.envelope.order_id, second.envelope.order_id
    history.append(0, first)
    history.append(0, second)
    queued = next_event(history.orders[behind], lambda _: 3, history.lane(first.envelope.lane))
    assert queued is not None
    history.append(0, queued)
    assert history.orders[behind].behind == before
    project(store, history)
    snapshots = Snapshots(store)
    assert snapshots.wakes([0]) == []
    while history.orders[before].state not in ENDED:
        event = next_event(history.orders[before], lambda _: 3)
        assert event is not None
        history.append(0, event)
    project(store, history)
    order = history.orders[behind]
    assert snapshots.wakes([0]) == [Wake(0, behind, order.lane, order.updated, None)]


def test_neither_question_looks_through_the_orders_that_have_ended(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'plan.sqlite'}")
    asked: list[str] = []
    with store.reader.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(asked.append)
    Snapshots(store).load({"a": (0, 1)}, ["b"], ["c"])
    Snapshots(store).wakes([0])
    with store.reader.connect() as connection:
        plans = str(
            [
                connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}").all()
                for text in asked
                if "v1_orders" in text
            ]
        )
    store.close()
    for index in ("v1_orders_id", "v1_orders_lane", "v1_orders_awaited"):
        assert index in plans
    assert "SCAN v1_orders'" not in plans
    assert "SCAN v1_timeline" not in plans
