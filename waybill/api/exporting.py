"""`GET /api/orders/export`: all orders that filters find, one JSON object per line, as a stream."""

from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from projections.export_columns import EXPORTED
from projections.exporting import ExportedPage
from waybill.api.auth import Scope
from waybill.api.call import Answer, Call, Route
from waybill.api.problems import ApiProblem
from waybill.api.shapes import OrdersFilter

CONTENT_TYPE = "application/x-ndjson"
AT_ONCE = 1_000
"""Orders of one look at the store: short enough that nobody else waits for long."""

_FOR_OPERATORS = ("error_step", "error_plugin")


async def export(call: Call) -> web.StreamResponse:
    """From the newest order to the oldest; those that arrive meanwhile are not among them.

    A store that goes away meanwhile ends the stream without its end, so that nobody takes what
    has come for everything.
    """
    page = await _page(call, None)
    response = web.StreamResponse(headers={"Content-Type": CONTENT_TYPE})
    await response.prepare(call.request)
    while True:
        await response.write(_lines(call, page))
        if page.following is None or call.api.closing.is_set():
            break
        try:
            page = await _page(call, page.following)
        except ApiProblem:
            break
    if page.following is None:
        await response.write_eof()
    elif call.request.transport is not None:
        call.request.transport.abort()
    return response


async def _page(call: Call, cursor: str | None) -> ExportedPage:
    filters = call.query.filters()
    return await call.api.reader.ask(
        lambda reading: reading.exported(call.tenant, filters, cursor, AT_ONCE)
    )


def _lines(call: Call, page: ExportedPage) -> bytes:
    return b"".join(orjson.dumps(_shown(call, row)) + b"\n" for row in page.rows)


def _shown(call: Call, row: Mapping[str, Any]) -> Mapping[str, Any]:
    return row if call.operates else {**row, **dict.fromkeys(_FOR_OPERATORS)}


_EXAMPLE: Mapping[str, Any] = {
    "id": "order-4c320a74a00b500cbd307f5a8d123ad4",
    "order_reference": "7Q2KX5M9ADLP",
    "external_id": "HARBOUR-2026-0001",
    "subscription": "SUB-8F2K",
    "owner": "shop",
    "order_type": "new",
    "mode": "production",
    "status": "complete",
    **dict.fromkeys(("stage", "error_code", "error_step", "error_plugin")),
    "run": 1,
    "config_version": 1,
    "lane": "default/SUB-8F2K",
    "created": "2026-03-01T10:00:00.000000+00:00",
    "updated": "2026-03-01T10:00:00.120000+00:00",
}

EXPORT = Route(
    method="GET",
    path="/api/orders/export",
    handler=export,
    id="exportOrders",
    summary="All orders that filters find, the newest first, as a stream of lines",
    tag="orders",
    scope=Scope.READ,
    query=OrdersFilter,
    answers=(
        Answer(
            status=200,
            description="One JSON object per line, with the members "
            + ", ".join(f"`{one.name}`" for one in EXPORTED),
            content_type=CONTENT_TYPE,
            example=orjson.dumps(_EXAMPLE).decode() + "\n",
        ),
    ),
)
