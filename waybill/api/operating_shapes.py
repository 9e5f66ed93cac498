"""The shapes of commands, their answers, what needs a person, and stages."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from projections.queries import OrderFilters
from schemas.commands import CommandKind
from schemas.order_commands import MAX_REASON, CommandId, Name, Reason
from waybill.api.shapes import Moment, OrderId, Reread, Status

MOST_PER_S = 5_000
PACE_PER_S = 500
MOST_IDS = 1_000


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Asked(_Shape):
    id: CommandId | None = Field(
        default=None,
        description="Names the command: the same id again has no second effect. Idempotency-Key "
        "stands in for it, else it is made here",
    )
    command: CommandKind
    step: Name | None = Field(
        default=None, description="For retry, skip and resolve: else the step it stands at"
    )
    output: dict[str, Any] | None = Field(
        default=None, description="For resolve: what the step hands on"
    )
    changes: dict[str, Any] | None = Field(
        default=None, description="For amend: a JSON merge patch (RFC 7396) of the order"
    )
    config: Literal["pinned", "current"] | None = Field(
        default=None, description="For retry and amend: the configuration; pinned where missing"
    )


class CommandBody(_Asked):
    """What is asked of one order."""

    reason: Reason = Field(max_length=MAX_REASON, description="Why; it stays in the log")


class CommandPreviewBody(_Asked):
    """What would be asked of one order, as it would be sent; `id` and `reason` may be missing."""

    reason: Reason | None = Field(default=None, max_length=MAX_REASON)


_REFUSED = "Why the order would reject it as it stands; null: it would take it"
_CONSEQUENCES = "What would happen, in order, for people; nothing of it has been done"


class CommandPreview(_Shape):
    """What a command would do. The order may move on before it is sent."""

    order: OrderId
    command: CommandKind
    step: str | None = Field(description="As asked; null: the one that the order stands at")
    refused: str | None = Field(description=_REFUSED)
    code: str | None = Field(description="The same for programs")
    consequences: list[str] = Field(description=_CONSEQUENCES)
    steps: list[str] = Field(description="The steps that such a command may be about")


class Decided(_Shape):
    """When the order's owner answered the command, and the token of the event that did."""

    at: AwareDatetime
    token: str


class CommandView(_Shape):
    """A command and what came of it."""

    id: str
    order: OrderId
    command: CommandKind
    status: Literal["sent", "pending", "applied", "rejected"] = Field(
        description="sent: on its way to the log; pending: in the log, not answered yet"
    )
    step: str | None = None
    reason: str | None = None
    actor: str | None = None
    received: AwareDatetime | None = None
    code: str | None = Field(default=None, description="Why it was rejected, for programs")
    answer: str | None = Field(default=None, description="Why it was rejected, for people")
    decided: Decided | None = None
    bulk: str | None = None
    token: str = Field(description="Give it as min_offset to wait until the command is answered")


class CommandsPage(_Shape):
    """All commands of an order, first come first."""

    items: list[CommandView]
    next: None


class BulkFilter(_Shape):
    """Which orders; at least one member."""

    ids: list[OrderId] | None = Field(
        default=None, min_length=1, max_length=MOST_IDS, description="These and no others"
    )
    external_id: str | None = None
    status: Status | None = None
    order_type: str | None = None
    stage: str | None = Field(default=None, description="The plugin that the order stands at")
    subscription: str | None = None
    lane: str | None = None
    mode: Literal["production", "test"] | None = None
    from_: Moment | None = Field(default=None, alias="from")
    to: Moment | None = None
    q: str | None = Field(default=None, max_length=255)
    attention: str | None = Field(
        default=None, description="The kind of cause, as /api/attention has it"
    )
    plugin: str | None = Field(default=None, description="The plugin of the cause")
    code: str | None = Field(default=None, description="The code of the cause")
    error_code: str | None = Field(
        default=None, description="The code of what stopped or delays the order"
    )

    def filters(self) -> OrderFilters:
        """As the store takes them."""
        plain = self.model_dump(exclude={"from_", "to"})
        return OrderFilters(**plain, since=self.from_, until=self.to)


BulkId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,79}$")]


