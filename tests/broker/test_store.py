"""The store on a real SQLite and a real PostgreSQL: one projector at a time."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from projections.comparing import table_hashes
from projections.snapshots import Snapshots
from projections.store import Birth, Store, StoreError
from projections.testing import History, random_history
from projections.writing import Record
from streams.agents.projector import (
    AnotherProjectorError,
    Projector,
    UndecodableRecordError,
)
from tests.full_histories import full_history


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


@pytest.fixture
def history() -> History:
    return full_history()


def project(store: Store, history: History, size: int = 11) -> Projector:
    projector = Projector(store)
    projector.assign(history.log)
    for partition, records in history.log.items():
        for start in range(0, len(records), size):
            projector.apply(partition, records[start : start + size])
    return projector


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
    store: Store,
) -> None:
    history = random_history(random.Random(7).randrange, orders=12, partitions=3, most=250)
    for partition, records in history.log.items():
        for record in records:
            projector = Projector(store)
            projector.assign([partition])
            projector.apply(partition, [record])
    assert Snapshots(store).load({}, history.orders, []) == history.orders
    assert Snapshots(store).load({}, ["order-unknown"], []) == {}
    assert Snapshots(store).load({}, [], []) == {}


def test_both_databases_give_the_same_hashes(
    store: Store, history: History, tmp_path: Path
) -> None:
    project(store, history)
    other = Store.open(f"sqlite:///{tmp_path / 'other.sqlite'}")
    project(other, history, size=5)
    assert table_hashes(store, 1) == table_hashes(other, 1)
    other.close()


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
