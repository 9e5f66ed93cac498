"""`/orders`: search and filters in the address, a live list, and the choice of orders to act on."""

import re

from aiohttp import web
from pydantic import Field

from projections.attention import DEFERRED, PAUSED
from schemas.commands import CommandKind
from schemas.orders import ORDER_TYPES
from waybill.api import orders as rest
from waybill.api.principal import Scope
from waybill.api.shapes import OrdersQuery, Status
from waybill.api.tokens import ORDER_ID
from waybill.console.days import FromDay, ToDay
from waybill.console.pages import Page, Visit

FOR_MANY = (
    CommandKind.RETRY,
    CommandKind.SKIP,
    CommandKind.PAUSE,
    CommandKind.RESUME,
    CommandKind.RELEASE,
    CommandKind.CANCEL,
    CommandKind.FORCE_COMPLETE,
)
"""What can be asked of many orders alike: nothing that needs an answer for each of them."""

STATUSES: tuple[str, ...] = Status.__args__  # type: ignore[attr-defined]  # it is a Literal
CAUSES = (
    "failed",
    "in_doubt",
    "post_failed",
    "compensation_failed",
    "follow_up",
    DEFERRED,
    PAUSED,
)
_CHIPS = {
    "external_id": "External id",
    "attention": "Needs attention",
    "plugin": "Plugin of the cause",
    "code": "Code of the cause",
    "error_code": "Error",
    "subscription": "Subscription",
    "lane": "Lane",
}
"""Filters that links set; shown so that they can be taken away."""
_MORE = ("order_type", "stage", "mode", "error_code", "from", "to")


class OrdersPageQuery(OrdersQuery):
    """As REST has it; `from` and `to` may be days, the last one included."""

    from_: FromDay | None = Field(default=None, alias="from")
    to: ToDay | None = None


async def orders(visit: Visit) -> web.StreamResponse:
    """The newest orders that fit; the id of one leads to it."""
    query = visit.query(OrdersPageQuery)
    if query.q and re.fullmatch(ORDER_ID, query.q.strip()) and not visit.is_fragment:
        return visit.see(f"/orders/{query.q.strip()}")
    page = await visit.answer(rest.orders, query)
    given = {name: value for name, value in visit.request.query.items() if value}
    chosen = {name: value for name, value in given.items() if name not in {"cursor", "limit"}}
    names = [field.alias or name for name, field in OrdersPageQuery.model_fields.items()]
    return visit.page(
        "orders.html",
        live=None if query.cursor else "",
        orders=page["items"],
        next=page["next"],
        given={**dict.fromkeys(names), **given},
        chosen=chosen,
        chips={name: label for name, label in _CHIPS.items() if name in chosen},
        more=any(name in chosen for name in _MORE),
        statuses=STATUSES,
        order_types=ORDER_TYPES,
        stages=sorted(visit.services.plugins),
        causes=CAUSES,
        commands=[kind.value for kind in FOR_MANY],
    )


PAGES = (Page("GET", "/orders", orders, Scope.READ),)
