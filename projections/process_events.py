"""Process events: the execution record of an order, folded from its timeline when it is read.

They have no tables of their own. Everything they show stands in the timeline's records already;
copies of all callouts would be the largest part of the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from projections.moments import iso
from projections.warning import warnings_of
from projections.wording import line_of
from schemas.events import (
    CommandReceived,
    CompensationFailed,
    CompensationSucceeded,
    Event,
    OrderAccepted,
    StepFailed,
    StepInDoubt,
    StepSucceeded,
)
from schemas.steps import Body, Callout, Failure

WITH_CALLOUTS = (
    StepSucceeded,
    StepFailed,
    StepInDoubt,
    CompensationSucceeded,
    CompensationFailed,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One applied event with its place."""

    partition: int
    offset: int
    event: Event


def process_events(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """One process event per run of the order; `entries` in log order."""
    runs: dict[int, dict[str, Any]] = {}
    plugins = plugins_of(entries)
    for entry in entries:
        envelope = entry.event.envelope
        record = runs.setdefault(envelope.run, _empty(envelope.order_id, envelope.run))
        apply(record, entry.event, plugins)
    return list(runs.values())


def plugins_of(entries: Sequence[Entry]) -> dict[str, str]:
    """The plugin of each step of the order's waybill, and of those that it had or got later."""
    plugins: dict[str, str] = {}
    for entry in entries:
        fact = entry.event.fact
        if isinstance(fact, OrderAccepted):
            plugins.update({step.id: step.plugin for step in fact.waybill})
        elif isinstance(fact, CommandReceived) and fact.revision is not None:
            plugins.update({step.id: step.plugin for step in fact.revision.waybill})
    return plugins


def apply(record: dict[str, Any], event: Event, plugins: Mapping[str, str]) -> None:
    """Add to the record of a run what `event` says; `plugins` by step id."""
    fact = event.fact
    at = event.envelope.occurred_at
    if isinstance(fact, WITH_CALLOUTS):
        plugin = plugins.get(fact.step, fact.step)
        record["callouts"] += [callout_shape(callout, plugin) for callout in fact.callouts]
    if isinstance(fact, StepFailed | StepInDoubt | CompensationFailed):
        plugin = plugins.get(fact.step, fact.step)
        record["errors"].append(_error(plugin, fact.failure))
    for level, message in (line_of(event), *warnings_of(event)):
        record["logs"].append({"at": iso(at), "level": level, "message": message})


def callout_shape(callout: Callout, plugin: str) -> dict[str, Any]:
    """One exchange as the API shows it; bodies are redacted and cut already."""
    return {
        "plugin": plugin,
        "call": callout.call,
        "attempt": callout.attempt,
        "method": callout.method,
        "url": callout.url,
        "status": callout.status,
        "duration_ms": callout.duration_ms,
        "request": _body(callout.request),
        "response": _body(callout.response),
        "error": callout.error,
        "key": callout.key,
        "at": iso(callout.started_at),
        "ended": iso(_ended(callout)),
    }


def process_event_id(order_id: str, run: int) -> str:
    """The order's own digits, as Limio has it; those of later runs are counted."""
    made = order_id.replace("order-", "process_event-", 1)
    return made if run == 1 else f"{made}-{run}"


def _empty(order_id: str, run: int) -> dict[str, Any]:
    return {
        "id": process_event_id(order_id, run),
        "order": order_id,
        "run": run,
        "callouts": [],
        "errors": [],
        "logs": [],
    }


def _ended(callout: Callout) -> datetime:
    return callout.started_at + timedelta(milliseconds=callout.duration_ms)


def _body(body: Body) -> dict[str, Any]:
    return {"text": body.text, "length": body.length, "sha256": body.sha256, "of": body.of}


def _error(plugin: str, failure: Failure) -> dict[str, str]:
    return {"name": plugin, "message": failure.message, "code": failure.code}
