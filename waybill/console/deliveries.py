"""`/webhooks/deliveries`: what was sent to endpoints, with every attempt, and sending it again."""

from typing import Any

from aiohttp import web
from pydantic import Field

from waybill.api import webhook_deliveries as rest
from waybill.api import webhook_endpoints
from waybill.api.auditing import ReasonQuery
from waybill.api.principal import Scope
from waybill.api.webhook_shapes import DeliveryStatus, WebhookDeliveriesQuery
from waybill.console.days import FromDay, ToDay
from waybill.console.pages import Page, Visit

STATUSES: tuple[str, ...] = DeliveryStatus.__args__  # type: ignore[attr-defined]  # a Literal
_REFRESH_S = 5
_ONE = "/webhooks/deliveries/{id:del_[0-9a-f]{32}}"
_REASON = 500


class DeliveriesPageQuery(WebhookDeliveriesQuery):
    """As REST has it; `from` and `to` may be days, the last one included."""

    from_: FromDay | None = Field(default=None, alias="from")
    to: ToDay | None = None


async def endpoints_of(visit: Visit) -> dict[str, Any]:
    """The tenant's endpoints by id, as REST shows them."""
    page = await visit.answer(webhook_endpoints.endpoints)
    return {one["id"]: one for one in page["items"]}


async def deliveries(visit: Visit) -> web.StreamResponse:
    """The newest that fit."""
    query = visit.query(DeliveriesPageQuery)
    page = await visit.answer(rest.deliveries, query)
    given = {name: value for name, value in visit.request.query.items() if value}
    return visit.page(
        "deliveries.html",
        refresh=None if query.cursor else _REFRESH_S,
        deliveries=page["items"],
        next=page["next"],
        given=given,
        chosen=bool(given.keys() - {"cursor", "limit"}),
        statuses=STATUSES,
        endpoints=await endpoints_of(visit),
    )


async def delivery(visit: Visit) -> web.StreamResponse:
    """One delivery with its request and its attempts."""
    found = await visit.answer(rest.delivery)
    known = await endpoints_of(visit)
    return visit.page(
        "delivery.html",
        refresh=_REFRESH_S if found["status"] == "pending" else None,
        one=found,
        endpoint=known.get(found["endpoint"]),
    )


async def replay(visit: Visit) -> web.StreamResponse:
    """Makes it again; back to it."""
    reason = (await visit.form()).get("reason", "")[:_REASON]
    await visit.answer(rest.replay_one, ReasonQuery(reason=reason or None))
    return visit.see(f"/webhooks/deliveries/{visit.part('id')}", "It is delivered again.")


PAGES = (
    Page("GET", "/webhooks/deliveries", deliveries, Scope.READ),
    Page("GET", _ONE, delivery, Scope.READ),
    Page("POST", f"{_ONE}/replay", replay, Scope.OPERATE),
)
