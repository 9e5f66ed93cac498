"""The shapes of previews, of Zuora's notifications, and of Limio's objects."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from waybill.api.shapes import Moment, OrderId, OrderOutcome, Reread, Status
from waybill.api.subscription_shapes import SubscriptionStatus

_Reference = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PreviewAmount(BaseModel):
    """An amount that would be billed or given back. Plugins may add members of their own."""

    model_config = ConfigDict(extra="allow")

    date: str | None = Field(default=None, description="The day that it is billed for")
    amount: str = Field(description="A decimal as text, so that nothing is rounded on the way")
    description: str | None = None
    step: str = Field(description="The step of the waybill that would bill it")


class PreviewedStep(_Shape):
    """One step of the waybill, and what else its plugin says of it."""

    id: str
    plugin: str
    previewed: bool = Field(description="false: the plugin has no preview, or the step is skipped")
    more: dict[str, Any]


class PreviewAnswer(_Shape):
    """What the order would do."""

    order_type: str
    mode: Literal["production", "test"]
    subscriptionReference: str  # noqa: N815 - Limio's name
    effectiveDate: str = Field(description="The day on which it takes effect")  # noqa: N815 - Limio's name
    currency: str | None
    futureCharges: list[PreviewAmount]  # noqa: N815 - Limio's name
    credits: list[PreviewAmount] = Field(description="What the buyer gets back")
    warnings: list[str]
    steps: list[PreviewedStep]


class ModeQuery(_Shape):
    """In which mode, for those who come with an API key."""

    mode: Literal["production", "test"] = Field(
        default="production", description="A partner's secret says it by itself"
    )


class ZuoraNotification(BaseModel):
    """What Zuora tells about a subscription. Members that are not known are left out."""

    subscriptionID: _Reference = Field(  # noqa: N815 - Limio's name
        description="The subscription's number (better, since orders have it, too) or id"
    )
    type: _Reference = Field(
        default="Unknown",
        description="Such as CancelSubscription, RenewSubscription, AddProduct, OwnerTransfer",
    )
    data: dict[str, Any] | list[Any] | str | None = Field(
        default=None,
        description="Anything that tells this from another one, such as the order's number",
    )


class SyncAnswer(_Shape):
    """How the subscription's synchronisation went."""

    success: bool | None = Field(description="null: not done yet, see the order")
    id: str = Field(description="The subscription as it was asked for")
    owner: str
    order: OrderId = Field(description="The order of type `external` that does it")
    status: Status
    error: OrderOutcome | None = None


class LimioObject(_Shape):
    """An object in Limio's envelope."""

    id: str
    record_type: Literal["order", "event", "process_event", "subscription", "customer"]
    service: Literal["limio"]
    status: Status | SubscriptionStatus
    owner: str
    customer: str | None = Field(description="The customer that has the subscription: its owner")
    ref: OrderId | None = Field(description="The order that it belongs to, or that opened it")
    reference: str
    name: str
    mode: Literal["production", "test"]
    created: AwareDatetime
    updated: AwareDatetime
    data: dict[str, Any] | None = Field(default=None, description="Left out in lists")


class ObjectsPage(_Shape):
    """A page of objects, the newest first; customers by their owner."""

    items: list[LimioObject]
    queryMore: str | None = Field(  # noqa: N815 - Limio's name
        description="Give it as `queryMore` for the next page; null on the last one"
    )


class RelatedObjects(_Shape):
    """All objects that belong to the same order, subscription or customer."""

    items: list[LimioObject]


class ObjectsQuery(Reread):
    """Which objects to list."""

    limit: int = Field(default=50, ge=1, le=200, description="At most so many")
    queryMore: str | None = Field(  # noqa: N815 - Limio's name
        default=None, description="`queryMore` of the page before"
    )
    status: Status | SubscriptionStatus | None = None
    order_type: str | None = Field(default=None, description="Of orders alone")
    external_id: str | None = Field(default=None, description="Of orders alone")
    from_: Moment | None = Field(
        default=None, alias="from", description="Created at or after this moment"
    )
    to: Moment | None = Field(default=None, description="Created before this moment")
