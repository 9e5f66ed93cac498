"""The shapes of answers and queries, as the OpenAPI document shows them."""

import re
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from projections.listing import OrderFilters
from waybill.api.tokens import ORDER_ID, TOKEN

Status: TypeAlias = Literal[
    "submitted",
    "processing",
    "waiting",
    "queued",
    "paused",
    "in_doubt",
    "post_processing",
    "complete",
    "failed",
    "cancelled",
]
"""Where an order stands."""

OrderId: TypeAlias = Annotated[str, Field(pattern=f"^{ORDER_ID}$")]

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d")


def _written_out(given: Any) -> Any:
    """A count of seconds is no moment: nobody would see whether it is one of milliseconds."""
    if not isinstance(given, str):
        return given
    if _MOMENT.match(given) is None:
        raise ValueError("a moment as RFC 3339 has it, such as 2026-03-01T10:15:30Z, is needed")
    # Read here: behind a validator of ours, a strict reader takes a text for no moment at all.
    return datetime.fromisoformat(given)


Moment: TypeAlias = Annotated[AwareDatetime, BeforeValidator(_written_out)]
"""A moment in a request: RFC 3339, with offset."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Error(_Shape):
    """Why an order stopped. Members behind `buyer_message` need the scope `operate`."""

    code: str
    buyer_message: str
    step: str | None = None
    plugin: str | None = None
    message: str | None = None


class StepError(_Shape):
    """Why a step failed. Members behind `code` need the scope `operate`."""

    code: str
    kind: str | None = None
    message: str | None = None


class StepView(_Shape):
    """One entry of the order's waybill and how far it has come."""

    id: str
    name: str
    service: str
    phase: Literal["main", "post"]
    critical: bool
    status: Literal[
        "pending",
        "started",
        "waiting",
        "succeeded",
        "failed",
        "skipped",
        "in_doubt",
        "compensating",
        "compensated",
        "compensation_failed",
    ]
    attempts: int = Field(description="How many were sent")
    attempt: int = Field(description="The number of the open or the next one")
    next_attempt: AwareDatetime | None = Field(description="When it opens by itself")
    deferred_by: str | None = Field(description="The stage that lets it go on instead")
    error: StepError | None
    started: AwareDatetime | None
    ended: AwareDatetime | None


class PendingCommand(_Shape):
    """A command that the order has not answered yet."""

    id: str
    kind: str
    step: str | None


class OrderView(_Shape):
    """One order with its steps."""

    id: OrderId
    order_reference: str
    status: Status
    external_id: str | None
    subscriptionReference: str  # noqa: N815 - Limio's name
    owner: str
    order_type: str
    mode: Literal["production", "test"]
    created: AwareDatetime
    updated: AwareDatetime
    config_version: int
    lane: str
    next_action: str = Field(description="What happens next, or what a person can do")
    queued_behind: OrderId | None = Field(description="The order of its lane that it waits for")
    pending_commands: list[PendingCommand]
    commands: list[str] | None = Field(
        default=None, description="Those that would not be rejected now; of one order alone"
    )
    steps: list[StepView]
    run: int
    completion: Literal["order complete", "change complete"] | None
    error: Error | None
    as_of: str | None = Field(
        default=None, description="Where `as_of` was asked for: the last event that counts there"
    )


class OrdersPage(_Shape):
    """A page of orders, the newest first."""

    items: list[OrderView]
    next: str | None = Field(description="Cursor of the next page, null on the last one")


class OrderOutcome(_Shape):
    """Why the order did not go through, in words fit for the buyer."""

    code: str
    buyer_message: str


class OrderAnswer(_Shape):
    """The answer to a submission."""

    id: OrderId
    order_reference: str
    status: Status
    external_id: str | None
    subscriptionReference: str  # noqa: N815 - Limio's name
    owner: str
    token: str = Field(description="Give it as min_offset to read what was written here")
    error: OrderOutcome | None = None


class TimelineEntry(_Shape):
    """One event of an order. What partners were sent and answered needs the scope `operate`."""

    id: str
    type: str
    at: AwareDatetime
    partition: int
    offset: int
    token: str
    run: int
    sequence: int
    actor: str
    causation: str | None
    trace: str | None
    origin: str | None
    data: dict[str, Any]


class Timeline(_Shape):
    """The events of an order, in log order."""

    items: list[TimelineEntry]
    next: None


