"""Each fact in one line for people: what the log of an order's process event says."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from projections.moments import short
from schemas.events import (
    CommandReceived,
    CommandRejected,
    CompensationFailed,
    CompensationSucceeded,
    Event,
    Fact,
    MainPhaseCompleted,
    OrderAccepted,
    OrderAmended,
    OrderCancelled,
    OrderCompleted,
    OrderFailed,
    OrderPaused,
    OrderQueued,
    OrderReleased,
    OrderReopened,
    OrderResumed,
    RetryDue,
    StepDeferred,
    StepFailed,
    StepInDoubt,
    StepResolved,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from schemas.steps import Failure


class Line(NamedTuple):
    """`operator` lines are what people asked and were told; `error` ones what partners said.

    `warning` ones are what to look at although the order goes on.
    """

    level: str
    message: str


def line_of(event: Event) -> Line:
    """The line of the event; a decision that answers a command names it."""
    fact = event.fact
    if isinstance(fact, CommandReceived):
        about = "" if fact.step is None else f" step {fact.step}"
        asked = f"{event.envelope.actor} asks to {fact.kind.value}{about}: {fact.reason}"
        return Line("operator", f"{asked} ({fact.command})")
    level = _LEVELS.get(type(fact), "info")
    return Line(level, WORDS[type(fact)](fact) + _answering(fact))


def _answering(fact: Fact) -> str:
    command = getattr(fact, "command", None)
    return "" if command is None else f", as asked by {command}"


def _why(failure: Failure) -> str:
    return f"{failure.message} ({failure.code})"


def _accepted(fact: OrderAccepted) -> str:
    steps = ", ".join(step.id for step in fact.waybill)
    return f"order accepted under configuration {fact.config_version}: {steps}"


def _failed(fact: StepFailed) -> str:
    again = _again(fact.next_attempt_at)
    became = "has an unknown outcome" if fact.unknown else "failed"
    return f"step {fact.step} {became}: {_why(fact.failure)}{again}"


def _compensation_failed(fact: CompensationFailed) -> str:
    again = _again(fact.next_attempt_at)
    return f"undoing step {fact.step} failed: {_why(fact.failure)}{again}"


def _again(at: Any) -> str:
    return "" if at is None else f"; next attempt at {short(at)}"


def _deferred(fact: StepDeferred) -> str:
    until = "" if fact.until is None else f", until about {short(fact.until)}"
    if fact.stage is None:
        return f"step {fact.step} not sent: the order is to stop before it"
    return f"step {fact.step} not sent: stage {fact.stage} ({fact.reason}){until}"


def _queued(fact: OrderQueued) -> str:
    if fact.passed_by is not None:
        return f"passed by {fact.behind}; queued behind it"
    return f"queued behind {fact.behind}"


def _amended(fact: OrderAmended) -> str:
    return "order amended" + ("" if fact.from_step is None else f"; again from {fact.from_step}")


def _cancelled(fact: OrderCancelled) -> str:
    return "order cancelled" + (
        f"; what stands: {', '.join(fact.standing)}" if fact.standing else ""
    )


WORDS: Mapping[type[Fact], Callable[[Any], str]] = {
    OrderAccepted: _accepted,
    StepStarted: lambda fact: f"step {fact.step} started, attempt {fact.attempt}",
    StepSucceeded: lambda fact: f"step {fact.step} succeeded",
    StepFailed: _failed,
    StepInDoubt: lambda fact: f"step {fact.step} is in doubt: {_why(fact.failure)}",
    StepSkipped: lambda fact: f"step {fact.step} skipped: {fact.reason}",
    StepDeferred: _deferred,
    CompensationSucceeded: lambda fact: f"step {fact.step} undone",
    CompensationFailed: _compensation_failed,
    CommandRejected: lambda fact: f"command rejected: {fact.reason} ({fact.code})",
    RetryDue: lambda fact: f"next attempt of step {fact.step}",
    StepResolved: lambda fact: f"step {fact.step} resolved",
    OrderQueued: _queued,
    OrderReleased: lambda _: "released from its queue",
    OrderPaused: lambda _: "paused",
    OrderResumed: lambda _: "resumed",
    OrderAmended: _amended,
    OrderReopened: lambda fact: f"reopened at step {fact.step}",
    OrderCancelled: _cancelled,
    MainPhaseCompleted: lambda _: "main phase completed",
    OrderCompleted: lambda fact: fact.completion,
    OrderFailed: lambda fact: f"order failed at step {fact.step}: {_why(fact.failure)}",
}
"""Of every fact but a command, whose line tells who asked."""

_LEVELS: Mapping[type[Fact], str] = {
    StepFailed: "error",
    StepInDoubt: "error",
    CompensationFailed: "error",
    OrderFailed: "error",
    CommandRejected: "operator",
}
