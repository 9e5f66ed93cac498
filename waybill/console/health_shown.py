"""Whether all is well: who keeps up with Kafka, what does not answer, what needs a person."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from waybill.console.overview_shown import Box
from waybill.console.states import state_of

_LATE_S, _STUCK_S = 10.0, 60.0

_READERS = {
    "intake": ("worker", "takes orders from Kafka"),
    "commands": ("worker", "takes commands"),
    "worker": ("worker", "carries orders through their steps"),
    "views": ("projector", "keeps what you see here"),
    "outlet": ("outlet", "publishes what became of orders"),
    "webhooks": ("webhooks", "queues deliveries to subscribers"),
}
_CHECKED = {
    "store": ("Store", "holds the views"),
    "kafka": ("Kafka", "holds the log"),
    "views": ("API", "answers, with views that"),
}
_BY_TROUBLE = ("down", "stuck", "behind", "ok")


class Process(NamedTuple):
    """What one process has to do, and whether it keeps up; `waiting_s` is what waits longest."""

    key: str
    name: str
    does: str
    state: str
    behind: int | None = None
    waiting_s: float | None = None


class Trouble(NamedTuple):
    """One thing that is not well: a state, the words for it, and where there is more."""

    state: str
    says: str
    path: str


def needs(groups: Iterable[Mapping[str, Any]] | None, standing: Mapping[str, int]) -> list[Trouble]:
    """What waits for a person: by cause, or, for who may not see causes (None), by state."""
    if groups is None:
        stopped = standing.get("failed", 0) + standing.get("in_doubt", 0)
        return _needed(stopped, "order", "/orders?status=failed")
    orders = endpoints = 0
    for group in groups:
        if group["kind"] == "webhook_endpoint":
            endpoints += len(group["causes"])
        elif group["needs_person"]:
            orders += group["orders"]
    return [
        *_needed(orders, "order", "#attention-title"),
        *_needed(endpoints, "webhook endpoint", "#attention-title"),
    ]


def _needed(count: int, what: str, path: str) -> list[Trouble]:
    if not count:
        return []
    words = f"{what} needs" if count == 1 else f"{what}s need"
    return [Trouble("failed", f"{count:,} {words} a person", path)]


def unwell(pipeline: Mapping[str, Sequence[Box]], processes: Iterable[Process]) -> list[Trouble]:
    """Plugins and processes in trouble, each once, in the order of the page."""
    boxes = {
        box.name: box for phase in pipeline.values() for box in phase if box.condition.is_trouble
    }
    found = [_unwell(one.condition.name, name, "#pipeline-title") for name, one in boxes.items()]
    late: dict[str, Process] = {}
    for one in processes:
        if one.state != "ok":
            late.setdefault(one.name, one)
    return found + [_unwell(one.state, name, "#health-title") for name, one in late.items()]


def _unwell(state: str, name: str, path: str) -> Trouble:
    return Trouble(state, f"{name}: {state_of(state).word}", path)


def processes(
    readers: Iterable[Mapping[str, Any]], checks: Iterable[Mapping[str, Any]], workers: int
) -> list[Process]:
    """Who reads a topic, and what the API stands on; who is in trouble comes first."""
    found = [_reader(reader, workers) for reader in readers]
    found += [_checked(check) for check in checks]
    return sorted(found, key=lambda one: _BY_TROUBLE.index(one.state))


def _reader(reader: Mapping[str, Any], workers: int) -> Process:
    name = reader["name"]
    process, does = _READERS[name]
    return Process(
        name,
        process,
        f"{does}; {workers} at work lately" if name == "worker" else does,
        _keeping_up(reader),
        reader["behind"],
        reader["waiting_s"],
    )


def _checked(check: Mapping[str, Any]) -> Process:
    name, detail = check["name"], check["detail"]
    process, does = _CHECKED[name]
    if name == "views":
        does, worst = f"{does} {detail}", "behind"
    else:
        worst = "down"
    return Process(name, process, does, "ok" if check["ok"] else worst)


def _keeping_up(reader: Mapping[str, Any]) -> str:
    waiting = reader["waiting_s"]
    if waiting is None or waiting < _LATE_S:
        return "ok"
    return "behind" if waiting < _STUCK_S else "stuck"
