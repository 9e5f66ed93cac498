"""The shapes of subscriptions, as the orders left them."""

from datetime import date
from typing import Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from waybill.api.shapes import FeedEntry, Moment, OrderId, Reread, Status

SubscriptionStatus: TypeAlias = Literal[
    "initial", "pending", "active", "suspended", "expired", "cancelled"
]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Price(_Shape):
    """As the order said it."""

    amount: str | None
    currency: str | None


class SubscribedItem(_Shape):
    """One offer of the subscription; `until` is the first day without it."""

    name: str | None
    offer: str | None = Field(description="The offer's path, else its id")
    offer_type: str
    quantity: str | None
    price: Price
    rate_plan: str | None
    products: list[str]
    from_: date = Field(alias="from")
    until: date | None
    order: OrderId = Field(description="The order that brought it")


class SubscriptionTerm(_Shape):
    """The term that runs or that was booked last; `end` is the first day behind it."""

    start: date | None
    end: date | None
    length: int | None
    unit: Literal["day", "week", "month", "quarter", "year"] | None
    auto_renew: bool | None


class GivenBackView(_Shape):
    """A refund or a credit."""

    order: OrderId
    order_type: str
    on: date
    amount: str | None
    currency: str | None
    memo: str | None


class SubscriptionView(_Shape):
    """A subscription as its completed orders left it. Nothing of people or payment is in it."""

    reference: str
    status: SubscriptionStatus = Field(
        description="As of today (UTC). initial: no order has opened it yet, or a gift is not "
        "redeemed; pending: an activation is awaited"
    )
    owner: str
    mode: Literal["production", "test"]
    start: date | None
    ends: date | None = Field(description="The first day that it is cancelled, even to come")
    term: SubscriptionTerm
    currency: str | None
    items: list[SubscribedItem]
    plans: list[str] = Field(description="Rate plans, as the billing system last told")
    numbers: dict[str, dict[str, str | list[str]]] = Field(
        description="Ids and numbers of its records by service: accounts, subscription, memos"
    )
    given_back: list[GivenBackView] = Field(description="The latest 20")
    created: AwareDatetime
    updated: AwareDatetime | None
    first_order: OrderId
    last_order: OrderId | None
    last_type: str | None
    orders: int = Field(description="Completed ones")


class OpenOrder(_Shape):
    """An order of the subscription that has not ended."""

    id: OrderId
    order_type: str
    status: Status


class OneSubscription(SubscriptionView):
    """With its orders under way."""

    open_orders: list[OpenOrder] = Field(description="The oldest 20")


class SubscriptionsPage(_Shape):
    """A page of subscriptions, the newest first."""

    items: list[SubscriptionView]
    next: str | None = Field(description="Cursor of the next page, null on the last one")


class SubscriptionTimeline(_Shape):
    """Events of all its orders, the latest first."""

    items: list[FeedEntry]
    next: str | None = Field(description="Cursor of the next page, null on the last one")


class PageQuery(Reread):
    """Which page."""

    cursor: str | None = Field(default=None, description="`next` of the page before")
    limit: int = Field(default=50, ge=1, le=200, description="At most so many")


class SubscriptionsQuery(PageQuery):
    """Which subscriptions to list."""

    status: SubscriptionStatus | None = None
    owner: str | None = Field(default=None, max_length=400)
    mode: Literal["production", "test"] | None = None
    offer: str | None = Field(
        default=None, max_length=400, description="The offer's path that it has now"
    )
    account: str | None = Field(
        default=None, max_length=400, description="Number of the account in the billing system"
    )
    crm: str | None = Field(default=None, max_length=400, description="Id of the CRM's account")
    from_: Moment | None = Field(
        default=None, alias="from", description="Created at or after this moment"
    )
    to: Moment | None = Field(default=None, description="Created before this moment")
    q: str | None = Field(default=None, max_length=255, description="Begins the reference")
