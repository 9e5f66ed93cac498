"""Statistics per stage and per order type: integer counts that add up in any order.

Rows are keyed by partition, so that projectors of different partitions never meet in one.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Column, Connection, Dialect, Integer, MetaData, Table

from projections.change import Change
from projections.histogram import BUCKETS, bucket_of
from projections.moments import EPOCH
from projections.tables import Bulk, Place, Text, counting, indexable, parted
from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    OrderAccepted,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderReopened,
    Result,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepResult,
    StepSkipped,
    StepSucceeded,
)
from schemas.steps import Failure

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

TYPE_COUNTS = ("accepted", "completed", "failed", "cancelled", "reopened", "duration_ms")
"""What became of orders; `failed` counts runs, `duration_ms` those that were completed."""

DURATIONS = tuple(f"d{bucket}" for bucket in range(BUCKETS))
"""How many took how long, see `projections.histogram`."""

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
# Tuples: a union written where it is asked for is made anew each time.
_UNSENT = (StepSkipped, StepDeferred)
_REPEATABLE = (StepFailed, CompensationFailed)
_FAILURES = (StepFailed, CompensationFailed, StepInDoubt)
_TYPE_COLUMN_OF = {
    OrderAccepted: 0,
    OrderCompleted: 1,
    OrderFailed: 2,
    OrderCancelled: 3,
    OrderReopened: 4,
}
_COMPLETED, _TYPE_DURATION = 1, 5
_MILLISECOND, _HOUR = timedelta(milliseconds=1), timedelta(hours=1)
STAGE, ORDER_TYPE = "stage", "order_type"


class StatisticsTables(NamedTuple):
    """`totals` per stage since the beginning of the log; the others by hour since 1970."""

    totals: Table
    stages: Table
    types: Table
    errors: Table


def statistics_tables(metadata: MetaData, prefix: str) -> StatisticsTables:
    """Keys begin with what queries name."""
    tenant = ("tenant", Text)
    hour = ("hour", Integer)
    partition = ("partition", Integer)

    def table(name: str, keys: Iterable[tuple[str, Any]], counts: Iterable[str]) -> Table:
        return Table(
            f"{prefix}{name}",
            metadata,
            *(Column(key, kind, primary_key=True, autoincrement=False) for key, kind in keys),
            *(Column(count, _kind(count), nullable=False) for count in counts),
        )

    named = [tenant, hour, ("name", Text), ("mode", Text), partition]
    causes = [("plugin", Text), ("kind", Text), ("code", Text)]
    of_errors = [tenant, ("subject", Text), hour, *named[2:4], *causes, partition]
    return StatisticsTables(
        table("statistics", [partition, tenant, ("plugin", Text)], COUNTS),
        table("stage_hours", named, (*COUNTS, *DURATIONS)),
        table("type_hours", named, (*TYPE_COUNTS, *DURATIONS)),
        table("error_hours", of_errors, ("errors",)),
    )


def _kind(count: str) -> Any:
    return Integer if count in DURATIONS else Place


class StatisticsBulks(NamedTuple):
    """What `StatisticsView` adds with."""

    totals: Bulk
    stages: Bulk
    types: Bulk
    errors: Bulk


def statistics_bulks(tables: StatisticsTables, dialect: Dialect) -> StatisticsBulks:
    """Statements that add to what is there."""

    def bulk(table: Table) -> Bulk:
        counts = [column.name for column in table.columns if not column.primary_key]
        return Bulk(counting(table, dialect, counts), table, dialect)

    return StatisticsBulks(*(bulk(table) for table in tables))


_Hour = tuple[str, int, str, str, int]
"""Tenant, hour, name, mode, partition."""


def _zeros(counts: int) -> Callable[[], list[int]]:
    zeros = [0] * (counts + BUCKETS)
    return zeros.copy


class StatisticsView:
    """Counts results and ends. A step's duration sums up its exchanges, in whole milliseconds."""

    def __init__(self, bulks: StatisticsBulks) -> None:
        self._bulks = bulks
        self._stages: dict[_Hour, list[int]] = defaultdict(_zeros(len(COUNTS)))
        self._types: dict[_Hour, list[int]] = defaultdict(_zeros(len(TYPE_COUNTS)))
        self._errors: dict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0])

    def apply(self, change: Change) -> None:
        """Count a result or an end; other events say nothing that is counted."""
        fact = change.event.fact
        if isinstance(fact, StepResult):
            self._count_result(change, fact)
        elif (column := _TYPE_COLUMN_OF.get(type(fact))) is not None:
            key = _key(change, change.after.accepted.order_type)
            counts = self._types[key]
            counts[column] += 1
            if column == _COMPLETED:
                took = (change.after.updated - change.after.created) // _MILLISECOND
                counts[_TYPE_DURATION] += took
                counts[len(TYPE_COUNTS) + bucket_of(took)] += 1
            elif isinstance(fact, OrderFailed):
                self._count_error(ORDER_TYPE, key, fact.plugin, fact.failure)

    def _count_result(self, change: Change, fact: Result) -> None:
        before = change.before
        if before is None or before.open_step is None:
            return
        plugin = before.open_step.plugin
        key = _key(change, plugin)
        counts = self._stages[key]
        counts[_COLUMN_OF[type(fact)]] += 1
        if isinstance(fact, _UNSENT):
            return
        counts[0] += 1
        took = 0
        for callout in fact.callouts:
            took += round(callout.duration_ms)
        counts[_CALLOUTS] += len(fact.callouts)
        counts[_DURATION] += took
        counts[len(COUNTS) + bucket_of(took)] += 1
        if isinstance(fact, _REPEATABLE):
            counts[_REPEATED] += fact.next_attempt_at is not None
        if isinstance(fact, _FAILURES):
            self._count_error(STAGE, key, plugin, fact.failure)

    def _count_error(self, subject: str, key: _Hour, plugin: str, failure: Failure) -> None:
        tenant, hour, name, mode, partition = key
        cause = (indexable(plugin), failure.kind.value, indexable(failure.code))
        self._errors[tenant, subject, hour, name, mode, *cause, partition][0] += 1

    def write(self, connection: Connection) -> None:
        """Add the counts of this transaction."""
        totals: dict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0] * len(COUNTS))
        for (tenant, _, name, _, partition), counts in self._stages.items():
            total = totals[partition, tenant, name]
            for column in range(len(COUNTS)):
                total[column] += counts[column]
        self._bulks.totals.write(connection, _rows(totals))
        self._bulks.stages.write(connection, _rows(self._stages))
        self._bulks.types.write(connection, _rows(self._types))
        self._bulks.errors.write(connection, _rows(self._errors))


def _key(change: Change, name: str) -> _Hour:
    order = change.after
    hour = (change.event.envelope.occurred_at - EPOCH) // _HOUR
    mode = indexable(order.accepted.mode)
    return order.tenant, hour, indexable(name), mode, parted(change.place)[0]


def _rows(counted: dict[Any, list[int]]) -> list[tuple[Any, ...]]:
    """In the order of their keys: transactions that meet lock the same rows in the same order."""
    return [(*key, *counts) for key, counts in sorted(counted.items())]
