"""The auditor's look at the partners' journals: effects, repetitions, and who ran beside whom."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from benchmarks.auditor import Audit, Run

KEYLESS = "/callout/keyless/"
ONE_EFFECT = ("/zuora/v1/orders", "/callout/")
"""Paths of calls that may have one effect per order. Salesforce's events may be published again:
subscribers tell repeats by an id of its own."""
GOOD, ERROR, SERVER_ERROR = 200, 400, 500
UNTOLD = frozenset({408, 409})


@dataclass
class Calls:
    """What the partners saw."""

    calls: int = 0
    repeated: int = 0
    duplicate_effects: list[str] = field(default_factory=list)
    unknown_keyless: int = 0
    unaccounted: list[str] = field(default_factory=list)
    blind_repeats: list[str] = field(default_factory=list)
    overlaps: list[str] = field(default_factory=list)
    without_order: int = 0


def audited_calls(audit: Audit, entries: Iterable[dict[str, Any]]) -> Calls:
    """Compares the journals with the log."""
    found = Calls()
    by_key: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    by_call: Counter[tuple[str, str]] = Counter()
    keyless: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    moments: dict[str, list[datetime]] = defaultdict(list)
    for entry in entries:
        found.calls += 1
        path = str(entry["path"]).partition("?")[0]
        if entry["key"] is not None:
            by_key[entry["partner"], entry["key"]]["calls"] += 1
        if entry["order"] not in audit.orders:
            found.without_order += entry["key"] is not None
            continue
        moments[entry["order"]].append(datetime.fromisoformat(entry["at"]))
        if path.startswith(KEYLESS):
            keyless[entry["order"], path.removeprefix(KEYLESS)].append(entry)
        elif entry["effect"] is not None and path.startswith(ONE_EFFECT):
            by_call[entry["order"], path] += 1
    found.repeated = sum(count["calls"] - 1 for count in by_key.values())
    found.duplicate_effects = [f"{call}: {n}" for call, n in by_call.items() if n > 1]
    for (order, step), made in keyless.items():
        _keyless(found, audit, (order, step), made)
    found.overlaps = list(_overlaps(audit, moments))
    return found


def _keyless(
    found: Calls, audit: Audit, place: tuple[str, str], made: list[dict[str, Any]]
) -> None:
    """No repetition without a definite refusal or a person; every unknown outcome told of."""
    made.sort(key=lambda entry: str(entry["at"]))
    unknown = sum(_is_unknown(entry) for entry in made)
    found.unknown_keyless += unknown
    if unknown > audit.doubts[place] + audit.indefinite[place]:
        found.unaccounted.append(f"{place}: {[entry['status'] for entry in made]}")
    repeats = sum(not _is_refused(entry) for entry in made[:-1])
    if repeats > audit.people_retried[place]:
        found.blind_repeats.append(f"{place}: {[entry['status'] for entry in made]}")


def _is_unknown(entry: dict[str, Any]) -> bool:
    status = entry["status"]
    return status is None or status >= SERVER_ERROR or status in UNTOLD


def _is_refused(entry: dict[str, Any]) -> bool:
    status = entry["status"]
    return status is not None and ERROR <= status < SERVER_ERROR and status not in UNTOLD


def _overlaps(audit: Audit, moments: dict[str, list[datetime]]) -> Iterable[str]:
    """Calls of an order made while one before it in its lane had not ended."""
    lanes: dict[str, list[Run]] = defaultdict(list)
    for order_id, runs in audit.runs.items():
        lanes[audit.orders[order_id].lane] += runs
    for lane, runs in lanes.items():
        if len({run.order for run in runs}) > 1 and lane not in audit.passed:
            yield from _overlaps_in(runs, moments)


def _overlaps_in(runs: list[Run], moments: dict[str, list[datetime]]) -> Iterable[str]:
    for run in runs:
        during = [at for at in moments[run.order] if _is_during(run, at)]
        for other in runs:
            if other.order == run.order or other.place > run.place:
                continue
            late = [at for at in during if other.ended is None or at < other.ended]
            if late:
                yield f"{run.order} called at {late[0]} before {other.order} ended"


def _is_during(run: Run, at: datetime) -> bool:
    return run.began <= at and (run.ended is None or at <= run.ended)
