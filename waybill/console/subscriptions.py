"""`/subscriptions`: as their orders left them, with those orders and what happened to them."""

from aiohttp import web
from pydantic import Field

from waybill.api import subscriptions as rest
from waybill.api.principal import Scope
from waybill.api.subscription_shapes import PageQuery, SubscriptionsQuery, SubscriptionStatus
from waybill.console.days import FromDay, ToDay
from waybill.console.order_shown import worded
from waybill.console.pages import Page, Visit

STATUSES: tuple[str, ...] = SubscriptionStatus.__args__  # type: ignore[attr-defined]  # a Literal
_MORE = frozenset({"offer", "account", "crm", "mode", "from", "to"})
_ORDERS, _EVENTS = 20, 30


class SubscriptionsPageQuery(SubscriptionsQuery):
    """As REST has it; `from` and `to` may be days, the last one included."""

    from_: FromDay | None = Field(default=None, alias="from")
    to: ToDay | None = None


class SubscriptionPageQuery(PageQuery):
    """Which page of its orders."""

    limit: int = _ORDERS


async def subscriptions(visit: Visit) -> web.StreamResponse:
    """The newest that fit."""
    query = visit.query(SubscriptionsPageQuery)
    page = await visit.answer(rest.subscriptions, query)
    given = {name: value for name, value in visit.request.query.items() if value}
    return visit.page(
        "subscriptions.html",
        live=None if query.cursor else "",
        subscriptions=page["items"],
        next=page["next"],
        given=given,
        chosen=bool(given.keys() - {"cursor", "limit"}),
        more=bool(given.keys() & _MORE),
        statuses=STATUSES,
    )


async def subscription(visit: Visit) -> web.StreamResponse:
    """One subscription."""
    query = visit.query(SubscriptionPageQuery)
    found = await visit.answer(rest.subscription)
    orders = await visit.answer(rest.orders, query)
    events = await visit.answer(rest.timeline, PageQuery(limit=_EVENTS))
    return visit.page(
        "subscription.html",
        live="",
        one=found,
        orders=orders["items"],
        next=orders["next"],
        events=[(worded(event["type"]), event) for event in events["items"]],
    )


PAGES = (
    Page("GET", "/subscriptions", subscriptions, Scope.READ),
    Page("GET", "/subscriptions/{reference}", subscription, Scope.READ),
)
