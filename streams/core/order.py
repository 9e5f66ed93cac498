"""An order as its events have left it. Start reading here; `evolve` has how events change it."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NamedTuple

from schemas.events import CommandReceived, OrderAccepted
from schemas.steps import Failure, Phase, Sealed, WaybillStep


class State(StrEnum):
    """Where an order stands. `completed` and `cancelled` are final; `failed` ends a run."""

    ACCEPTED = "accepted"
    PROCESSING = "processing"
    WAITING = "waiting"
    QUEUED = "queued"
    PAUSED = "paused"
    IN_DOUBT = "in_doubt"
    POST_PROCESSING = "post_processing"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


NOTHING: Mapping[str, Any] = MappingProxyType({})
ENDED = frozenset({State.COMPLETED, State.FAILED, State.CANCELLED})
"""States in which an order is no longer in its lane."""
FINAL = frozenset({State.COMPLETED, State.CANCELLED})


class StepStatus(StrEnum):
    """What became of one step of the waybill."""

    PENDING = "pending"
    STARTED = "started"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"
    IN_DOUBT = "in_doubt"
    COMPENSATING = "compensating"
    COMPENSATED = "compensated"
    COMPENSATION_FAILED = "compensation_failed"


DONE = frozenset({StepStatus.SUCCEEDED, StepStatus.SKIPPED})
WAITS = frozenset({StepStatus.WAITING, StepStatus.COMPENSATING})
REPEATABLE = frozenset(
    {*WAITS, StepStatus.FAILED, StepStatus.IN_DOUBT, StepStatus.COMPENSATION_FAILED}
)
"""What a person may let be tried again."""


_POST = Phase.POST
"""To reach a member of an enumeration takes Python 3.11 longer than to fold an event."""


class Progress(NamedTuple):
    """How far one step has come.

    `started` is when its first attempt opened; `attempts` counts those that were sent. `attempt`
    is the number of the open or the next one: results name it. `retry_at` is when the next one
    opens by itself, `stage` the stage that lets it go on instead. `doubt`: nobody knows what
    became of the last attempt. `failing_since` is the first failure, from which its age counts.
    """

    status: StepStatus = StepStatus.PENDING
    attempts: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    failure: Failure | None = None
    attempt: int = 1
    retry_at: datetime | None = None
    stage: str | None = None
    doubt: bool = False
    failing_since: datetime | None = None

    def but(self, **changes: Any) -> "Progress":
        """As `_replace`, several times faster."""
        values = list(self)
        for name, value in changes.items():
            values[_PROGRESS[name]] = value
        return tuple.__new__(Progress, values)


class Order(NamedTuple):
    """One order, folded from its events.

    `sequence` counts applied events. `position` is the index of the next step in the waybill.
    `open_at` is the index of the step whose attempt is open, of which there is one at most;
    `compensating` says that it undoes the step. `started_by` is the worker that wrote
    `StepStarted` for it. `offset` is the place in the partition of the acceptance or the last
    reopening: orders of a lane stand in that order; `passes` puts those that were passed behind
    the one that passed them. `behind` is the order that a queued one waits for. `pending` are
    commands without an answer, oldest first, `commands` the ids of all. `generations` counts
    definite failures per `step/call`, and compensations per `step/`. `revised`: `accepted` is no
    longer what the acceptance said; `original` is the fingerprint of what it said.
    `trace` is the traceparent it came with. `last` is the offset of the last applied event.
    """

    id: str
    tenant: str
    lane: str
    accepted: OrderAccepted
    created: datetime
    updated: datetime
    offset: int
    trace: str | None = None
    state: State = State.ACCEPTED
    run: int = 1
    sequence: int = 1
    position: int = 0
    open_at: int | None = None
    compensating: bool = False
    started_by: str | None = None
    progress: tuple[Progress, ...] = ()
    context: Mapping[str, Mapping[str, Any]] = NOTHING
    sealed: Mapping[str, tuple[Sealed, ...]] = NOTHING
    generations: Mapping[str, int] = NOTHING
    failed_step: str | None = None
    failure: Failure | None = None
    main_completed: bool = False
    passes: int = 0
    behind: str | None = None
    paused: bool = False
    pending: tuple[CommandReceived, ...] = ()
    commands: tuple[str, ...] = ()
    revised: bool = False
    original: bytes | None = None
    last: int = -1

    def but(self, **changes: Any) -> "Order":
        """As `_replace`, several times faster: events do nothing else."""
        values = list(self)
        for name, value in changes.items():
            values[_ORDER[name]] = value
        return tuple.__new__(Order, values)

    @property
    def step(self) -> WaybillStep | None:
        """The step that comes next, or None after the last one."""
        waybill = self.accepted.waybill
        return waybill[self.position] if self.position < len(waybill) else None

    @property
    def open_step(self) -> WaybillStep | None:
        """The step whose result would apply now."""
        return None if self.open_at is None else self.accepted.waybill[self.open_at]

    @property
    def opened(self) -> Progress:
        """How far the step of the open attempt has come."""
        assert self.open_at is not None, "no attempt is open"
        return self.progress[self.open_at]

    @property
    def tries(self) -> int:
        """How many attempts there are with the open one, of those that count."""
        opened = self.opened
        first = self.compensating and opened.status is not StepStatus.COMPENSATING
        return 1 if first else opened.attempts + 1

    @property
    def is_through(self) -> bool:
        """Whether no step of the phase that it is in is left to be begun."""
        waybill = self.accepted.waybill
        if self.position >= len(waybill):
            return True
        return not self.main_completed and waybill[self.position].phase is _POST

    def index_of(self, step: str | None) -> int | None:
        """The place of the step with that id in the waybill."""
        for number, one in enumerate(self.accepted.waybill):
            if one.id == step:
                return number
        return None

    def command(self, command: str | None) -> CommandReceived | None:
        """The pending command with that id."""
        return next((one for one in self.pending if one.command == command), None)


_PROGRESS = {name: place for place, name in enumerate(Progress._fields)}
_ORDER = {name: place for place, name in enumerate(Order._fields)}


def holds_up(step: WaybillStep) -> bool:
    """Whether the order stops where this step fails; it goes on past all others."""
    return step.critical and step.phase is not _POST
