"""Statistics per stage: integer counts that add up in any order."""

from collections import defaultdict
from typing import Any

from sqlalchemy import Column, Connection, Dialect, Integer, MetaData, Table

from projections.change import Change
from projections.tables import Bulk, Place, Text, counting, indexable, parted
from schemas.events import StepFailed, StepInDoubt, StepResult, StepSkipped, StepSucceeded

COUNTS = ("attempts", "succeeded", "failed", "in_doubt", "skipped", "callouts", "duration_ms")

_COLUMN_OF = {StepSucceeded: 1, StepFailed: 2, StepInDoubt: 3, StepSkipped: 4}


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
        if not isinstance(fact, StepResult) or before is None or before.step is None:
            return
        partition, _ = parted(change.place)
        counts = self._counts[partition, before.tenant, before.step.plugin]
        counts[_COLUMN_OF[type(fact)]] += 1
        if isinstance(fact, StepSkipped):
            return
        counts[0] += 1
        counts[5] += len(fact.callouts)
        counts[6] += sum(round(callout.duration_ms) for callout in fact.callouts)

    def write(self, connection: Connection) -> None:
        """Add the counts of this transaction."""
        rows: list[tuple[Any, ...]] = [
            (partition, tenant, indexable(plugin), *counts)
            for (partition, tenant, plugin), counts in sorted(self._counts.items())
        ]
        self._bulk.write(connection, rows)
