"""One entry of the timeline as the API shows it."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from enum import Enum
from typing import Any

from projections.moments import iso
from projections.process_events import WITH_CALLOUTS, Entry, callout_shape
from schemas.commands import Revision
from schemas.events import OrderAccepted
from schemas.steps import Failure, WaybillStep

_LEFT_OUT = frozenset(
    {"callouts", "sealed", "document", "fingerprint", "waybill", "failure", "revision"}
)


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
        field.name: _plain(getattr(fact, field.name))
        for field in fields(fact)
        if field.name not in _LEFT_OUT
    }
    if isinstance(fact, OrderAccepted):
        data["waybill"] = _waybill(fact.waybill)
    revision = getattr(fact, "revision", None)
    if isinstance(revision, Revision):
        data["revision"] = {
            "config_version": revision.config_version,
            "changed": list(revision.changed),
            "waybill": _waybill(revision.waybill),
        }
    failure = getattr(fact, "failure", None)
    if isinstance(failure, Failure):
        data["failure"] = _failure(failure)
    if isinstance(fact, WITH_CALLOUTS):
        plugin = plugins.get(fact.step, fact.step)
        data["callouts"] = [callout_shape(callout, plugin) for callout in fact.callouts]
    return data


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Enum):
        return value.value
    return list(value) if isinstance(value, tuple) else value


def _waybill(waybill: Sequence[WaybillStep]) -> list[dict[str, Any]]:
    return [
        {
            "id": step.id,
            "plugin": step.plugin,
            "service": step.service,
            "phase": step.phase.value,
            "critical": step.critical,
            "items": None if step.items is None else list(step.items),
        }
        for step in waybill
    ]


def _failure(failure: Failure) -> dict[str, Any]:
    return {
        "kind": failure.kind.value,
        "code": failure.code,
        "message": failure.message,
        "buyer_message": failure.buyer_message,
        "call": failure.call,
        "definite": failure.definite,
    }
