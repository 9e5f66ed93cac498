"""Verifies the views in use: makes them from the log once more, elsewhere, and compares."""

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.schema import DropIndex

from projections.comparing import Compared, compare
from projections.filling import Filling, Log, hold_against
from projections.search import leave_index
from projections.store import Store, applied_offsets
from projections.viewset import ViewSet, view_set

_NEAR = 2_000
"""Events that may be lacking when the views are looked at: the look shall not last long."""
_ROUNDS = 10


@dataclass(frozen=True, slots=True)
class Verified:
    """What was compared: the views as they were at these `applied` offsets."""

    set_id: int
    applied: dict[int, int]
    records: int
    tables: tuple[Compared, ...]

    @property
    def equal(self) -> bool:
        """Whether the views are what the log makes."""
        return not any(table.different for table in self.tables)


def verify(
    store: Store, log: Log, scratch: Store, report: Callable[[str, int, int], None]
) -> Verified:
    """Fill `scratch` (`Store.scratch`) from the log as far as the views are, and compare.

    Orders go on: the views are read in one consistent look, and nothing is written to them.
    `report(stage, records, total)`. `StoreError` (`views_outdated`), `LogTooShortError`.
    """
    made = view_set(scratch.set_id())
    _strip(scratch, made)
    hold_against(store, log)
    filling, total = Filling(scratch, made, lambda _: say("filling")), 0

    def say(stage: str) -> None:
        report(stage, filling.records, max(total, filling.records))

    for _ in range(_ROUNDS):
        applied = store.applied()
        total = sum(offset + 1 for offset in applied.values())
        lacking = total - filling.records
        _fill(filling, log, applied)
        if lacking <= _NEAR:
            break
    with store.reading() as (connection, tables):
        applied = applied_offsets(connection, tables.id)
        _fill(filling, log, applied)
        say("comparing")
        with scratch.reader.begin() as other:
            compared = tuple(compare((connection, tables), (other, made)))
    return Verified(tables.id, applied, filling.records, compared)


def _fill(filling: Filling, log: Log, applied: dict[int, int]) -> None:
    for partition, offset in applied.items():
        filling.fill(log, partition, offset + 1)


def _strip(scratch: Store, tables: ViewSet) -> None:
    """Nobody will look for anything in there but for the orders that events belong to."""
    with scratch.writer.begin() as connection:
        leave_index(connection, tables.words)
        for table in tables.metadata.sorted_tables:
            for index in table.indexes:
                if index.columns.keys() != ["id"]:
                    connection.execute(DropIndex(index))
