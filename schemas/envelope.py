"""What every event carries beside its fact: identity, place, time, cause."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """Identity and provenance of one event in `order-events`.

    `event_id` is derived from what the event says, so that the same decision, written twice,
    carries the same id. `occurred_at` is UTC with offset. `causation` is the id of the event or
    the place of the record that led to this one; `trace` a W3C traceparent; `origin` the process
    or the record (`topic/partition/offset`) that it came from.
    """

    event_id: str
    tenant: str
    lane: str
    order_id: str
    run: int
    occurred_at: datetime
    actor: str
    causation: str | None = None
    trace: str | None = None
    origin: str | None = None