class FeedEntry(TimelineEntry):
    """One event of any order of the tenant."""

    order: OrderId


class BodyView(_Shape):
    """A recorded body: redacted and cut, with length and digest of the whole."""

    text: str
    length: int
    sha256: str
    of: str | None


class CalloutView(_Shape):
    """One exchange with a partner. Bodies, error and key need the scope `operate`."""

    plugin: str
    call: str | None
    attempt: int
    method: str
    url: str
    status: int | None
    duration_ms: float
    request: BodyView | None
    response: BodyView | None
    error: str | None
    key: str | None
    at: AwareDatetime
    ended: AwareDatetime


class EventError(_Shape):
    """A failed step. The message needs the scope `operate`."""

    name: str
    message: str | None
    code: str


class LogLine(_Shape):
    """One line of the order's log. Those that are not of level `info` need the scope `operate`."""

    at: AwareDatetime
    level: Literal["info", "warning", "error", "operator"]
    message: str


class ProcessEvent(_Shape):
    """The execution record of one run of an order."""

    id: str
    order: OrderId
    run: int
    callouts: list[CalloutView]
    errors: list[EventError]
    logs: list[LogLine]


class ProcessEvents(_Shape):
    """The execution records of an order."""

    items: list[ProcessEvent]
    next: None


class ProblemDocument(BaseModel):
    """What is wrong (RFC 9457), with the member to blame and what to do about it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = Field(description="JSON pointer, header or query parameter to blame")
    remedy: str


class Check(_Shape):
    """One thing that has to be well before requests should come."""

    name: str
    ok: bool
    detail: str


class Readiness(_Shape):
    """Whether requests should come, and what is missing else."""

    status: Literal["ready", "not_ready"]
    missing: list[str]
    checks: list[Check]


class Liveness(_Shape):
    """The process answers."""

    status: Literal["live"]


class SchemaVersion(_Shape):
    """One version of a subject, as Confluent's registry shows it."""

    subject: str
    version: int
    id: int
    schema_: str = Field(alias="schema")


class SchemaText(_Shape):
    """A schema by its id."""

    schema_: str = Field(alias="schema")


class Compatibility(_Shape):
    """How a subject may change."""

    compatibilityLevel: str  # noqa: N815 - Confluent's name


class RegistryError(_Shape):
    """What Confluent's clients expect where something is missing."""

    error_code: int
    message: str


class NoQuery(_Shape):
    """No query parameters."""


class RegistryQuery(BaseModel):
    """What a registry's clients add (`subject`, `deleted`, `format`) changes no answer."""


class Reread(_Shape):
    """Reading what was just written."""

    min_offset: str | None = Field(
        default=None,
        description="A token: waits up to 5 s until the views hold what it stands for",
        examples=["e3:120"],
        json_schema_extra={"pattern": TOKEN},
    )


class OrdersFilter(Reread):
    """Which orders."""

    external_id: str | None = None
    status: Status | None = None
    order_type: str | None = None
    stage: str | None = Field(default=None, description="The plugin that the order stands at")
    attention: str | None = Field(
        default=None, description="The kind of its cause, as /api/attention has it"
    )
    plugin: str | None = Field(default=None, description="The plugin of its cause")
    code: str | None = Field(default=None, description="The code of its cause")
    error_code: str | None = Field(
        default=None, description="The code of what stopped or delays it"
    )
    from_: Moment | None = Field(
        default=None, alias="from", description="Created at or after this moment"
    )
    to: Moment | None = Field(default=None, description="Created before this moment")
    subscription: str | None = Field(default=None, description="The subscription's reference")
    lane: str | None = Field(default=None, description="Orders that wait for each other")
    mode: Literal["production", "test"] | None = None
    q: str | None = Field(
        default=None,
        max_length=255,
        description="Words, the last one perhaps only begun: of ids, references, offers, products,"
        " plugins, errors, and of numbers that partners gave",
    )

    def filters(self) -> OrderFilters:
        """As the store takes them."""
        plain = self.model_dump(exclude={"from_", "to", "cursor", "limit", "min_offset"})
        return OrderFilters(**plain, since=self.from_, until=self.to)


class OrdersQuery(OrdersFilter):
    """Which orders to list."""

    cursor: str | None = Field(default=None, description="`next` of the page before")
    limit: int = Field(
        default=50, ge=1, le=200, description="At most; a page may hold fewer and have a next one"
    )
