"""Process events: the execution record of an order, folded from its timeline when it is read.

They have no tables of their own. Everything they show stands in the timeline's records already;
copies of all callouts would be the largest part of the store.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

from projections.shapes import iso
from schemas.events import (
    Event,
    Fact,
    MainPhaseCompleted,
    OrderAccepted,
    OrderCompleted,
    OrderFailed,
    StepFailed,
    StepInDoubt,
    StepResult,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from schemas.steps import Body, Callout, Failure
from streams.core.ids import derived_uuid


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
    """The plugin of each step of the order's waybill."""
    accepted = entries[0].event.fact if entries else None
    waybill = accepted.waybill if isinstance(accepted, OrderAccepted) else ()
    return {step.id: step.plugin for step in waybill}


def apply(record: dict[str, Any], event: Event, plugins: Mapping[str, str]) -> None:
    """Add to the record of a run what `event` says; `plugins` by step id."""
    fact = event.fact
    at = event.envelope.occurred_at
    if isinstance(fact, StepResult) and not isinstance(fact, StepSkipped):
        plugin = plugins.get(fact.step, fact.step)
        record["callouts"] += [callout_shape(callout, plugin) for callout in fact.callouts]
    if isinstance(fact, StepFailed | StepInDoubt):
        plugin = plugins.get(fact.step, fact.step)
        record["errors"].append(_error(plugin, fact.failure))
    level, message = _log(fact)
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


def _empty(order_id: str, run: int) -> dict[str, Any]:
    return {
        "id": "process_event-" + derived_uuid("process_event", order_id, str(run)).replace("-", ""),
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


def _log(fact: Fact) -> tuple[str, str]:
    match fact:
        case StepFailed(failure=failure):
            return "error", f"step {fact.step} failed: {failure.message} ({failure.code})"
        case StepInDoubt(failure=failure):
            return "error", f"step {fact.step} is in doubt: {failure.message} ({failure.code})"
        case OrderFailed(failure=failure):
            return "error", f"order failed at step {fact.step}: {failure.message} ({failure.code})"
        case OrderCompleted():
            return "info", fact.completion
        case _:
            return "info", _news(fact)


def _news(
    fact: OrderAccepted | StepSucceeded | StepSkipped | StepStarted | MainPhaseCompleted,
) -> str:
    match fact:
        case OrderAccepted():
            steps = ", ".join(step.id for step in fact.waybill)
            return f"order accepted under configuration {fact.config_version}: {steps}"
        case StepSucceeded():
            return f"step {fact.step} succeeded"
        case StepSkipped():
            return f"step {fact.step} skipped: {fact.reason}"
        case StepStarted():
            return f"step {fact.step} started, attempt {fact.attempt}"
        case MainPhaseCompleted():
            return "main phase completed"
        case _:
            assert_never(fact)
