"""One entry of the timeline as the API shows it."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from projections.process_events import Entry, callout_shape
from projections.shapes import iso
from schemas.events import OrderAccepted, StepFailed, StepInDoubt, StepSucceeded
from schemas.steps import Failure

_LEFT_OUT = frozenset({"callouts", "sealed", "document", "fingerprint", "waybill", "failure"})


def timeline_entry(
    entry: Entry, sequence: int, plugins: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Where, when, by whom and what: `data` holds the fact without what is sealed.

    `plugins` by step id; where it is not at hand, callouts go by the step's id.
    """
    envelope, fact = entry.event.envelope, entry.event.fact
    return {
        "id": envelope.event_id,
        "type": type(fact).__name__,
        "at": iso(envelope.occurred_at),
        "partition": entry.partition,
        "offset": entry.offset,
        "token": f"e{entry.partition}:{entry.offset}",
        "run": envelope.run,
        "sequence": sequence,
        "actor": envelope.actor,
        "causation": envelope.causation,
        "trace": envelope.trace,
        "origin": envelope.origin,
        "data": _data(entry, plugins or {}),
    }


def _data(entry: Entry, plugins: Mapping[str, str]) -> dict[str, Any]:
    fact = entry.event.fact
    data: dict[str, Any] = {
        field.name: getattr(fact, field.name)
        for field in fields(fact)
        if field.name not in _LEFT_OUT
    }
    if isinstance(fact, OrderAccepted):
        data["waybill"] = [
            {
                "id": step.id,
                "plugin": step.plugin,
                "service": step.service,
                "phase": step.phase.value,
                "critical": step.critical,
                "items": None if step.items is None else list(step.items),
            }
            for step in fact.waybill
        ]
    failure = getattr(fact, "failure", None)
    if isinstance(failure, Failure):
        data["failure"] = _failure(failure)
    if isinstance(fact, StepFailed):
        data["next_attempt_at"] = iso(fact.next_attempt_at)
    if isinstance(fact, StepSucceeded | StepFailed | StepInDoubt):
        plugin = plugins.get(fact.step, fact.step)
        data["callouts"] = [callout_shape(callout, plugin) for callout in fact.callouts]
    return data


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "kind": failure.kind.value,
        "code": failure.code,
        "message": failure.message,
        "buyer_message": failure.buyer_message,
        "call": failure.call,
        "definite": failure.definite,
    }
