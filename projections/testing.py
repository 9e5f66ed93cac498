"""Histories for tests: valid logs with the repeats and late events that a real one has."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from projections.writing import Record
from schemas.codec import encode
from schemas.envelope import Envelope
from schemas.events import (
    Event,
    Fact,
    OrderAccepted,
    StepFailed,
    StepInDoubt,
    StepStarted,
    StepSucceeded,
)
from schemas.steps import (
    Body,
    Callout,
    ErrorKind,
    Failure,
    OnUnknown,
    Phase,
    Sealed,
    WaybillStep,
)
from streams.core import ids
from streams.core.decide import Append, Rest, decide
from streams.core.order import Order, evolve

Choose = Callable[[int], int]
"""`choose(n)` is a number from 0 to n - 1; the history follows from the choices alone."""

START = datetime(2026, 1, 1, tzinfo=UTC)
CRM = WaybillStep(id="salesforceV3", plugin="salesforceV3", service="crm")
BILLING = WaybillStep(id="zuora", plugin="zuora", service="billing")
WAREHOUSE = WaybillStep(id="warehouse", plugin="calloutPlugin", service="callout", critical=False)
ANNOUNCED = WaybillStep(
    id="callout", plugin="calloutPlugin", service="callout", on_unknown=OnUnknown.REST
)
NOTHING_TO_DO = WaybillStep(id="gifts", plugin="calloutPlugin", service="callout", items=())
ENTITLEMENTS = WaybillStep(
    id="entitlements", plugin="entitlements", service="access", phase=Phase.POST
)
WAYBILLS = (
    (CRM, BILLING),
    (CRM, BILLING, WAREHOUSE, ENTITLEMENTS),
    (ANNOUNCED, NOTHING_TO_DO, BILLING, ENTITLEMENTS),
    (),
)
_OUTCOMES = 6


@dataclass(slots=True)
class History:
    """A log by partition, and the orders that the core folds from it."""

    log: dict[int, list[Record]] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)

    def append(self, partition: int, event: Event) -> Event:
        """Write the event behind the others, and fold it."""
        records = self.log.setdefault(partition, [])
        offset = len(records)
        records.append(Record(offset, encode(event)))
        order_id = event.envelope.order_id
        order = evolve(self.orders.get(order_id), event, offset)
        if order is not None:
            self.orders[order_id] = order
        return event


def acceptance(number: int, waybill: Sequence[WaybillStep], tenant: str = "default") -> Event:
    """An order's first event."""
    external = f"EXT-{number}"
    subscription = ids.subscription_reference(tenant, external)
    lane = ids.lane_id(tenant, subscription)
    order_id = ids.order_id(tenant, external, lane)
    sealed = Sealed(
        paths=("/customerDetails",), key_id="k", subject="s", nonce=b"n" * 12, ciphertext=b"\x00c"
    )
    fact = OrderAccepted(
        order_type="new" if number % 2 == 0 else "cancel",
        mode="production",
        external_id=external,
        order_reference=ids.order_reference(order_id),
        subscription_reference=subscription,
        owner="shop",
        effective_date="2026-01-01",
        config_version=1,
        axes={"order_type": "new"},
        waybill=tuple(waybill),
        document=orjson.dumps({"orderItems": [{"name": "Quarterly", "quantity": 1}]}).decode(),
        sealed=(sealed,),
        fingerprint=number.to_bytes(32),
    )
    return event_of(fact, Placed(order_id, tenant, lane, START + timedelta(minutes=number)))


@dataclass(frozen=True, slots=True)
class Placed:
    """Whose event it is and when it happens."""

    order_id: str
    tenant: str
    lane: str
    at: datetime
    run: int = 1


def event_of(fact: Fact, placed: Placed) -> Event:
    """The fact with an envelope."""
    envelope = Envelope(
        event_id=ids.event_id(placed.order_id, placed.run, fact),
        tenant=placed.tenant,
        lane=placed.lane,
        order_id=placed.order_id,
        run=placed.run,
        occurred_at=placed.at,
        actor="worker",
    )
    return Event(envelope, fact)


def next_event(order: Order, choose: Choose) -> Event | None:
    """What a worker might write next about the order; None where it rests."""
    decision = decide(order, "worker-1")
    at = order.updated + timedelta(milliseconds=1 + choose(500), microseconds=choose(1000))
    placed = Placed(order.id, order.tenant, order.lane, at, order.run)
    if isinstance(decision, Rest):
        return None
    if isinstance(decision, Append):
        return event_of(decision.fact, placed)
    return event_of(_result(decision.step, decision.attempt, at, choose(_OUTCOMES)), placed)


def random_history(choose: Choose, *, orders: int, partitions: int, most: int = 200) -> History:
    """Orders interleaved, with repeated records, late results and events of unknown orders."""
    history = History()
    home = {number: choose(partitions) for number in range(orders)}
    events: dict[int, list[Event]] = {}
    moving = list(range(orders))
    for _ in range(most):
        if not moving:
            break
        number = moving[choose(len(moving))]
        written = events.setdefault(number, [])
        event = _following(history, number, written, choose)
        if event is None:
            moving.remove(number)
            continue
        written.append(history.append(home[number], event))
        if choose(5) == 0:
            history.append(home[number], written[choose(len(written))])
    return history


def _following(
    history: History, number: int, written: Sequence[Event], choose: Choose
) -> Event | None:
    accepted = acceptance(number, WAYBILLS[number % len(WAYBILLS)], f"tenant-{number % 2}")
    order = history.orders.get(accepted.envelope.order_id)
    if order is not None:
        return next_event(order, choose)
    if not written and choose(4) == 0:
        early = StepStarted(expected=0, step="zuora", attempt=1, worker="worker-0")
        envelope = accepted.envelope
        placed = Placed(envelope.order_id, envelope.tenant, envelope.lane, START)
        return event_of(early, placed)
    return accepted


def _result(step: str, attempt: int, at: datetime, outcome: int) -> Fact:
    callouts = (_callout(step, attempt, at),)
    failure = Failure(
        kind=ErrorKind.DECLINED,
        code="card_declined" if outcome == 0 else "timed_out",
        message="the partner said no",
        buyer_message="Please try another card.",
        call="charge",
        definite=outcome == 0,
    )
    if outcome == 0:
        return StepFailed(step=step, attempt=attempt, failure=failure, callouts=callouts)
    if outcome == 1:
        return StepInDoubt(step=step, attempt=attempt, failure=failure, callouts=callouts)
    output = {"accountId": f"A-{outcome}", "secretToken": "s3cret"}
    return StepSucceeded(step=step, attempt=attempt, output=output, callouts=callouts)


def _callout(step: str, attempt: int, at: datetime) -> Callout:
    return Callout(
        call="charge",
        attempt=attempt,
        method="POST",
        url=f"https://partner.example/{step}",
        status=200,
        started_at=at - timedelta(milliseconds=12),
        duration_ms=12.4,
        request=Body(of="order", length=100, sha256="a" * 64),
        response=Body(text='{"ok": true}', length=12, sha256="b" * 64),
        key="key-1",
    )
