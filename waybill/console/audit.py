"""`/audit`: who did what and why."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web
from pydantic import Field

from projections.audit import AuditKind
from waybill.api.audit import audit_page
from waybill.api.audit_shapes import AuditQuery
from waybill.api.principal import Scope
from waybill.console.days import FromDay, ToDay
from waybill.console.pages import Page, Visit
from waybill.console.rendering import url

KINDS: Mapping[str, str] = {
    AuditKind.COMMAND: "Command to an order",
    AuditKind.BULK: "Command to many orders",
    AuditKind.CONFIGURATION: "Configuration",
    AuditKind.STAGE: "Stage",
    AuditKind.WEBHOOK_ENDPOINT: "Webhook endpoint",
    AuditKind.WEBHOOK_DELIVERY: "Webhook delivery",
    AuditKind.REJECTED: "Rejected record",
    AuditKind.API_KEY: "API key",
    AuditKind.VIEWS: "Views",
}
"""The kinds of entries, as people call them."""

_PLACES: Mapping[str, str] = {
    AuditKind.COMMAND: "/orders/",
    AuditKind.CONFIGURATION: "/configuration/versions/",
    AuditKind.WEBHOOK_ENDPOINT: "/webhooks/",
    AuditKind.WEBHOOK_DELIVERY: "/webhooks/deliveries/",
    AuditKind.REJECTED: "/rejected/",
}


class AuditPageQuery(AuditQuery):
    """As REST has it; `from` and `to` may be days, the last one included."""

    from_: FromDay | None = Field(default=None, alias="from")
    to: ToDay | None = None


async def audit(visit: Visit) -> web.StreamResponse:
    """The newest entries that fit."""
    query = visit.query(AuditPageQuery)
    page = await audit_page(visit.call(), query)
    given = {name: value for name, value in visit.request.query.items() if value}
    return visit.page(
        "audit.html",
        live=None if query.cursor else "",
        entries=[{**one, "href": _place(one)} for one in page["items"]],
        next=page["next"],
        given=given,
        kinds=KINDS,
        bulk=query.bulk,
    )


def _place(entry: Mapping[str, Any]) -> str | None:
    """The page of what was acted on, where it has one."""
    if entry["kind"] == AuditKind.BULK:
        return url("/audit", bulk=entry["subject"])
    if entry["kind"] == AuditKind.STAGE:
        return "/stages"
    place = _PLACES.get(entry["kind"])
    return None if place is None else f"{place}{entry['subject']}"


PAGES = (Page("GET", "/audit", audit, Scope.OPERATE),)
