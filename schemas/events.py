"""The facts about orders: past tense, one closed union."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from schemas.commands import CommandKind, Revision
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
    """The attempt failed. `next_attempt_at` is None when there will be no further one.

    `unknown`: nobody knows yet what became of it; the next attempt starts from there.
    """

    failure: Failure
    next_attempt_at: datetime | None = None
    callouts: tuple[Callout, ...] = ()
    unknown: bool = False


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
class StepDeferred(StepResult):
    """The attempt was not sent; it does not count as one.

    `reason`: `breaker`, `held`, `busy`, `rate` (the stage takes no more now) or `command` (a
    person wants the order to stop). `stage` names the stage that lets it go on; None where the
    order itself does. `until` is when that is expected, if anybody can tell.
    """

    reason: str
    stage: str | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationSucceeded(StepResult):
    """What the step had done is undone."""

    callouts: tuple[Callout, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CompensationFailed(StepResult):
    """The attempt to undo the step failed. `next_attempt_at` is None when a person is needed."""

    failure: Failure
    next_attempt_at: datetime | None = None
    callouts: tuple[Callout, ...] = ()
    unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandReceived:
    """A person or a program asks something of the order; who, says the envelope.

    Applies iff the order is known and `command`, the command's id, is new to it. `output` (with
    `sealed`, its personal part) is what `resolve` hands in; `revision` what `amend` and a `retry`
    under the current configuration are about.
    """

    command: str
    kind: CommandKind
    reason: str
    step: str | None = None
    output: Mapping[str, Any] | None = None
    sealed: tuple[Sealed, ...] = ()
    revision: Revision | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Applies iff the order still stands at `expected`, the sequence it was decided on.

    `command` is the id of the command that it answers, if it answers one.
    """

    expected: int
    command: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRejected(Decided):
    """The command comes to nothing; `code` is for programs, `reason` for people."""

    code: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Decided):
    """Written before the first byte goes to a partner that cannot tell repeats apart."""

    step: str
    attempt: int
    worker: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryDue(Decided):
    """The next attempt of the step opens: its time has come, or a person says so."""

    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResolved(Decided):
    """A person says what became of the step: done with the command's output, or skipped."""

    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderQueued(Decided):
    """The order waits until `behind`, an order of its lane, has ended.

    `passed_by`: an operator let that order pass; the offset at which it stands in the lane.
    """

    behind: str
    passed_by: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReleased(Decided):
    """No order of the lane is before it any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderPaused(Decided):
    """Nothing is done for the order until it is resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderResumed(Decided):
    """The order goes on where it was paused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderAmended(Decided):
    """The order is what the command's revision says; `from_step` is the first to run again."""

    from_step: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReopened(Decided):
    """The next run of a failed order begins with `step`, at the tail of its lane."""

    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderCancelled(Decided):
    """A final end. `standing` are the finished steps whose effects were not undone."""

    standing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MainPhaseCompleted(Decided):
    """Every step of the main phase has ended well enough; from here the order cannot fail.

    As the answer to a command: whatever was left of the phase is skipped.
    """


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


Result: TypeAlias = (
    StepSucceeded
    | StepFailed
    | StepInDoubt
    | StepSkipped
    | StepDeferred
    | CompensationSucceeded
    | CompensationFailed
)
Decision: TypeAlias = (
    CommandRejected
    | StepStarted
    | RetryDue
    | StepResolved
    | OrderQueued
    | OrderReleased
    | OrderPaused
    | OrderResumed
    | OrderAmended
    | OrderReopened
    | OrderCancelled
    | MainPhaseCompleted
    | OrderCompleted
    | OrderFailed
)
Fact: TypeAlias = OrderAccepted | CommandReceived | Result | Decision


@dataclass(frozen=True, slots=True)
class Event:
    """A fact with its envelope: one record of `order-events`."""

    envelope: Envelope
    fact: Fact