class BulkBody(_Shape):
    """What is asked of all orders that a filter finds."""

    id: BulkId | None = Field(
        default=None,
        description="Names the bulk: the same id again goes on where it stands, without second "
        "effects",
    )
    command: CommandKind
    filter: BulkFilter
    reason: Reason = Field(max_length=MAX_REASON)
    step: Name | None = None
    output: dict[str, Any] | None = None
    config: Literal["pinned", "current"] | None = None
    rate_per_s: float = Field(
        default=PACE_PER_S, gt=0, le=MOST_PER_S, description="Orders per second at most"
    )
    preview: bool = Field(default=False, description="Only say how many and which")


class Group(_Shape):
    """Orders alike."""

    status: Status
    plugin: str | None
    code: str | None
    orders: int


class Sample(_Shape):
    """One of the orders that a bulk is about."""

    id: OrderId
    external_id: str | None
    status: Status
    order_type: str
    next_action: str
    refused: str | None = Field(description=_REFUSED)
    code: str | None = Field(description="The same for programs")
    consequences: list[str] | None = Field(
        description=f"{_CONSEQUENCES}. Told of the first orders only, else null"
    )


class BulkPreview(_Shape):
    """How many orders a bulk is about, and which."""

    matched: int
    groups: list[Group]
    some: list[Sample] = Field(description="The newest ones, 20 at most")


class BulkProgress(_Shape):
    """How far a bulk is. What another process began is known by its answers alone."""

    id: str
    command: CommandKind | None
    status: Literal["sending", "deciding", "done", "interrupted"]
    matched: int | None
    sent: int | None
    applied: int
    rejected: int
    pending: int = Field(description="Sent, and not answered yet")
    rejections: dict[str, int] = Field(description="Rejected ones by code")
    rate_per_s: float | None = Field(description="Answers per second so far")
    eta_s: float | None = Field(description="Seconds until all are answered, as it looks")


class AttentionCause(_Shape):
    """Orders that stand for the same reason. Use kind, plugin and code to filter by it.

    Of the kind `webhook_endpoint` is an endpoint that was disabled: `plugin` is its id, `orders`
    are the deliveries that wait for it.
    """

    kind: str
    plugin: str
    code: str
    orders: int
    oldest: AwareDatetime
    needs_person: bool
    some: list[OrderId]


class AttentionPage(_Shape):
    """What needs a person, most orders first; behind that what goes on by itself."""

    items: list[AttentionCause]
    next: None


class Hold(_Shape):
    """Who holds a stage."""

    actor: str
    reason: str
    at: AwareDatetime | None


class RecentAttempts(_Shape):
    """Attempts that were sent in the last five minutes, the latest 500 of each worker at most."""

    attempts: int
    failed: int = Field(description="Also those whose outcome is unknown")
    median_ms: float | None = Field(
        description="Half of them took no longer, as the slowest worker has it"
    )


class LiveStage(_Shape):
    """A stage as its workers have it, at most 20 s ago; `slots` are calls it may have under way."""

    breaker: Literal["closed", "half_open", "open"]
    open_s: float = Field(description="Seconds until an open breaker tries again")
    opened: int
    in_flight: int
    waiting: int = Field(description="Steps that wait in memory for a slot or the rate")
    slots: int
    per_second: float | None
    workers: int
    recent: RecentAttempts


class StageView(_Shape):
    """One stage: a plugin at one host. `waiting` orders go on when it takes more again."""

    id: str
    held: Hold | None
    waiting: int
    oldest: AwareDatetime | None
    live: LiveStage | None = Field(description="Null where no worker has used it lately")


class PluginView(_Shape):
    """Counts of a plugin since the beginning of the log, and its stages as they stand."""

    name: str
    attempts: int
    succeeded: int
    failed: int
    in_doubt: int
    skipped: int
    deferred: int
    compensated: int
    compensation_failed: int
    repeated: int
    callouts: int
    duration_ms: int
    stages: list[StageView]


class StagesPage(_Shape):
    """All stages. While `controls_known` is false, Kafka was not read: nothing shows as held."""

    items: list[PluginView]
    controls_known: bool
    next: None


class StageCommandBody(_Shape):
    """What is asked of a stage."""

    id: CommandId | None = None
    command: Literal["hold", "release"]
    reason: Reason = Field(max_length=MAX_REASON)


class StageCommandView(_Shape):
    """The answer to a command to a stage; workers obey within a second."""

    id: str
    stage: str
    command: Literal["hold", "release"]
    status: Literal["sent"]


class CommandsQuery(Reread):
    """Which bulk."""

    bulk: str | None = None
