"""Statistics per stage: integer counts that add up in any order."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Integer, MetaData, Table

from projections.change import Change
from projections.tables import Bulk, Place, Text, counting, indexable, parted
from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepResult,
    StepSkipped,
    StepSucceeded,
)

COUNTS = (
    "attempts",
    "succeeded",
    "failed",
    "in_doubt",
    "skipped",
    "deferred",
    "compensated",
    "compensation_failed",
    "repeated",
    "callouts",
    "duration_ms",
)
"""`attempts` are those that were sent; `repeated` failures are followed by another attempt."""

_COLUMN_OF = {
    StepSucceeded: 1,
    StepFailed: 2,
    StepInDoubt: 3,
    StepSkipped: 4,
    StepDeferred: 5,
    CompensationSucceeded: 6,
    CompensationFailed: 7,
}
_REPEATED, _CALLOUTS, _DURATION = 8, 9, 10


def statistics_table(metadata: MetaData, prefix: str) -> Table:
    """One row per partition and stage: projectors of different partitions never meet in one."""
    return Table(
        f"{prefix}statistics",
        metadata,
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("tenant", Text, primary_key=True),
        Column("plugin", Text, primary_key=True),
        *(Column(name, Place, nullable=False) for name in COUNTS),
    )


def statistics_bulk(table: Table, dialect: Dialect) -> Bulk:
    """What `StatisticsView` adds with."""
    return Bulk(counting(table, dialect, COUNTS), table, dialect)


class StatisticsView:
    """Counts results. `duration_ms` sums up the exchanges, each rounded to a millisecond."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._counts: dict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0] * len(COUNTS))

    def apply(self, change: Change) -> None:
        """Count a result; other events say nothing about a stage."""
        fact, before = change.event.fact, change.before
        if not isinstance(fact, StepResult) or before is None or before.open_step is None:
            return
        partition, _ = parted(change.place)
        counts = self._counts[partition, before.tenant, before.open_step.plugin]
        counts[_COLUMN_OF[type(fact)]] += 1
        if isinstance(fact, StepSkipped | StepDeferred):
            return
        counts[0] += 1
        if isinstance(fact, StepFailed | CompensationFailed) and fact.next_attempt_at is not None:
            counts[_REPEATED] += 1
        counts[_CALLOUTS] += len(fact.callouts)
        counts[_DURATION] += sum(round(callout.duration_ms) for callout in fact.callouts)

    def write(self, connection: Connection) -> None:
        """Add the counts of this transaction."""
        rows: list[tuple[Any, ...]] = [
            (partition, tenant, indexable(plugin), *counts)
            for (partition, tenant, plugin), counts in sorted(self._counts.items())
        ]
        self._bulk.write(connection, rows)
