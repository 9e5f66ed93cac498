"""`GET /api/audit`: who did what and why."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from projections.audit_queries import AuditFilters
from waybill.api.audit_shapes import AuditQuery
from waybill.api.call import Call, answered
from waybill.api.subscriptions import page_of


async def audit(call: Call) -> web.Response:
    """A page of what people did to the tenant's orders and settings, the newest first."""
    return answered(await audit_page(call, call.query))


async def audit_page(call: Call, query: AuditQuery) -> Mapping[str, Any]:
    """The page; a 400 problem where its cursor is none of ours."""
    filters = AuditFilters(
        **query.model_dump(include={"kind", "actor", "subject", "bulk"}),
        since=query.from_,
        until=query.to,
    )
    return await page_of(
        call, lambda reading: reading.audit(call.tenant, filters, query.cursor, query.limit)
    )
