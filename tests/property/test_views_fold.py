"""Views are folds of the log: how it is cut into transactions, or read twice, changes nothing."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from projections.attention import causes
from projections.comparing import table_hashes
from projections.moments import microseconds
from projections.orders import status_word
from projections.snapshots import Snapshots
from projections.statistics import COUNTS
from projections.store import Store
from projections.tables import place_of
from projections.testing import History, random_history
from schemas.codec import decode
from schemas.events import StepDeferred, StepResult, StepSkipped
from streams.agents.projector import Projector
from streams.core.evolve import evolve
from streams.core.order import Order
from streams.core.snapshot import state_bytes

few = settings(max_examples=15, deadline=None)


@contextmanager
def fresh_store() -> Iterator[Store]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{Path(folder) / 'views.sqlite'}")
        try:
            yield store
        finally:
            store.close()


@st.composite
def histories(draw: st.DrawFn) -> History:
    random = draw(st.randoms(use_true_random=False))
    return random_history(random.randrange, orders=draw(st.integers(1, 6)), partitions=2)


def apply_in_chunks(store: Store, history: History, sizes: list[int]) -> Projector:
    projector = Projector(store)
    projector.assign(history.log)
    for partition, records in history.log.items():
        start, turn = 0, 0
        while start < len(records):
            size = sizes[turn % len(sizes)]
            projector.apply(partition, records[start : start + size])
            start, turn = start + size, turn + 1
    return projector


def lightened(order: Order) -> Order:
    """As the projector folds it: without the document, unless an amendment brought it."""
    accepted = order.accepted
    if accepted.fingerprint.startswith(b"amended"):
        return order
    return order._replace(accepted=replace(accepted, document="", sealed=()))


chunk_sizes = st.lists(st.integers(1, 40), min_size=1, max_size=5)


@few
@given(histories(), chunk_sizes, chunk_sizes)
def test_how_the_log_is_cut_into_transactions_does_not_matter(
    history: History, one: list[int], other: list[int]
) -> None:
    with fresh_store() as left, fresh_store() as right:
        apply_in_chunks(left, history, one)
        apply_in_chunks(right, history, other)
        assert table_hashes(left, 1) == table_hashes(right, 1)


@few
@given(histories())
def test_several_partitions_in_one_transaction_give_the_same(history: History) -> None:
    with fresh_store() as left, fresh_store() as right:
        apply_in_chunks(left, history, [7])
        projector = Projector(right)
        projector.assign(history.log)
        projector.apply_all(history.log)
        assert table_hashes(left, 1) == table_hashes(right, 1)


@few
@given(histories(), chunk_sizes)
def test_the_orders_view_is_what_the_core_folds(history: History, sizes: list[int]) -> None:
    with fresh_store() as store:
        apply_in_chunks(store, history, sizes)
        assert Snapshots(store).load({}, history.orders, []) == history.orders
        with store.reading() as (connection, tables):
            rows = connection.execute(select(tables.orders)).all()
            attention = set(connection.execute(select(tables.attention)).tuples().all())
        assert {row.id for row in rows} == set(history.orders)
        for row in rows:
            order = history.orders[row.id]
            assert row.state == state_bytes(lightened(order))
            assert (row.status, row.sequence) == (status_word(order.state), order.sequence)
            assert (row.created, row.updated) == (
                microseconds(order.created),
                microseconds(order.updated),
            )
        assert attention == {
            (row.place, cause.step, row.tenant, cause.plugin, cause.kind, cause.code, row.created)
            for row in rows
            for cause in causes(history.orders[row.id])
        }


@few
@given(histories(), chunk_sizes)
def test_the_timeline_holds_the_applied_events_and_no_others(
    history: History, sizes: list[int]
) -> None:
    with fresh_store() as store:
        apply_in_chunks(store, history, sizes)
        expected: list[tuple[int, bytes]] = []
        attempts = 0
        for partition, records in sorted(history.log.items()):
            orders = {}
            for record in records:
                event = decode(record.value)
                before = orders.get(event.envelope.order_id)
                after = evolve(before, event, record.offset)
                if after is not before:
                    orders[event.envelope.order_id] = after
                    expected.append((place_of(partition, record.offset), record.value))
                    attempts += isinstance(event.fact, StepResult) and not isinstance(
                        event.fact, StepSkipped | StepDeferred
                    )
        with store.reading() as (connection, tables):
            timeline = tables.timeline.c
            rows = connection.execute(
                select(timeline.place, timeline.value).order_by(timeline.place)
            ).all()
            counted = connection.execute(select(tables.statistics.totals)).mappings().all()
        assert [tuple(row) for row in rows] == expected
        assert sum(row["attempts"] for row in counted) == attempts
        assert all(row[name] >= 0 for row in counted for name in COUNTS)


@few
@given(histories(), chunk_sizes, st.integers(0, 60))
def test_records_that_come_again_change_nothing(
    history: History, sizes: list[int], back: int
) -> None:
    with fresh_store() as store:
        apply_in_chunks(store, history, sizes)
        before = table_hashes(store, 1)
        again = Projector(store)
        following = again.assign(history.log)
        for partition, records in history.log.items():
            assert following[partition] == len(records)
            start = max(0, len(records) - back)
            assert again.apply(partition, records[start:]).events == 0
            assert again.apply(partition, []).read == 0
        assert table_hashes(store, 1) == before


@few
@given(histories(), st.data())
def test_a_crash_between_any_two_transactions_changes_nothing(
    history: History, data: st.DataObject
) -> None:
    with fresh_store() as whole, fresh_store() as broken:
        apply_in_chunks(whole, history, [50])
        for partition, records in history.log.items():
            start = 0
            while start < len(records):
                projector = Projector(broken)
                start = projector.assign([partition])[partition]
                size = data.draw(st.integers(1, 30))
                chunk = records[start : start + size]
                if chunk:
                    projector.apply(partition, chunk)
                    start += len(chunk)
        assert table_hashes(whole, 1) == table_hashes(broken, 1)
