"""What is asked of the statistics: counts, rates, percentiles and causes over a span of time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Integer, Table, func, literal_column, select

from projections.histogram import percentile
from projections.moments import EPOCH, iso
from projections.statistics import COUNTS, DURATIONS, ORDER_TYPE, STAGE, TYPE_COUNTS
from projections.store import Store
from projections.viewset import ViewSet

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CAUSES_SHOWN = 20
"""Causes of errors of one item at most, the most frequent ones."""

_SHARES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
_ENDS = ("completed", "failed", "cancelled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What to sum up: whole hours from `since` up to `until`, of one name and mode or of all.

    `interval` None: one item per name; else one per name and hour or day (UTC).
    """

    by: Literal["stage", "order_type"]
    since: datetime
    until: datetime
    interval: timedelta | None = None
    name: str | None = None
    mode: str | None = None


def whole_hours(since: datetime, until: datetime) -> tuple[datetime, datetime]:
    """The least span of whole hours that holds both."""
    return EPOCH + (since - EPOCH) // HOUR * HOUR, EPOCH - (EPOCH - until) // HOUR * HOUR


class StatisticsQueries:
    """May be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def statistics(self, tenant: str, span: Span) -> list[dict[str, Any]]:
        """One item per name, or per interval and name; what never happened is not there."""
        with self._store.reading() as (connection, tables):
            sums = _sums(connection, tables, tenant, span)
            causes = _causes(connection, tables, tenant, span)
        counts = COUNTS if span.by == STAGE else TYPE_COUNTS
        return [
            _item(span, number, dict(zip((*counts, *DURATIONS), values, strict=True)))
            | {"name": name, "errors": causes[number, name]}
            for number, name, *values in sums
        ]


def _sums(
    connection: Connection, tables: ViewSet, tenant: str, span: Span
) -> Sequence[Sequence[Any]]:
    table = tables.statistics.stages if span.by == STAGE else tables.statistics.types
    interval = _interval(table, span)
    counts = [c for c in table.columns if not c.primary_key]
    rows = connection.execute(
        select(interval, table.c.name, *(func.sum(count) for count in counts))
        .where(*_conditions(table, tenant, span))
        .group_by(*_groups(interval, span), table.c.name)
        .order_by(*_groups(interval, span), table.c.name)
    ).all()
    return [[number, name, *map(int, sums)] for number, name, *sums in rows]


def _causes(
    connection: Connection, tables: ViewSet, tenant: str, span: Span
) -> defaultdict[tuple[int, str], list[dict[str, Any]]]:
    """The causes of each item, most frequent first."""
    table = tables.statistics.errors
    interval, count = _interval(table, span), func.sum(table.c.errors)
    kind = (table.c.name, table.c.plugin, table.c.kind, table.c.code)
    rows = connection.execute(
        select(interval, *kind, count)
        .where(table.c.subject == span.by, *_conditions(table, tenant, span))
        .group_by(*_groups(interval, span), *kind)
        .order_by(count.desc(), *kind)
    )
    causes: defaultdict[tuple[int, str], list[dict[str, Any]]] = defaultdict(list)
    for number, name, plugin, kind_, code, errors in rows:
        shown = causes[number, name]
        if len(shown) < CAUSES_SHOWN:
            shown.append({"plugin": plugin, "kind": kind_, "code": code, "count": int(errors)})
    return causes


def _interval(table: Table, span: Span) -> ColumnElement[int]:
    """Written out: to PostgreSQL, two bound values are two expressions, even if they are equal."""
    if span.interval is None:
        return literal_column("0", Integer)
    return table.c.hour // literal_column(str(span.interval // HOUR), Integer)


def _groups(interval: ColumnElement[int], span: Span) -> list[ColumnElement[int]]:
    """PostgreSQL takes a constant in GROUP BY for the place of a column."""
    return [] if span.interval is None else [interval]


def _conditions(table: Table, tenant: str, span: Span) -> list[ColumnElement[bool]]:
    first, behind = ((moment - EPOCH) // HOUR for moment in (span.since, span.until))
    found = [table.c.tenant == tenant, table.c.hour >= first, table.c.hour < behind]
    if span.name is not None:
        found.append(table.c.name == span.name)
    if span.mode is not None:
        found.append(table.c.mode == span.mode)
    return found


def _item(span: Span, number: int, counts: Mapping[str, int]) -> dict[str, Any]:
    since, until = _bounds(span, number)
    durations = [counts[name] for name in DURATIONS]
    tried = counts["attempts" if span.by == STAGE else "accepted"]
    return {
        "from": iso(since),
        "to": iso(until),
        "counts": {name: n for name, n in counts.items() if name not in _NO_COUNTS},
        "per_hour": round(tried / ((until - since) / HOUR), 3),
        "success": _success(span, counts),
        "duration_ms": _durations(durations, counts["duration_ms"]),
    }


_NO_COUNTS = frozenset({*DURATIONS, "duration_ms"})


def _bounds(span: Span, number: int) -> tuple[datetime, datetime]:
    """The item's part of the span: the first and the last day may be there in part."""
    if span.interval is None:
        return span.since, span.until
    begins = EPOCH + number * span.interval
    return max(begins, span.since), min(begins + span.interval, span.until)


def _success(span: Span, counts: Mapping[str, int]) -> float | None:
    """The share of attempts that succeeded, or of runs that were completed."""
    if span.by == ORDER_TYPE:
        good, ended = counts["completed"], sum(counts[name] for name in _ENDS)
    else:
        good, ended = counts["succeeded"] + counts["compensated"], counts["attempts"]
    return round(good / ended, 6) if ended else None


def _durations(durations: Sequence[int], total_ms: int) -> dict[str, Any]:
    count = sum(durations)
    return {
        "count": count,
        "mean": round(total_ms / count, 1) if count else None,
        **{name: percentile(durations, share) for name, share in _SHARES.items()},
    }
