"""Facts of one order in few words, and folding them."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from schemas.commands import CommandKind
from schemas.envelope import Envelope
from schemas.events import (
    CommandReceived,
    Event,
    Fact,
    OrderAccepted,
    StepFailed,
    StepInDoubt,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from schemas.steps import ErrorKind, Failure, OnUnknown, Phase, WaybillStep
from streams.core import ids
from streams.core.decide import Append, decide
from streams.core.order import Order, evolve

START = datetime(2026, 1, 1, tzinfo=UTC)
ORDER = "order-1"
WORKER = "worker-1"


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
    return StepFailed(step=name, attempt=attempt, failure=reason(**failure))


def doubtful(name: str, attempt: int = 1) -> StepInDoubt:
    return StepInDoubt(step=name, attempt=attempt, failure=reason(definite=False))


def skipped(name: str, attempt: int = 1) -> StepSkipped:
    return StepSkipped(step=name, attempt=attempt, reason="no items for it")


def command(kind: str, name: str | None = None, **more: Any) -> CommandReceived:
    """A command; its id is its kind, unless told otherwise."""
    given: dict[str, Any] = {"command": f"{kind}-1", "reason": "as asked", "step": name}
    return CommandReceived(kind=CommandKind(kind), **{**given, **more})


def started(name: str, expected: int, worker: str = WORKER, attempt: int = 1) -> StepStarted:
    return StepStarted(expected=expected, step=name, attempt=attempt, worker=worker)


def reason(**changes: Any) -> Failure:
    given = {"kind": ErrorKind.DECLINED, "code": "declined", "message": "no", "buyer_message": "no"}
    return Failure(**{**given, **changes})


def event(fact: Fact, *, run: int = 1, order: str = ORDER, at: datetime = START) -> Event:
    envelope = Envelope(
        event_id=ids.event_id(order, run, fact),
        tenant="default",
        lane="default/SUB-1",
        order_id=order,
        run=run,
        occurred_at=at,
        actor="tests",
        trace="00-trace-01",
    )
    return Event(envelope, fact)


def given(*facts: Fact) -> Order:
    """The order after these facts, one a minute, at offsets from 10."""
    order, minutes = None, count()
    for offset, fact in enumerate(facts, start=10):
        at = START + timedelta(minutes=next(minutes))
        order = evolve(order, event(fact, at=at), offset)
    assert order is not None
    return order


def after(order: Order, *facts: Fact) -> Order:
    """The order after further facts, an hour later."""
    for offset, fact in enumerate(facts, start=100):
        folded = evolve(order, event(fact, at=START + timedelta(hours=1)), offset)
        assert folded is not None
        order = folded
    return order


def settled(order: Order) -> Order:
    """The order once all that the core itself appends is in the log."""
    steps = told(order)
    return steps[-1][1] if steps else order


def told(order: Order) -> list[tuple[Fact, Order]]:
    """What the core itself appends until the order waits for a step or rests, and after each."""
    steps: list[tuple[Fact, Order]] = []
    while isinstance(decision := decide(order, WORKER), Append):
        assert len(steps) < 20, "the core goes on and on"
        order = after(order, decision.fact)
        steps.append((decision.fact, order))
    return steps
