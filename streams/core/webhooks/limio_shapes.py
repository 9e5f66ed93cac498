"""The shapes of Limio's webhooks: its objects, without an envelope of ours."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from streams.core.webhooks.shapes import OrderError, OrderId, Status


class _Open(BaseModel):
    """What is in the order's document goes along as it was sent."""

    model_config = ConfigDict(extra="allow")


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class LimioSummary(_Closed):
    """What all of Limio's objects have: the thin payload."""

    id: str = Field(description="As `GET /api/objects/limio/...` has it")
    record_type: str
    service: Literal["limio"]
    status: str
    owner: str = Field(description="`id-<hex>`, or as the order says")
    customer: str | None = Field(description="The owner, of what belongs to a customer")
    ref: str | None = Field(description="The order that it comes from; of a subscription with item")
    reference: str
    name: str
    mode: Literal["production", "test"]
    created: AwareDatetime
    updated: AwareDatetime


class OrderData(_Open):
    """The order's document with what has become of it."""

    orderItems: list[dict[str, Any]]  # noqa: N815 - Limio's name
    orderState: Status  # noqa: N815 - Limio's name
    external_id: str | None
    order_type: str
    subscriptionReference: str  # noqa: N815 - Limio's name
    completion: str | None
    error: OrderError | None
    run: int


class LimioOrder(LimioSummary):
    """An order."""

    record_type: Literal["order"]
    data: OrderData


class CustomerData(_Open):
    """The customer: how billing and CRM know them; who they are where that may be told."""

    accountId: str | None = Field(description="The account in the CRM")  # noqa: N815 - Limio's name
    contactId: str | None = Field(description="The contact in the CRM")  # noqa: N815 - Limio's name
    accountNumber: str | None = Field(description="The billing account")  # noqa: N815 - Zuora's name
    subscriptions: list[str] = Field(description="References; the one that the order is about")


class LimioCustomer(LimioSummary):
    """A customer."""

    record_type: Literal["customer"]
    data: CustomerData


class SubscriptionAttributes(_Open):
    """How it goes on."""

    autoRenew: bool | None  # noqa: N815 - Limio's name


class SubscriptionData(_Closed):
    """What was bought."""

    name: str | None
    tracking: Any = None
    offer: Any = Field(default=None, description="The first item's offer, as Limio has it")
    price: Any = None
    termStartDate: str | None  # noqa: N815 - Limio's name
    termEndDate: str | None  # noqa: N815 - Limio's name
    attributes: SubscriptionAttributes
    subscriptionNumber: str | None = Field(description="In billing")  # noqa: N815 - Zuora's name


class OfferData(_Closed):
    """An offer that the subscription holds."""

    start: str | None
    end: str | None = Field(description="null: still held")
    record_subtype: Literal["offer", "discount"]
    quantity: str | None
    offer: Any = None


class SubscriptionOffer(_Closed):
    """One of its offers."""

    id: str
    data: OfferData


class LimioSubscription(LimioSummary):
    """A subscription."""

    record_type: Literal["subscription"]
    status: Literal["active", "pending"]
    start: str
    data: SubscriptionData
    offers: list[SubscriptionOffer]
    schedule: list[dict[str, Any]] = Field(description="Billing has it; always empty")


class SubscriptionName(_Closed):
    """The subscription that is meant."""

    id: str
    reference: str


class EntitlementData(_Closed):
    """What the subscription entitles to from then on."""

    subscription: SubscriptionName
    granted: list[str] = Field(description="The entitlements that were granted")
    ended: bool = Field(description="Whether it entitles to nothing any more")
    grantId: str | None  # noqa: N815 - the entitlement system's
    effectiveDate: str | None  # noqa: N815 - Limio's name


class LimioEntitlement(LimioSummary):
    """The entitlements of a subscription."""

    record_type: Literal["user_entitlement"]
    status: Literal["active", "ended"]
    data: EntitlementData


class EventThinData(_Closed):
    """Which kind of event."""

    type: str
    message: str


class LimioEventThin(_Closed):
    """That something was done."""

    id: Annotated[str, StringConstraints(pattern="^event-")]
    record_type: Literal["event"]
    status: Literal["submitted"]
    created: AwareDatetime
    data: EventThinData


class SubscriptionId(_Closed):
    """The reference of the subscription that is meant."""

    id: str


class EventBody(_Open):
    """What was done, as whoever told it said; without what is personal."""

    subscriptions: list[SubscriptionId]


class EventData(EventThinData):
    """Which kind of event, and what was done."""

    event: EventBody


class LimioEvent(LimioEventThin):
    """Something that was done."""

    data: EventData


class PluginError(_Closed):
    """A failure of a step."""

    name: str = Field(description="The plugin")
    message: str
    code: str


class ErrorEventThin(_Closed):
    """The order's event."""

    type: str = Field(description="`order.<order type>`")
    message: str


class LimioErrorThin(_Closed):
    """Which order has met with errors."""

    eventId: str  # noqa: N815 - Limio's name
    processEventId: str  # noqa: N815 - Limio's name
    event: ErrorEventThin
    pluginErrorOutput: list[PluginError]  # noqa: N815 - Limio's name


class ErrorOrder(_Open):
    """The order's document, and how it stands."""

    id: OrderId
    orderState: Status  # noqa: N815 - Limio's name
    order_type: str
    external_id: str | None
    mode: Literal["production", "test"]
    orderItems: list[dict[str, Any]]  # noqa: N815 - Limio's name


class ErrorEvent(ErrorEventThin):
    """The order's event with the order."""

    event: ErrorOrder


class LimioError(LimioErrorThin):
    """An order that has met with errors, and all of them so far."""

    event: ErrorEvent
