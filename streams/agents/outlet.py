"""The outlet: follows the store's timeline and publishes what subscribers may see."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, TypeAlias

import orjson

from projections.outgoing import AnotherOutletError, Batch, Outgoing, OutgoingEvents
from projections.shapes import order_shape
from projections.store import Store, StoreError
from schemas.events import (
    CompensationFailed,
    CompensationSucceeded,
    Event,
    Fact,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepSkipped,
    StepSucceeded,
)
from streams.core.order import Order, State
from streams.topics import Topics

log = logging.getLogger(__name__)

_Outbound: TypeAlias = tuple[str, bytes, bytes, list[tuple[str, bytes]]]
"""Topic, key, value, headers."""

Send: TypeAlias = Callable[
    [str, bytes, bytes, list[tuple[str, bytes]]], Awaitable[Awaitable[object]]
]
"""`await send(topic, key, value, headers)` hands a record over; what it returns is awaited for
the acknowledgement. Records of one key must keep their order."""

_BATCH = 200
_BUSY_S = 0.05
_IDLE_S = 0.25
_FAILING_S = 3.0
_SLOWER = 1.3

_STEPS: Mapping[type[Fact], str] = {
    StepSucceeded: "step_succeeded",
    StepFailed: "step_failed",
    StepInDoubt: "step_in_doubt",
    StepSkipped: "step_skipped",
    StepDeferred: "step_deferred",
    CompensationSucceeded: "step_compensated",
    CompensationFailed: "step_compensation_failed",
}
_DOCUMENTS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What subscribers get to see: step results or not, and which outputs never.

    `secrets` are the members of a plugin's output that nobody outside sees, by plugin.
    """

    step_results: bool = False
    secrets: Mapping[str, Collection[str]] = field(default_factory=dict)


class Outlet:
    """At least once, in the order of the log per partition; the position is kept in the store."""

    def __init__(
        self, store: Store, topics: Topics, send: Send, published: Published | None = None
    ) -> None:
        self._store = store
        self._topics = topics
        self._send = send
        self._published = published or Published()
        self._events = OutgoingEvents(store)
        self._positions: dict[int, int] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set. What `StoreError` says only somebody else can mend.

        A store or a Kafka that fails is waited for; then it goes on from the kept positions.
        """
        pause, longest = _BUSY_S, _IDLE_S
        while not stop.is_set():
            try:
                worked, longest = await self.publish(), _IDLE_S
            except AnotherOutletError:
                self._positions, worked = None, False
            except StoreError:
                raise
            except Exception as problem:  # noqa: BLE001 (each driver has its own; all mean: later)
                log.warning("nothing is published for now: %r", problem)
                self._positions, worked, longest = None, False, _FAILING_S
            pause = _BUSY_S if worked else min(pause * _SLOWER, longest)
            if not worked:
                await _pause(stop, pause)

    async def publish(self) -> bool:
        """Publish what is there, one batch of each partition; whether there was anything.

        Positions move only after every record is acknowledged. `AnotherOutletError`: what was
        published will be published again by the other one.
        """
        batches = await asyncio.to_thread(self._read)
        if not batches:
            return False
        acknowledged = [
            await self._send(topic, key, value, headers)
            for _, batch in sorted(batches.items())
            for outgoing in batch.outgoing
            for topic, key, value, headers in self._records(outgoing)
        ]
        await asyncio.gather(*acknowledged)
        await asyncio.to_thread(self._advance, batches)
        return True

    def lag(self) -> int:
        """Offsets that are applied and not looked at yet, over all partitions."""
        positions = self._events.positions()
        return sum(
            applied - positions.get(partition, -1)
            for partition, applied in self._store.applied().items()
        )

    def _read(self) -> dict[int, Batch]:
        if self._positions is None:
            self._positions = self._events.positions()
        batches: dict[int, Batch] = {}
        for partition, applied in self._store.applied().items():
            position = self._positions.get(partition, -1)
            if applied > position:
                batches[partition] = self._events.batch(partition, position, applied, _BATCH)
        return batches

    def _advance(self, batches: Mapping[int, Batch]) -> None:
        assert self._positions is not None
        known = self._positions
        moves = {p: (known.get(p, -1), batch.upto) for p, batch in batches.items()}
        self._events.advance(moves)
        known.update({partition: end for partition, (_, end) in moves.items()})

    def _records(self, outgoing: Outgoing) -> list[_Outbound]:
        news = outgoing.news
        step = _STEPS.get(type(outgoing.event.fact)) if self._published.step_results else None
        if news is None and step is None:
            return []
        key = outgoing.after.lane.encode()
        value = orjson.dumps(published_order(outgoing.after, self._published.secrets))
        records: list[_Outbound] = []
        if step is not None:
            headers = cloud_event_headers(
                outgoing.event, f"{outgoing.event.envelope.event_id}-step", step
            )
            records.append((self._topics.order_updates, key, value, headers))
        if news is not None:
            headers = cloud_event_headers(outgoing.event, outgoing.event.envelope.event_id, news)
            records += [(topic, key, value, headers) for topic in self._topics_of(outgoing.ends)]
        return records

    def _topics_of(self, end: State | None) -> list[str]:
        if end is None:
            return [self._topics.order_updates]
        ends = self._topics
        last = ends.order_completed if end is State.COMPLETED else ends.order_failed
        return [ends.order_updates, last]


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


def published_order(order: Order, secrets: Mapping[str, Collection[str]]) -> dict[str, Any]:
    """The Order shape with its items and context; sealed sections are not in it.

    Of steps that an amendment has taken out nobody knows any more what is secret.
    """
    plugins = {step.id: step.plugin for step in order.accepted.waybill}
    context = {
        step: {
            name: value
            for name, value in output.items()
            if name not in secrets.get(plugins[step], ())
        }
        for step, output in order.context.items()
        if step in plugins
    }
    return {**order_shape(order), "items": _items(order.accepted.document), "context": context}


@lru_cache(maxsize=_DOCUMENTS)
def _items(document: str) -> orjson.Fragment:
    """The items as JSON, ready to be written into each of an order's publications."""
    read = orjson.loads(document)
    items = read.get("orderItems") if isinstance(read, dict) else None
    return orjson.Fragment(orjson.dumps(items or []))


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
