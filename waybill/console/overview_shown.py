"""What the overview makes of the figures: a line, boxes of the pipeline, causes in words."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

ORDER_OF_STATES = (
    *("submitted", "processing", "post_processing", "waiting", "queued", "paused"),
    *("in_doubt", "failed", "cancelled"),
)
_LEAST_S = 15
"""A minute that has just begun tells no rate yet."""

_LATE_S, _STUCK_S = 10.0, 60.0
_WIDTH, _HEIGHT = 600, 60

_READERS = {
    "intake": ("worker", "takes orders from Kafka"),
    "commands": ("worker", "takes commands"),
    "worker": ("worker", "carries orders through their steps"),
    "views": ("projector", "keeps what you see here"),
    "outlet": ("outlet", "publishes what became of orders"),
    "webhooks": ("webhooks", "queues deliveries to subscribers"),
}
_KINDS = {
    "failed": "Orders failed",
    "in_doubt": "Nobody knows whether it was done",
    "post_failed": "A follow-up failed after the order was done",
    "compensation_failed": "Undoing failed",
    "follow_up": "Left undone",
    "paused": "Paused by somebody",
    "deferred": "Waiting for a stage",
    "webhook_endpoint": "Webhook endpoint disabled",
}


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
    states: tuple[str, ...]

    @property
    def is_troubled(self) -> bool:
        """Whether nothing, or not everything, goes through."""
        return bool({"open", "half_open", "held"} & set(self.states))


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


def spark(counts: Sequence[int]) -> dict[str, Any]:
    """The minutes as points in a box of 600 by 60, without the one under way; and all orders."""
    whole = counts[:-1]
    top = max(*whole, 1)
    step = _WIDTH / (len(whole) - 1)
    points = [
        f"{n * step:.1f},{_HEIGHT - 2 - (_HEIGHT - 6) * count / top:.1f}"
        for n, count in enumerate(whole)
    ]
    return {"points": " ".join(points), "top": max(whole), "sum": sum(counts)}


def boxes(
    document: Mapping[str, Any], counted: Sequence[Mapping[str, Any]], live: Sequence[Any]
) -> dict[str, list[Box]]:
    """The plugins by phase in the order of the default sequence, then those met elsewhere."""
    figures = {one["name"]: one for one in counted}
    plugins = {one["name"]: one for one in live}
    found: dict[str, list[Box]] = {"sequence": [], "post": [], "other": []}
    seen = set()
    for phase in ("sequence", "post"):
        for entry in document.get(phase, ()):
            name = entry["name"]
            seen.add(name)
            found[phase].append(
                _box(phase, {**entry, "name": name}, figures.get(name), plugins.get(name))
            )
    for name in sorted({*figures, *plugins} - seen):
        entry = {"name": name, "critical": True}
        found["other"].append(_box("other", entry, figures.get(name), plugins.get(name)))
    return found


def _box(
    phase: str,
    entry: Mapping[str, Any],
    counted: Mapping[str, Any] | None,
    plugin: Mapping[str, Any] | None,
) -> Box:
    counts = counted["counts"] if counted else {"attempts": 0, "failed": 0}
    durations = counted["duration_ms"] if counted else {"p50": None, "p95": None}
    stages = plugin["stages"] if plugin else []
    live = [stage["live"] for stage in stages if stage["live"] is not None]
    states = dict.fromkeys(one["breaker"] for one in live if one["breaker"] != "closed")
    if any(stage["held"] for stage in stages):
        states["held"] = None
    return Box(
        id=entry.get("id") or entry["name"],
        name=entry["name"],
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
        states=tuple(states),
    )


def grouped(causes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Causes under what they have in common, those that need a person first."""
    kinds: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for cause in causes:
        kinds[cause["kind"]].append(cause)
    found = [
        {
            "kind": kind,
            "title": _KINDS.get(kind, kind.replace("_", " ").capitalize()),
            "needs_person": any(one["needs_person"] for one in members),
            "orders": sum(one["orders"] for one in members),
            "causes": members,
        }
        for kind, members in kinds.items()
    ]
    return sorted(found, key=lambda one: (not one["needs_person"], -one["orders"]))


def processes(readers: Iterable[Mapping[str, Any]], workers: int) -> list[dict[str, Any]]:
    """Each reader of a topic with what it does, and whether it keeps up."""
    return [
        {
            **reader,
            "process": _READERS[reader["name"]][0],
            "does": _READERS[reader["name"]][1],
            "state": _keeping_up(reader),
            "count": workers if reader["name"] == "worker" else None,
        }
        for reader in readers
    ]


def _keeping_up(reader: Mapping[str, Any]) -> str:
    waiting = reader["waiting_s"]
    if waiting is None or waiting < _LATE_S:
        return "ok"
    return "behind" if waiting < _STUCK_S else "stuck"
