"""The shapes of our own webhooks' data; JSON Schemas and the reference are made from them."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

OrderId: TypeAlias = Annotated[str, StringConstraints(pattern="^order-[0-9a-f]{32}$")]
Section: TypeAlias = Annotated[Any, Field(description="As it was sent")]
"""A part of the order's document: nobody checks more of it than its plugins do."""

PersonalSection: TypeAlias = Annotated[
    Any, Field(description="As it was sent; only for endpoints that may have personal data")
]

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


class Shape(BaseModel):
    """What is sent has these members and no others; receivers should expect further ones."""

    model_config = ConfigDict(extra="forbid")


class BuyerError(Shape):
    """Why it failed, in words fit for the person who bought."""

    code: str
    buyer_message: str


class OrderError(BuyerError):
    """Why it failed, for the people who operate."""

    step: str
    plugin: str
    message: str


class OrderRef(Shape):
    """Which order, and how it stood: the thin payload."""

    id: OrderId
    order_reference: str
    external_id: str | None
    order_type: str = Field(description="One of the thirteen, or one that the tenant declared")
    mode: Literal["production", "test"]
    status: Status
    subscriptionReference: str  # noqa: N815 - Limio's name
    sequence: int = Field(ge=1, description="Rises with every event of the order")
    previous_sequence: int | None = Field(
        description="`sequence` of the update before this one, of the types `order.*`: where it is "
        "not the last one that came, one is missing"
    )
    run: int = Field(ge=1, description="A failed order can be run again")
    created: AwareDatetime
    updated: AwareDatetime
    completion: str | None = Field(description="`order complete` or `change complete`")


class OrderThin(OrderRef):
    """The thin payload of what becomes of an order."""

    error: BuyerError | None


class StepError(Shape):
    """Why the step stands as it does."""

    code: str
    kind: str
    message: str


class OrderStep(Shape):
    """One step of the waybill, and how far it has come."""

    id: str
    name: str = Field(description="The plugin")
    service: str
    phase: Literal["main", "post"]
    critical: bool
    status: str
    attempts: int
    attempt: int
    next_attempt: AwareDatetime | None
    deferred_by: str | None
    error: StepError | None
    started: AwareDatetime | None
    ended: AwareDatetime | None


class PendingCommand(Shape):
    """A command that the order has not answered yet."""

    id: str
    kind: str
    step: str | None


class PersonalSections(Shape):
    """What of the document is personal; there only for endpoints that may have it."""

    customerDetails: PersonalSection = None  # noqa: N815 - Limio's name
    billingDetails: PersonalSection = None  # noqa: N815 - Limio's name
    deliveryDetails: PersonalSection = None  # noqa: N815 - Limio's name
    recipientDetails: PersonalSection = None  # noqa: N815 - Limio's name
    payment: PersonalSection = None
    notificationData: PersonalSection = None  # noqa: N815 - ours, in Limio's way


class OrderFull(OrderRef):
    """The order as it stood."""

    owner: str
    config_version: int
    lane: str
    effective_date: str = Field(description="The day that its steps work with (ISO date)")
    next_action: str
    queued_behind: str | None
    pending_commands: list[PendingCommand]
    steps: list[OrderStep]
    error: OrderError | None
    items: list[dict[str, Any]] = Field(description="`orderItems` of the document")
    context: dict[str, dict[str, Any]] = Field(
        description="What each step handed on, by its id: ids in the CRM, billing account, order, "
        "subscription and memo numbers; less what is sealed"
    )


class OrderWithDocument(OrderFull):
    """The order as it stood, and what it asks for."""

    document: dict[str, Any] = Field(
        description="The order as it was sent, less its items and what is sealed"
    )


class OrderWithAll(OrderWithDocument, PersonalSections):
    """The order as it stood, what it asks for, and for whom."""


class StepOutcome(Shape):
    """What became of an attempt."""

    id: str
    name: str = Field(description="The plugin")
    status: str
    attempt: int
    next_attempt: AwareDatetime | None = Field(description="When it is tried again by itself")
    error: BuyerError | None


class StepThin(OrderRef):
    """The thin payload of a step's result."""

    step: StepOutcome


class AttemptError(StepError):
    """Why the attempt failed."""

    buyer_message: str


class StepResultFull(Shape):
    """The result of an attempt."""

    id: str
    name: str = Field(description="The plugin")
    service: str
    phase: Literal["main", "post"]
    critical: bool
    status: str
    attempt: int
    next_attempt: AwareDatetime | None = Field(description="When it is tried again by itself")
    reason: str | None = Field(description="Why it was skipped or deferred")
    output: dict[str, Any] | None = Field(description="What it handed on, less what is sealed")
    error: AttemptError | None


class StepFull(OrderRef):
    """The full payload of a step's result."""

    step: StepResultFull


class OrderWithStep(OrderFull):
    """The order as it stood, and the result of an attempt, as `order-updates` has it."""

    step: StepResultFull


class JourneyTold(Shape):
    """What a buyer has done, as `order-updates` has it."""

    id: Annotated[str, StringConstraints(pattern="^event-[0-9a-f]{32}$")]
    type: str
    created: AwareDatetime
    order: OrderId | None
    subscription: str | None
    data: dict[str, Any] = Field(description="As it was told, less what is personal")


class Tried(Shape):
    """Sent when somebody tries an endpoint."""

    endpoint: str = Field(description="Its id")
    description: str = Field(description="What its owner says of it")


class EndpointDisabled(Shape):
    """Which endpoint gets nothing any more, and why."""

    endpoint: str = Field(description="Its id")
    url: str = Field(description="Scheme, host and port of it")
    reason: Literal["gone", "failing"] = Field(
        description="`gone`: it answered 410; `failing`: nothing but failures for days"
    )
    failing_since: AwareDatetime | None
    disabled_at: AwareDatetime
