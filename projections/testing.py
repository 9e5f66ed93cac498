"""Histories for tests: valid logs with the repeats and late events that a real one has."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import orjson

from projections.testing_facts import OUTCOMES, Choose, command, result
from projections.writing import Record
from schemas.codec import encode
from schemas.envelope import Envelope
from schemas.events import Event, Fact, OrderAccepted, StepStarted
from schemas.steps import OnUnknown, Phase, Sealed, WaybillStep
from streams.core import ids
from streams.core.decide import Rest, RunStep, Surroundings, decide
from streams.core.evolve import evolve
from streams.core.order import ENDED, Order

START = datetime(2026, 1, 1, tzinfo=UTC)
CRM = WaybillStep(
    id="salesforceV3",
    plugin="salesforceV3",
    service="crm",
    compensate=True,
    reads=("customerDetails",),
)
UNDOABLE = WaybillStep(id="zuora", plugin="zuora", service="billing", compensate=True)
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
    (CRM, UNDOABLE, WAREHOUSE),
)


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

    def lane(self, lane: str) -> list[Order]:
        """The unfinished orders of the lane."""
        return [o for o in self.orders.values() if o.lane == lane and o.state not in ENDED]


def acceptance(
    number: int,
    waybill: Sequence[WaybillStep],
    tenant: str = "default",
    follows: int | None = None,
) -> Event:
    """An order's first event; `follows` is the number of an order whose lane it is in."""
    external = f"EXT-{number}"
    opened = external if follows is None else f"EXT-{follows}"
    subscription = ids.subscription_reference(tenant, opened)
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
    actor: str = "worker"


def event_of(fact: Fact, placed: Placed) -> Event:
    """The fact with an envelope."""
    envelope = Envelope(
        event_id=ids.event_id(placed.order_id, placed.run, fact),
        tenant=placed.tenant,
        lane=placed.lane,
        order_id=placed.order_id,
        run=placed.run,
        occurred_at=placed.at,
        actor=placed.actor,
    )
    return Event(envelope, fact)


def next_event(order: Order, choose: Choose, lane: Iterable[Order] = ()) -> Event | None:
    """What a worker might write next for the order; None where it rests.

    An order that waits for a time or a stage is asked once that has come. The event may be about
    another order of its `lane`.
    """
    at = order.updated + timedelta(milliseconds=1 + choose(500), microseconds=choose(1000))
    lane = list(lane)
    decision = decide(order, Surroundings("worker-1", at, lane))
    if isinstance(decision, Rest):
        if decision.due is None and decision.stage is None:
            return None
        at = max(at, decision.due or at)
        decision = decide(order, Surroundings("worker-1", at, lane, admitted=True))
    if isinstance(decision, RunStep):
        fact: Fact = result(decision, order, at, choose(OUTCOMES))
        return event_of(fact, Placed(order.id, order.tenant, order.lane, at, order.run))
    if isinstance(decision, Rest):
        return None
    about = decision.order
    return event_of(decision.fact, Placed(about.id, about.tenant, about.lane, at, about.run))


def random_history(choose: Choose, *, orders: int, partitions: int, most: int = 200) -> History:
    """Orders interleaved, with commands, repeated records, late results and unknown orders.

    Every third order is in the lane of the one before.
    """
    history = History()
    home = {number: choose(partitions) for number in range(orders)}
    written: dict[int, list[Event]] = {}
    moving = list(range(orders))
    for turn in range(most):
        if not moving:
            break
        number = moving[choose(len(moving))]
        partition = home[number - 1 if number % 3 == _FOLLOWS else number]
        event = _following(history, number, written.setdefault(number, []), choose)
        if event is None and choose(4):
            event = _asked(history, number, turn, choose)
        if event is None:
            moving.remove(number)
            continue
        written[number].append(history.append(partition, event))
        if choose(5) == 0:
            history.append(partition, written[number][choose(len(written[number]))])
    return history


_FOLLOWS = 2


def _accepted(number: int) -> Event:
    tenant = f"tenant-{number // 3 % 2}"
    follows = number - 1 if number % 3 == _FOLLOWS else None
    return acceptance(number, WAYBILLS[number % len(WAYBILLS)], tenant, follows)


def _following(
    history: History, number: int, written: Sequence[Event], choose: Choose
) -> Event | None:
    """What comes next about the order, now and then a command."""
    accepted = _accepted(number)
    order = history.orders.get(accepted.envelope.order_id)
    if order is not None and choose(12) == 0:
        return _asked(history, number, len(written), choose)
    if order is not None:
        return next_event(order, choose, history.lane(order.lane))
    if not written and choose(4) == 0:
        early = StepStarted(expected=0, step="zuora", attempt=1, worker="worker-0")
        envelope = accepted.envelope
        placed = Placed(envelope.order_id, envelope.tenant, envelope.lane, START)
        return event_of(early, placed)
    return accepted


def _asked(history: History, number: int, turn: int, choose: Choose) -> Event | None:
    """A command about the order, if it is there and has not had many of them."""
    order = history.orders.get(_accepted(number).envelope.order_id)
    if order is None or len(order.commands) >= _MOST_COMMANDS:
        return None
    at = order.updated + timedelta(seconds=1 + choose(30))
    placed = Placed(order.id, order.tenant, order.lane, at, order.run, f"person-{choose(3)}")
    return event_of(command(order, turn, choose), placed)


_MOST_COMMANDS = 6
