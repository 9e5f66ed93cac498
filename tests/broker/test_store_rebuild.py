"""A set of views rebuilt from the log equals the live one, and takes its place safely."""

import random
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from sqlalchemy import inspect, select

from projections.comparing import table_hashes
from projections.filling import LogTooShortError
from projections.listing import OrderFilters
from projections.queries import Queries
from projections.rebuild import Progress, rebuild
from projections.removing import drop_unused_sets
from projections.snapshots import Snapshots
from projections.store import SETS, Store, StoreError
from projections.testing import History, random_history
from projections.writing import Record
from streams.agents.projector import (
    AnotherProjectorError,
    Projector,
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


class Written:
    """A history as a log; `sizes` chooses how long its chunks are."""

    def __init__(self, history: History, sizes: random.Random | None = None) -> None:
        self._log = history.log
        self._sizes = sizes

    def ends(self) -> dict[int, int]:
        return {partition: len(records) for partition, records in self._log.items()}

    def read(self, partition: int, offset: int) -> Iterator[Sequence[Record]]:
        records = self._log.get(partition, [])
        while offset < len(records):
            size = self._sizes.randrange(1, 30) if self._sizes else 50
            yield records[offset : offset + size]
            offset += size


def ignore(_: Progress) -> None:
    return None


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_rebuilt_set_equals_the_live_one(store: Store, seed: int) -> None:
    chance = random.Random(seed)
    history = full_history(seed)
    project(store, history, size=chance.randrange(1, 40))
    live = table_hashes(store, 1)
    seen: list[Progress] = []
    done = rebuild(store, Written(history, chance), seen.append)
    assert (done.set_id, done.before) == (2, 1)
    assert done.records == sum(map(len, history.log.values()))
    assert seen[-1].records == done.records
    assert store.set_id() == 2
    assert table_hashes(store, 2) == live
    assert store.applied() == {p: len(records) - 1 for p, records in history.log.items()}


def test_a_rebuilt_set_finds_orders_by_their_words_also_those_that_come_later(
    store: Store, history: History
) -> None:
    half = History(log={p: records[: len(records) // 2] for p, records in history.log.items()})
    project(store, half)
    rebuild(store, Written(half), ignore)
    project(store, history)
    with store.reading() as (connection, tables):
        columns = (tables.orders.c.id, tables.orders.c.tenant, tables.words.c.words)
        place = tables.orders.c.place
        query = select(*columns).join(tables.words, tables.words.c.place == place)
        rows = connection.execute(query).all()
    words = sorted({word for row in rows for word in row.words.split()})
    for word in words[:: len(words) // 20]:
        for tenant in {row.tenant for row in rows}:
            page = Queries(store).orders(tenant, OrderFilters(q=word), None, len(rows))
            having = {row.id for row in rows if f" {word}" in row.words and row.tenant == tenant}
            assert having <= {order["id"] for order in page["items"]}, word


def test_what_was_applied_while_a_rebuild_ran_is_in_the_new_set(
    store: Store, history: History
) -> None:
    live = Projector(store)
    live.assign(history.log)
    half = {p: len(records) // 2 for p, records in history.log.items()}
    live.apply_all({p: history.log[p][: half[p]] for p in history.log})
    first = set(history.log)

    class Growing(Written):
        def ends(self) -> dict[int, int]:
            return {**super().ends(), **{partition: half[partition] for partition in first}}

        def read(self, partition: int, offset: int) -> Iterator[Sequence[Record]]:
            if partition in first:
                first.discard(partition)
                yield history.log[partition][offset : half[partition]]
                live.apply(partition, history.log[partition][half[partition] :])
            else:
                yield from super().read(partition, offset)

    rebuild(store, Growing(history), ignore)
    assert table_hashes(store, 2) == table_hashes(store, 1)
    with pytest.raises(AnotherProjectorError):
        live.apply(0, [Record(len(history.log[0]), history.log[0][0].value)])
    assert live.assign(history.log) == {p: len(r) for p, r in history.log.items()}


def test_what_is_applied_while_the_log_tells_its_ends_is_not_taken_for_lost(
    store: Store, history: History
) -> None:
    live = Projector(store)
    live.assign(history.log)
    half = {p: len(records) // 2 for p, records in history.log.items()}
    live.apply_all({p: history.log[p][: half[p]] for p in history.log})
    told = []

    class Moving(Written):
        def ends(self) -> dict[int, int]:
            if told:
                return super().ends()
            told.append(half)
            live.apply_all({p: history.log[p][half[p] :] for p in history.log})
            return half

    rebuild(store, Moving(history), ignore)
    assert store.set_id() == 2


def follow(store: Store, history: History, begun: Event, stop: Event) -> int:
    """A live projector in small steps, the last of them after `stop`; how often it rejoined."""
    projector, rejoined = Projector(store), 0
    following = projector.assign(history.log)
    while not stop.is_set() or any(n < len(history.log[p]) for p, n in following.items()):
        try:
            for partition, start in following.items():
                end = len(history.log[partition]) - (not stop.is_set())
                records = history.log[partition][start : min(start + 3, end)]
                projector.apply(partition, records)
                following[partition] = start + len(records)
            begun.set()
        except AnotherProjectorError:
            rejoined += 1
            following = projector.assign(history.log)
    return rejoined


def test_a_swap_amid_a_busy_projector_loses_nothing(store: Store) -> None:
    history = random_history(random.Random(3).randrange, orders=80, partitions=2, most=1500)
    begun, stop = Event(), Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(follow, store, history, begun, stop)
        try:
            assert begun.wait(30)
            swaps = [rebuild(store, Written(history), ignore) for _ in range(3)]
        finally:
            stop.set()
        rejoined = running.result(60)
    assert [swap.set_id for swap in swaps] == [2, 3, 4]
    assert rejoined >= 1
    assert Snapshots(store).load({}, history.orders, []) == history.orders
    live_hashes = table_hashes(store, 4)
    rebuild(store, Written(history), ignore)
    assert table_hashes(store, 5) == live_hashes


def test_a_log_that_lost_records_does_not_replace_the_views(store: Store, history: History) -> None:
    project(store, history)
    before = store.applied()
    shorter = History(log={**history.log, 1: history.log[1][:-1]})
    with pytest.raises(LogTooShortError):
        rebuild(store, Written(shorter), ignore)
    assert (store.set_id(), store.applied()) == (1, before)


def test_what_a_crashed_rebuild_left_is_removed_by_the_next(store: Store, history: History) -> None:
    project(store, history)

    def crash(_: Progress) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        rebuild(store, Written(history), crash)
    assert store.set_id() == 1
    rebuild(store, Written(history), ignore)
    drop_unused_sets(store)
    left = {name for name in inspect(store.reader).get_table_names() if name.startswith("v")}
    expected = {f"v{store.set_id()}_{name}" for name in table_hashes(store, store.set_id())}
    # SQLite's index of words consists of tables, too.
    of_index = {n for n in left if n.startswith(f"v{store.set_id()}_words_")}
    assert left - {"view_sets"} - of_index == expected


def test_views_of_another_shape_must_be_rebuilt_first(store: Store, history: History) -> None:
    project(store, history)
    with store.writer.begin() as connection:
        connection.execute(SETS.update().values(shape="older"))
    with pytest.raises(StoreError, match="waybill rebuild") as refused:
        Projector(store).assign([0])
    assert refused.value.code == "views_outdated"
    with pytest.raises(StoreError):
        Queries(store).order("default", "order-1")
    rebuild(store, Written(history), ignore)
    assert Snapshots(store).load({}, history.orders, []) == history.orders
