"""A verification finds whatever is not as the log makes it, and nothing else; a rebuild proves."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import delete, update

from projections.comparing import Difference
from projections.filling import LogTooShortError
from projections.proving import UnprovenSetError, prove
from projections.rebuild import OvertakenError, Progress, rebuild
from projections.store import Store
from projections.testing import History
from projections.verifying import Verified, verify
from projections.viewset import view_set
from projections.writing import Record
from streams.agents.projecting import ProjectingReader
from streams.agents.projector import Projector
from tests.broker.test_store_rebuild import Written, ignore, project
from tests.full_histories import full_history

HISTORY = full_history()
COUNTS = dict.fromkeys(HISTORY.log, 0)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    opened = Store.open(database_url)
    yield opened
    opened.close()


def verified(store: Store, tmp_path: Path, log: Written | None = None) -> Verified:
    scratch = Store.scratch(f"sqlite:///{tmp_path / 'scratch.sqlite'}")
    try:
        return verify(store, log or Written(HISTORY), scratch, lambda *_: None)
    finally:
        scratch.close()


def test_views_that_are_as_far_as_the_log_are_equal(store: Store, tmp_path: Path) -> None:
    project(store, HISTORY)
    found = verified(store, tmp_path)
    assert found.equal
    assert found.records == sum(map(len, HISTORY.log.values()))
    rows = {table.table: table.rows for table in found.tables}
    assert rows["orders"] == len(HISTORY.orders)
    assert min(rows["timeline"], rows["attention"], rows["statistics"], rows["words"]) > 0


def test_views_are_compared_as_far_as_they_are_while_they_go_on(
    store: Store, tmp_path: Path
) -> None:
    live = Projector(store)
    live.assign(HISTORY.log)
    third = {partition: len(records) // 3 for partition, records in HISTORY.log.items()}
    live.apply_all({partition: HISTORY.log[partition][:end] for partition, end in third.items()})

    class Moving(Written):
        """Whoever reads the log meets a projector that has gone on meanwhile."""

        def read(self, partition: int, offset: int) -> Iterator[Sequence[Record]]:
            live.apply(partition, HISTORY.log[partition][: 2 * third[partition]])
            yield from super().read(partition, offset)

    found = verified(store, tmp_path, Moving(HISTORY))
    assert found.equal
    assert found.applied == {partition: 2 * end - 1 for partition, end in third.items()}


def test_each_row_that_is_not_as_it_should_be_is_named(store: Store, tmp_path: Path) -> None:
    project(store, HISTORY)
    tables = view_set(1)
    with store.writer.begin() as connection:
        places = connection.execute(tables.orders.select().order_by(tables.orders.c.place)).all()
        missing, changed, moved = (row.place for row in places[:3])
        connection.execute(delete(tables.orders).where(tables.orders.c.place == missing))
        orders = update(tables.orders)
        connection.execute(orders.where(tables.orders.c.place == changed).values(mode="tset"))
        connection.execute(orders.where(tables.orders.c.place == moved).values(place=7 << 50))
    found = verified(store, tmp_path)
    assert not found.equal
    assert [table.table for table in found.tables if table.different] == ["orders"]
    [orders_table] = [table for table in found.tables if table.different]
    assert orders_table.different == 4
    assert orders_table.first == [
        Difference({"place": missing}, "missing"),
        Difference({"place": changed}, "different", ("mode",)),
        Difference({"place": moved}, "missing"),
        Difference({"place": 7 << 50}, "unexpected"),
    ]


def test_a_log_that_is_too_short_verifies_nothing(store: Store, tmp_path: Path) -> None:
    project(store, HISTORY)
    shorter = History(log={**HISTORY.log, 1: HISTORY.log[1][:-1]})
    with pytest.raises(LogTooShortError):
        verified(store, tmp_path, Written(shorter))


@pytest.mark.parametrize("fault", ["event", "order", "state"])
def test_a_set_that_is_not_whole_is_not_put_in_use(store: Store, fault: str) -> None:
    project(store, HISTORY)

    def spoil(progress: Progress) -> None:
        if progress.stage != "verifying":
            return
        tables = view_set(progress.set_id)
        orders, timeline = tables.orders, tables.timeline
        with store.writer.begin() as connection:
            row = connection.execute(orders.select().limit(1)).one()
            if fault == "event":
                connection.execute(delete(timeline).where(timeline.c.place == row.last_place))
            elif fault == "order":
                connection.execute(update(orders).values(sequence=orders.c.sequence + 1))
            else:
                state = row.state.replace(b'"run":', b'"run":9')
                connection.execute(
                    update(orders).where(orders.c.place == row.place).values(state=state)
                )

    with pytest.raises(UnprovenSetError, match="kept as they are"):
        rebuild(store, Written(HISTORY), spoil)
    assert store.set_id() == 1
    project(store, HISTORY)  # the old views go on


def test_the_views_in_use_are_proven_by_their_own_events(store: Store) -> None:
    project(store, HISTORY)
    rebuilt = rebuild(store, Written(HISTORY), ignore)
    assert rebuilt.proven == len(HISTORY.orders)
    with pytest.raises(UnprovenSetError):
        prove(store, view_set(rebuilt.set_id), COUNTS)


def test_of_two_rebuilds_the_later_one_goes_on(store: Store) -> None:
    project(store, HISTORY)
    begun: list[int] = []

    def overtake(progress: Progress) -> None:
        if not begun:
            begun.append(progress.set_id)
            begun.append(rebuild(store, Written(HISTORY), ignore).set_id)

    with pytest.raises(OvertakenError, match=r"Another rebuild has begun"):
        rebuild(store, Written(HISTORY), overtake)
    assert store.set_id() == begun[-1]


async def test_a_projecting_process_goes_on_with_rebuilt_views(store: Store) -> None:
    problems: list[BaseException] = []
    reader = ProjectingReader(Projector(store), problems.append)
    reader.start()
    half = {partition: len(records) // 2 for partition, records in HISTORY.log.items()}
    await reader.assigned(dict.fromkeys(HISTORY.log, 0), half)
    for partition, records in HISTORY.log.items():
        reader.take(partition, records[: half[partition]])
    await until(lambda: reader.ready)
    await asyncio.to_thread(rebuild, store, Written(HISTORY), ignore)
    for partition, records in HISTORY.log.items():
        reader.take(partition, records[half[partition] :])
        reader.take(partition, [Record(len(records), records[0].value)])
    ends = {partition: len(records) + 1 for partition, records in HISTORY.log.items()}
    await until(lambda: problems or all(reader.committable(p) == end for p, end in ends.items()))
    assert problems == []
    assert store.set_id() == 2
    assert store.applied() == {partition: end - 1 for partition, end in ends.items()}


async def until(holds) -> None:
    async with asyncio.timeout(30):
        while True:
            if holds():
                return
            await asyncio.sleep(0.01)
