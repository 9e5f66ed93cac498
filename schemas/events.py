"""The facts about orders: past tense, one closed union."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from schemas.envelope import Envelope
from schemas.steps import Callout, Failure, Sealed, WaybillStep


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAccepted:
    """The order is taken and its waybill pinned. Applies iff the order is unknown.

    `document` is the order as JSON text with its personal and payment sections moved to `sealed`.
    `fingerprint` is an HMAC of the canonical original: equal iff the bodies are.
    `effective_date` (ISO date) is the day that its steps work with, fixed here.
    """

    order_type: str
    mode: str
    external_id: str | None
    order_reference: str
    subscription_reference: str
    owner: str
    effective_date: str
    config_version: int
    axes: Mapping[str, str]
    waybill: tuple[WaybillStep, ...]
    document: str
    sealed: tuple[Sealed, ...]
    fingerprint: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """Applies iff its run, step and attempt are the open ones, whatever was appended meanwhile."""

    step: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSucceeded(StepResult):
    """The step is done; `output` is what it hands on, `sealed` its personal part."""

    output: Mapping[str, Any]
    sealed: tuple[Sealed, ...] = ()
    callouts: tuple[Callout, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed(StepResult):
    """The attempt failed. `next_attempt_at` is None when there will be no further one."""

    failure: Failure
    next_attempt_at: datetime | None = None
    callouts: tuple[Callout, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInDoubt(StepResult):
    """A request was sent and nobody can tell what became of it."""

    failure: Failure
    callouts: tuple[Callout, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped(StepResult):
    """The step had nothing to do for this order (`when`, or no items for it)."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Applies iff the order still stands at `expected`, the sequence it was decided on."""

    expected: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Decided):
    """Written before the first byte goes to a partner that cannot tell repeats apart."""

    step: str
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MainPhaseCompleted(Decided):
    """Every step of the main phase has ended well enough; from here the order cannot fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCompleted(Decided):
    """The end of a good run. `completion`: `order complete` or `change complete`."""

    completion: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFailed(Decided):
    """The end of a bad run: a critical step failed for good."""

    step: str
    plugin: str
    failure: Failure


Result: TypeAlias = StepSucceeded | StepFailed | StepInDoubt | StepSkipped
Decision: TypeAlias = StepStarted | MainPhaseCompleted | OrderCompleted | OrderFailed
Fact: TypeAlias = OrderAccepted | Result | Decision


@dataclass(frozen=True, slots=True)
class Event:
    """A fact with its envelope: one record of `order-events`."""

    envelope: Envelope
    fact: Fact
