"""Writes facts to `order-events`, again and again until they are durable."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from schemas.codec import Memo
from schemas.envelope import Envelope
from schemas.events import Event, Fact, OrderReopened
from streams.core import ids
from streams.core.order import Order
from streams.kafka.writer import LogWriter, Place

AGAIN_AFTER_S = 0.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Journal:
    """The way to the log. `worker` names the process; `now` gives UTC."""

    worker: str
    topic: str
    writer: LogWriter
    memo: Memo
    now: Callable[[], datetime]

    def event(self, order: Order, fact: Fact) -> Event:
        """The fact with its envelope; a reopening is the first event of the run that it opens."""
        run = order.run + 1 if isinstance(fact, OrderReopened) else order.run
        return Event(
            Envelope(
                event_id=ids.event_id(order.id, run, fact),
                tenant=order.tenant,
                lane=order.lane,
                order_id=order.id,
                run=run,
                occurred_at=self.now(),
                actor=f"worker/{self.worker}",
                trace=order.trace,
                origin=f"worker/{self.worker}",
            ),
            fact,
        )

    def append(self, event: Event) -> "asyncio.Future[Place]":
        """Its place, once it is durable; a `KafkaError` leaves that open."""
        return self.writer.append(self.topic, event.envelope.lane.encode(), self.memo.encode(event))

    async def write(self, event: Event) -> Place:
        """Its place, when the event is durable; a known result is never dropped.

        Raises at once where the event cannot be encoded, which no repetition would mend.
        """
        return await self.ensured(event, self.append(event))

    async def ensured(self, event: Event, written: "asyncio.Future[Place]") -> Place:
        """Its place, when it is durable: by the write under way, else by further ones."""
        while True:
            try:
                return await written
            except Exception as problem:  # noqa: BLE001 (whatever it was, it is not durable yet)
                log.warning(
                    "an event is written again: %r",
                    problem,
                    extra={"order": event.envelope.order_id},
                )
                await asyncio.sleep(AGAIN_AFTER_S)
                written = self.append(event)
