"""Facts of one order in few words, and folding them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from schemas.commands import CommandKind, Revision
from schemas.envelope import Envelope
from schemas.events import (
    CommandReceived,
    CompensationFailed,
    CompensationSucceeded,
    Event,
    Fact,
    OrderAccepted,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from schemas.steps import ErrorKind, Failure, OnUnknown, Phase, WaybillStep
from streams.core import ids
from streams.core.decide import Append, Decision, Surroundings, decide
from streams.core.evolve import evolve
from streams.core.order import Order

START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=1)
ORDER = "order-1"
LANE = "default/SUB-1"
WORKER = "worker-1"
STAGE = "zuora@partner.example"


def step(name: str, **more: Any) -> WaybillStep:
    return WaybillStep(id=name, plugin=f"the {name} plugin", service="s", **more)


def optional(name: str, **more: Any) -> WaybillStep:
    return step(name, critical=False, **more)


def announced(name: str, **more: Any) -> WaybillStep:
    return step(name, on_unknown=OnUnknown.REST, **more)


def post(name: str, **more: Any) -> WaybillStep:
    return step(name, phase=Phase.POST, **more)


def accepted(*waybill: WaybillStep, **more: Any) -> OrderAccepted:
    given: dict[str, Any] = {
        "order_type": "new",
        "mode": "production",
        "external_id": "EXT-1",
        "order_reference": "REFERENCE",
        "subscription_reference": "SUB-1",
        "owner": "id-1",
        "effective_date": "2026-01-01",
        "config_version": 1,
        "axes": {"order_type": "new"},
        "document": "{}",
        "sealed": (),
        "fingerprint": b"f",
    }
    return OrderAccepted(waybill=waybill, **{**given, **more})


def succeeded(name: str, attempt: int = 1, **more: Any) -> StepSucceeded:
    return StepSucceeded(step=name, attempt=attempt, **{"output": {"id": name}, **more})


def failed(name: str, attempt: int = 1, **failure: Any) -> StepFailed:
    """It has failed for good."""
    return StepFailed(step=name, attempt=attempt, failure=reason(**failure))


def failing(
    name: str, attempt: int = 1, *, until: datetime = LATER, unknown: bool = False, **failure: Any
) -> StepFailed:
    """It has failed, and another attempt follows."""
    why = reason(
        **{"kind": ErrorKind.TRANSIENT, "code": "busy", "definite": not unknown, **failure}
    )
    return StepFailed(
        step=name, attempt=attempt, failure=why, next_attempt_at=until, unknown=unknown
    )


def deferred(
    name: str, attempt: int = 1, *, stage: str | None = STAGE, until: datetime | None = None
) -> StepDeferred:
    """Not sent: its stage takes no more, or, without one, a person wants the order to stop."""
    why = "command" if stage is None else "breaker"
    return StepDeferred(step=name, attempt=attempt, reason=why, stage=stage, until=until)


def undone(name: str, attempt: int = 2) -> CompensationSucceeded:
    return CompensationSucceeded(step=name, attempt=attempt)


def not_undone(
    name: str, attempt: int = 2, *, until: datetime | None = None, unknown: bool = False
) -> CompensationFailed:
    """It is not undone; without `until` it will not be without a person."""
    return CompensationFailed(
        step=name,
        attempt=attempt,
        failure=reason(definite=not unknown),
        next_attempt_at=until,
        unknown=unknown,
    )


def doubtful(name: str, attempt: int = 1) -> StepInDoubt:
    return StepInDoubt(step=name, attempt=attempt, failure=reason(definite=False))


def skipped(name: str, attempt: int = 1) -> StepSkipped:
    return StepSkipped(step=name, attempt=attempt, reason="no items for it")


def command(kind: str, name: str | None = None, **more: Any) -> CommandReceived:
    """A command; its id is its kind, unless told otherwise."""
    given: dict[str, Any] = {"command": f"{kind}-1", "reason": "as asked", "step": name}
    return CommandReceived(kind=CommandKind(kind), **{**given, **more})


def revision(*waybill: WaybillStep, **more: Any) -> Revision:
    """What an amendment makes of an order; with `document=None`, what a retry makes of it."""
    given: dict[str, Any] = {
        "config_version": 2,
        "axes": {"order_type": "new"},
        "base": b"f",
        "document": '{"amended": true}',
        "fingerprint": b"g",
        "changed": ("quantity",),
    }
    return Revision(waybill=waybill, **{**given, **more})


def started(name: str, expected: int, worker: str = WORKER, attempt: int = 1) -> StepStarted:
    return StepStarted(expected=expected, step=name, attempt=attempt, worker=worker)


def reason(**changes: Any) -> Failure:
    given = {"kind": ErrorKind.DECLINED, "code": "declined", "message": "no", "buyer_message": "no"}
    return Failure(**{**given, **changes})


def event(
    fact: Fact, *, run: int = 1, order: str = ORDER, at: datetime = START, lane: str = LANE
) -> Event:
    envelope = Envelope(
        event_id=ids.event_id(order, run, fact),
        tenant="default",
        lane=lane,
        order_id=order,
        run=run,
        occurred_at=at,
        actor="tests",
        trace="00-trace-01",
    )
    return Event(envelope, fact)


def given(*facts: Fact, order: str = ORDER, offset: int = 10) -> Order:
    """The order after these facts, one a minute, at offsets from 10."""
    folded, minutes = None, count()
    for place, fact in enumerate(facts, start=offset):
        at = START + timedelta(minutes=next(minutes))
        run = 1 if folded is None else folded.run
        folded = evolve(folded, event(fact, order=order, run=run, at=at), place)
    assert folded is not None
    return folded


def after(order: Order, *facts: Fact, offset: int = 100) -> Order:
    """The order after further facts, an hour later."""
    for place, fact in enumerate(facts, start=offset):
        told = event(fact, order=order.id, run=order.run, at=START + timedelta(hours=1))
        folded = evolve(order, told, place)
        assert folded is not None
        order = folded
    return order


def then(order: Order, *facts: Fact, offset: int = 100) -> Order:
    """As `after`, where each of the facts applies."""
    for place, fact in enumerate(facts, start=offset):
        changed = after(order, fact, offset=place)
        assert changed is not order, f"{fact} does not apply"
        order = changed
    return order


def around(
    lane: Iterable[Order] = (),
    *,
    worker: str = WORKER,
    now: datetime = START,
    admitted: bool = False,
) -> Surroundings:
    """What a worker sees around an order."""
    return Surroundings(worker, now, tuple(lane), admitted)


def next_of(order: Order, worker: str = WORKER, now: datetime = START) -> Decision:
    """What is next for an order that is alone in its lane."""
    return decide(order, around((order,), worker=worker, now=now))


def settled(order: Order, now: datetime = START) -> Order:
    """The order once all that the core itself appends is in the log."""
    steps = told(order, now)
    return steps[-1][1] if steps else order


def told(order: Order, now: datetime = START) -> list[tuple[Fact, Order]]:
    """What the core itself appends until the order waits for a step or rests, and after each."""
    steps: list[tuple[Fact, Order]] = []
    while isinstance(decision := next_of(order, now=now), Append):
        assert len(steps) < 20, "the core goes on and on"
        order = then(order, decision.fact)
        steps.append((decision.fact, order))
    return steps
