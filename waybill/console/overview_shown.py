"""What the overview makes of the figures: bars, boxes of the pipeline, causes in words."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from waybill.console.conditions import Condition, condition

ORDER_OF_STATES = (
    *("submitted", "processing", "post_processing", "waiting", "queued", "paused"),
    *("in_doubt", "failed", "cancelled"),
)
_LEAST_S = 15
"""A minute that has just begun tells no rate yet."""

_STEP, _BAR, _HEIGHT = 10, 8, 60

_KINDS = {
    "failed": ("Orders failed", "mend the cause, then retry them"),
    "in_doubt": ("Nobody knows whether it was done", "look at the partner, then resolve or retry"),
    "post_failed": ("A follow-up failed after the order was done", "retry it, or skip it"),
    "compensation_failed": ("Undoing failed", "undo it by hand, then resolve"),
    "follow_up": ("Left undone", "do it by hand, then resolve"),
    "paused": ("Paused by somebody", "they go on with resume"),
    "deferred": ("Waiting for a stage", "they go on by themselves when it takes calls"),
    "webhook_endpoint": ("Webhook endpoint disabled", "mend it, then enable it"),
}
"""By cause: its title, and what helps."""


class Box(NamedTuple):
    """One plugin in the picture of the pipeline."""

    id: str
    name: str
    phase: str
    critical: bool
    per_minute: float
    attempts: int
    failed: int
    p50: float | None
    p95: float | None
    waiting: int
    in_flight: int
    slots: int
    condition: Condition


def states_shown(standing: Mapping[str, int], by_type: Iterable[Mapping[str, Any]]) -> list[Any]:
    """Status and count of all orders that are not complete, and of those completed in a day."""
    done = sum(one["counts"]["completed"] for one in by_type)
    known = [(name, standing.get(name, 0)) for name in ORDER_OF_STATES]
    return [*known, ("complete", done)]


def pace(counts: Sequence[int], now: datetime) -> float:
    """Orders per minute now: the minute under way with the one before it."""
    seconds = now.second + now.microsecond / 1_000_000
    if seconds >= _LEAST_S:
        return counts[-1] * 60 / seconds
    return (counts[-1] + counts[-2]) * 60 / (60 + seconds)


def spark(counts: Sequence[int], pace: float) -> dict[str, Any]:
    """The minutes as bars in a box of 600 by 60, and all orders.

    The last minute is under way: behind what it has so far stands what it comes to at this pace.
    """
    *whole, last = counts
    coming = max(last, pace)
    top = max(*whole, coming, 1)
    at = len(whole)
    return {
        "bars": "".join(_bar(n, count, top) for n, count in enumerate(counts)),
        "coming": _bar(at, coming, top),
        "top": max(whole),
        "sum": sum(counts),
    }


def _bar(at: int, count: float, top: float) -> str:
    """As a part of a path; nothing at all for none, and no less than can be seen for some."""
    if not count:
        return ""
    height = max(2.0, (_HEIGHT - 4) * count / top)
    return f"M{at * _STEP} {_HEIGHT}v-{height:.1f}h{_BAR}v{height:.1f}z"


class Figures(NamedTuple):
    """By plugin: what statistics have of this hour and the last, its stages, and its usual pace.

    `usual_ms`: half of its steps take no longer in a day.
    """

    counted: Mapping[str, Mapping[str, Any]]
    plugins: Mapping[str, Mapping[str, Any]]
    usual_ms: Mapping[str, float | None]


def boxes(document: Mapping[str, Any], figures: Figures) -> dict[str, list[Box]]:
    """The plugins by phase in the order of the default sequence, then those met elsewhere."""
    found: dict[str, list[Box]] = {"sequence": [], "post": [], "other": []}
    seen = set()
    for phase in ("sequence", "post"):
        for entry in document.get(phase, ()):
            seen.add(entry["name"])
            found[phase].append(_box(phase, entry, figures))
    for name in sorted({*figures.counted, *figures.plugins} - seen):
        found["other"].append(_box("other", {"name": name}, figures))
    return found


def _box(phase: str, entry: Mapping[str, Any], figures: Figures) -> Box:
    name = entry["name"]
    counted, plugin = figures.counted.get(name), figures.plugins.get(name)
    counts = counted["counts"] if counted else {"attempts": 0, "failed": 0}
    durations = counted["duration_ms"] if counted else {"p50": None, "p95": None}
    stages = plugin["stages"] if plugin else []
    live = [stage["live"] for stage in stages if stage["live"] is not None]
    return Box(
        id=entry.get("id") or name,
        name=name,
        phase=phase,
        critical=entry.get("critical", True),
        per_minute=(counted["per_hour"] / 60) if counted else 0.0,
        attempts=counts["attempts"],
        failed=counts["failed"],
        p50=durations["p50"],
        p95=durations["p95"],
        waiting=sum(stage["waiting"] for stage in stages) + sum(one["waiting"] for one in live),
        in_flight=sum(one["in_flight"] for one in live),
        slots=sum(one["slots"] for one in live),
        condition=condition(
            stages, counted["counts"] if counted else None, figures.usual_ms.get(name)
        ),
    )


def grouped(causes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Causes under what they have in common, those that need a person first."""
    kinds: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for cause in causes:
        kinds[cause["kind"]].append(cause)
    found = [
        {
            "kind": kind,
            "title": _KINDS[kind][0],
            "then": _KINDS[kind][1],
            "needs_person": any(one["needs_person"] for one in members),
            "orders": sum(one["orders"] for one in members),
            "causes": members,
        }
        for kind, members in kinds.items()
    ]
    return sorted(found, key=lambda one: (not one["needs_person"], -one["orders"]))
