"""What is published of an applied event: the records, and the order as they show it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import orjson

from projections.moments import iso
from projections.outgoing import Outgoing
from projections.shapes import order_shape
from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    Event,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepResolved,
    StepResult,
    StepSkipped,
    StepSucceeded,
)
from schemas.steps import Failure, WaybillStep
from streams.core.order import ENDED, Order, Progress, State, StepStatus
from streams.topics import Topics

OutgoingRecord: TypeAlias = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
"""Topic, key, value, headers."""

_STEPS: Mapping[type[StepResult], str] = {
    StepSucceeded: "step_succeeded",
    StepFailed: "step_failed",
    StepInDoubt: "step_in_doubt",
    StepSkipped: "step_skipped",
    StepDeferred: "step_deferred",
    CompensationSucceeded: "step_compensated",
    CompensationFailed: "step_compensation_failed",
}
_SETTLED: Mapping[StepStatus, str] = {
    StepStatus.SUCCEEDED: "step_succeeded",
    StepStatus.SKIPPED: "step_skipped",
    StepStatus.COMPENSATED: "step_compensated",
}
"""What a person said of a step."""
_WITH_DOCUMENT = {State.ACCEPTED, State.IN_DOUBT, *ENDED}
_AMENDED = "amended"
_DOCUMENTS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What subscribers get to see: of which tenants step results, and which outputs never.

    `secrets` are the members of a plugin's output that nobody outside sees, by plugin.
    """

    step_results: Callable[[str], bool] = lambda tenant: False  # noqa: ARG005 - one for any tenant
    secrets: Mapping[str, Collection[str]] = field(default_factory=dict)


def records_of(outgoing: Outgoing, topics: Topics, published: Published) -> list[OutgoingRecord]:
    """The records of one event, in the order in which they belong into their topics."""
    news, event = outgoing.news, outgoing.event
    step = _step_kind(outgoing, published)
    if news is None and step is None:
        return []
    key = outgoing.after.lane.encode()
    shown = published_order(outgoing, published.secrets)
    event_id = event.envelope.event_id
    records: list[OutgoingRecord] = []
    if step is not None:
        value = orjson.dumps({**shown, "step": _result(outgoing, published.secrets)})
        headers = cloud_event_headers(event, f"{event_id}-step", step)
        records.append((topics.order_updates, key, value, headers))
    if news is not None:
        value = orjson.dumps(_with_document(shown, outgoing.after, news))
        headers = cloud_event_headers(event, event_id, news)
        records += [(topic, key, value, headers) for topic in _topics_of(topics, outgoing.ends)]
    return records


def cloud_event_headers(event: Event, ce_id: str, kind: str) -> list[tuple[str, bytes]]:
    """CloudEvents 1.0 for Kafka, binary mode.

    A change of state has the id of its event; a step's result beside it needs one of its own.
    """
    envelope = event.envelope
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": ce_id,
        "ce_type": f"waybill.order.{kind}.v1",
        "ce_source": f"/tenants/{envelope.tenant}",
        "ce_subject": envelope.order_id,
        "ce_time": envelope.occurred_at.isoformat(),
        "ce_partitionkey": envelope.lane,
        "content-type": "application/json",
    }
    if envelope.trace is not None:
        attributes["ce_traceparent"] = envelope.trace
    return [(name, value.encode()) for name, value in attributes.items()]


def published_order(outgoing: Outgoing, secrets: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """The Order shape with its items, its context and its place among the order's updates.

    Sealed sections are not in it. Of steps that an amendment has taken out nobody knows any more
    what is secret.
    """
    order = outgoing.after
    plugins = {step.id: step.plugin for step in order.accepted.waybill}
    context = {
        step: _open_members(output, plugins[step], secrets)
        for step, output in order.context.items()
        if step in plugins
    }
    return {
        **order_shape(order),
        "sequence": order.sequence,
        "previous_sequence": outgoing.previous,
        "effective_date": order.accepted.effective_date,
        "items": _document(order.accepted.document)[0],
        "context": context,
    }


def _open_members(
    output: Mapping[str, Any], plugin: str, secrets: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    hidden = secrets.get(plugin, ())
    return {name: value for name, value in output.items() if name not in hidden}


def _step_kind(outgoing: Outgoing, published: Published) -> str | None:
    """What became of a step, where somebody wants to know; a person may have settled it."""
    fact = outgoing.event.fact
    if not isinstance(fact, StepResult | StepResolved):
        return None
    if not published.step_results(outgoing.event.envelope.tenant):
        return None
    if isinstance(fact, StepResult):
        return _STEPS[type(fact)]
    return _SETTLED.get(_progress(outgoing.after, fact.step)[1].status)


def _progress(order: Order, name: str) -> tuple[WaybillStep, Progress]:
    index = order.index_of(name)
    assert index is not None, "a result applies to a step of the waybill only"
    return order.accepted.waybill[index], order.progress[index]


def _result(outgoing: Outgoing, secrets: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """The step's result as the event says it, and how the step stands now."""
    fact, order = outgoing.event.fact, outgoing.after
    assert isinstance(fact, StepResult | StepResolved)
    step, progress = _progress(order, fact.step)
    is_done = isinstance(fact, StepSucceeded | StepResolved) and step.id in order.context
    output = order.context[step.id] if is_done else None
    failure = getattr(fact, "failure", None)
    return {
        "id": step.id,
        "name": step.plugin,
        "service": step.service,
        "phase": step.phase.value,
        "critical": step.critical,
        "status": progress.status.value,
        "attempt": getattr(fact, "attempt", progress.attempt - 1),
        "next_attempt": iso(getattr(fact, "next_attempt_at", None) or getattr(fact, "until", None)),
        "reason": getattr(fact, "reason", None),
        "output": None if output is None else _open_members(output, step.plugin, secrets),
        "error": None if failure is None else _error(failure),
    }


def _error(failure: Failure) -> dict[str, Any]:
    return {
        "code": failure.code,
        "kind": failure.kind.value,
        "message": failure.message,
        "buyer_message": failure.buyer_message,
    }


def _with_document(shown: dict[str, Any], order: Order, news: str) -> dict[str, Any]:
    """What the order asks for goes along when that is new, and when somebody has to look at it."""
    if news != _AMENDED and order.state not in _WITH_DOCUMENT:
        return shown
    return {**shown, "document": _document(order.accepted.document)[1]}


@lru_cache(maxsize=_DOCUMENTS)
def _document(document: str) -> tuple[orjson.Fragment, orjson.Fragment]:
    """The items and all the rest as JSON, ready to be written into an order's publications."""
    read = orjson.loads(document)
    rest = dict(read) if isinstance(read, dict) else {}
    items = rest.pop("orderItems", None) or []
    return orjson.Fragment(orjson.dumps(items)), orjson.Fragment(orjson.dumps(rest))


def _topics_of(topics: Topics, end: State | None) -> list[str]:
    if end is None:
        return [topics.order_updates]
    last = topics.order_completed if end is State.COMPLETED else topics.order_failed
    return [topics.order_updates, last]
