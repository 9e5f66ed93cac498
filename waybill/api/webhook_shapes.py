"""The shapes of webhook endpoints and deliveries, as they are asked for and answered."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)

from projections.webhooks.deliveries import LIMIT, MOST
from streams.core.webhooks.endpoint import IN_FLIGHT
from waybill.api.shapes import Moment

MOST_IN_FLIGHT = 100
MOST_HEADERS = 20
MOST_PER_S = 10_000
DAY_S = 86_400
TEST = "webhook.test"
LONGEST_OVERLAP_S = 30 * DAY_S

EndpointId: TypeAlias = Annotated[str, Field(pattern=r"^whe_[0-9a-f]{32}$")]
DeliveryId: TypeAlias = Annotated[str, Field(pattern=r"^del_[0-9a-f]{32}$")]
MessageId: TypeAlias = Annotated[str, Field(pattern=r"^msg_[0-9a-f]{32}$")]
DeliveryStatus: TypeAlias = Literal["pending", "delivered", "failed", "discarded"]
Payload: TypeAlias = Literal["thin", "full"]
SecretKind: TypeAlias = Literal["v1", "v1a"]

_Pattern: TypeAlias = Annotated[str, StringConstraints(pattern=r"^(\*|[a-z_]+\.(\*|[a-z_]+))$")]
_Events: TypeAlias = Annotated[list[_Pattern], Field(min_length=1, max_length=100)]
_Url: TypeAlias = Annotated[str, StringConstraints(min_length=1, max_length=2048)]
_Description: TypeAlias = Annotated[str, StringConstraints(max_length=500)]
_NAME = r"^[A-Za-z0-9-]{1,100}$"
_VALUE = r"^[!-~]([ -~]{0,4094}[!-~])?$"
_HeaderName: TypeAlias = Annotated[str, StringConstraints(pattern=_NAME)]
_HeaderValue: TypeAlias = Annotated[str, StringConstraints(pattern=_VALUE)]


def _mapping(value: dict[str, Any]) -> WithJsonSchema:
    """Of `patternProperties`, which pydantic would write, generators of clients make nothing."""
    names = {"pattern": _NAME}
    told = {"type": "object", "propertyNames": names, "additionalProperties": value}
    return WithJsonSchema({**told, "maxProperties": MOST_HEADERS})


_Headers: TypeAlias = Annotated[
    dict[_HeaderName, _HeaderValue],
    Field(max_length=MOST_HEADERS),
    _mapping({"type": "string", "pattern": _VALUE}),
]
_HeaderChanges: TypeAlias = Annotated[
    dict[_HeaderName, _HeaderValue | None],
    Field(max_length=MOST_HEADERS),
    _mapping({"anyOf": [{"type": "string", "pattern": _VALUE}, {"type": "null"}]}),
]
_Rate: TypeAlias = Annotated[float, Field(gt=0, le=MOST_PER_S)]
_InFlight: TypeAlias = Annotated[int, Field(ge=1, le=MOST_IN_FLIGHT)]

_URL = "Where deliveries are posted to: https, a public host, port 443 or 8443"
_EVENTS = "Names or patterns of types: `order.failed`, `order.*`, `*`"
_PAYLOAD = "thin: which order and how it stands; full: what the order holds as well"
_PERSONAL = "Whether full payloads hold personal data: customer, addresses, recipient"
_HEADERS = "Headers that every delivery carries; their values are never shown again"
_RATE = "Deliveries per second at most, over the whole deployment; null: no limit"
_IN_FLIGHT = "Deliveries under way at once at most; those of one order never are"


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class WebhookEndpointBody(_Shape):
    """An endpoint to be made."""

    url: _Url = Field(description=_URL)
    description: _Description = ""
    events: _Events = Field(default=["*"], description=_EVENTS)
    payload: Payload = Field(default="full", description=_PAYLOAD)
    personal_data: bool = Field(default=False, description=_PERSONAL)
    headers: _Headers = Field(default={}, description=_HEADERS)
    enabled: bool = True
    rate_limit: _Rate | None = Field(default=None, description=_RATE)
    max_in_flight: _InFlight = Field(default=IN_FLIGHT, description=_IN_FLIGHT)
    secret_kind: SecretKind = Field(
        default="v1", description="How it is signed: v1 is HMAC-SHA256, v1a is ed25519"
    )


class WebhookEndpointChanges(_Shape):
    """Members to change; what is left out stays as it is."""

    url: _Url = Field(default_factory=str, description=_URL)
    description: _Description = Field(default_factory=str)
    events: _Events = Field(default_factory=list, description=_EVENTS)
    payload: Payload = Field(default_factory=lambda: "full", description=_PAYLOAD)
    personal_data: bool = Field(default_factory=bool, description=_PERSONAL)
    headers: _HeaderChanges = Field(
        default_factory=dict, description=f"{_HEADERS}. Null takes one away"
    )
    enabled: bool = Field(
        default_factory=bool,
        description="True also brings back an endpoint that failed for too long",
    )
    rate_limit: _Rate | None = Field(default_factory=lambda: None, description=_RATE)
    max_in_flight: _InFlight = Field(default_factory=lambda: IN_FLIGHT, description=_IN_FLIGHT)


class WebhookSecretBody(_Shape):
    """How the secret is replaced."""

    kind: SecretKind | None = Field(
        default=None, description="v1: HMAC-SHA256; v1a: ed25519. Else as the present one"
    )
    overlap_s: int = Field(
        default=DAY_S,
        ge=0,
        le=LONGEST_OVERLAP_S,
        description="Seconds for which the present secrets sign along",
    )


class WebhookSecretView(_Shape):
    """A secret that signs, without what has to stay secret."""

    id: str
    kind: SecretKind
    public: str | None = Field(description="`whpk_...`: what verifies `v1a` signatures")
    created: AwareDatetime
    expires: AwareDatetime | None = Field(description="When it signs no more")


class WebhookDisabled(_Shape):
    """Why an endpoint gets nothing."""

    reason: Literal["by_hand", "gone", "failing"] = Field(
        description="gone: it answered 410; failing: nothing but failures for 5 days"
    )
    at: AwareDatetime | None


class WebhookEndpointView(_Shape):
    """An endpoint, and how it does."""

    id: EndpointId
    url: str
    description: str
    events: list[str]
    payload: Payload
    personal_data: bool
    header_names: list[str]
    enabled: bool = Field(description="Whether deliveries are sent; else they wait")
    disabled: WebhookDisabled | None
    rate_limit: float | None
    max_in_flight: int
    secrets: list[WebhookSecretView] = Field(description="Those that sign now, the newest first")
    pending: int = Field(description="Deliveries that wait, also while it is disabled")
    oldest_pending: AwareDatetime | None
    failing_since: AwareDatetime | None
    last_success: AwareDatetime | None
    created: AwareDatetime
    updated: AwareDatetime
    revision: int = Field(description="The ETag; give it in If-Match to change what you saw")


class WebhookEndpointWithSecret(WebhookEndpointView):
    """An endpoint with its new secret, which is shown this once."""

    secret: str = Field(
        description="What signatures are verified with: `whsec_...`; for v1a `whpk_...`"
    )


class WebhookEndpointsPage(_Shape):
    """All endpoints, the oldest first."""

    items: list[WebhookEndpointView]
    next: None


class WebhookEndpointDeleted(_Shape):
    """The endpoint is gone; what was pending for it is discarded."""

    id: EndpointId
    deleted: Literal[True]


class WebhookTestBody(_Shape):
    """What to try the endpoint with."""

    type: str = Field(
        default=TEST,
        max_length=100,
        description="`webhook.test`, or any other type: then its example is sent",
    )


class WebhookTestView(_Shape):
    """A test on its way: read the delivery to see what came of it."""

    delivery: DeliveryId
    message: MessageId
    type: str


class WebhookDeliveryView(_Shape):
    """A message to one endpoint."""

    id: DeliveryId
    endpoint: EndpointId
    message: MessageId
    type: str
    order: str | None = Field(description="The order, or what else it is about")
    status: DeliveryStatus
    attempts: int
    created: AwareDatetime
    next_attempt: AwareDatetime | None = Field(
        description="Null while another one of its order is before it"
    )
    delivered: AwareDatetime | None
    last_status: int | None
    last_error: str | None
    last_latency_ms: int | None
    replays: int


class WebhookDeliveriesPage(_Shape):
    """A page of deliveries, the newest first."""

    items: list[WebhookDeliveryView]
    next: str | None = Field(description="Cursor of the next page, null on the last one")


class WebhookAttempt(_Shape):
    """One attempt. The answer is redacted and cut."""

    attempt: int
    at: AwareDatetime
    status: int | None
    duration_ms: int
    error: str | None
    response: str | None


class WebhookRequest(_Shape):
    """What is posted, less what is secret. A body with personal data is not shown."""

    method: Literal["POST"]
    headers: dict[str, str]
    body: Any
    sealed: bool = Field(description="Whether the body is not shown")


class WebhookDeliveryDetails(WebhookDeliveryView):
    """A delivery with its request and its attempts, the oldest first."""

    request: WebhookRequest
    attempts_log: list[WebhookAttempt]


class WebhookReplayBody(_Shape):
    """Which deliveries to make again: by id, or by a filter with at least one member."""

    ids: list[DeliveryId] | None = Field(default=None, min_length=1, max_length=1000)
    status: DeliveryStatus | None = None
    type: str | None = Field(default=None, max_length=100)
    order: str | None = Field(default=None, max_length=255)
    from_: Moment | None = Field(
        default=None, alias="from", description="Created at or after this moment"
    )
    to: Moment | None = Field(default=None, description="Created before this moment")
    preview: bool = Field(default=False, description="Only say how many")


class WebhookReplayView(_Shape):
    """How many deliveries are made again, with the ids and bodies that they had."""

    matched: int
    replayed: int


class WebhookDeliveriesQuery(_Shape):
    """Which deliveries to list."""

    endpoint: EndpointId | None = None
    status: DeliveryStatus | None = None
    type: str | None = Field(default=None, max_length=100, description="The type's name")
    order: str | None = Field(
        default=None, max_length=255, description="The order, or what else it is about"
    )
    from_: Moment | None = Field(
        default=None, alias="from", description="Created at or after this moment"
    )
    to: Moment | None = Field(default=None, description="Created before this moment")
    cursor: str | None = Field(default=None, description="`next` of the page before")
    limit: int = Field(default=LIMIT, ge=1, le=MOST, description="At most")
