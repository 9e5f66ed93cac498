"""`/api/connectors` and `/api/connections`: what is installed, and where partners are reached."""

from collections.abc import Sequence

from aiohttp import web

from plugins.registry import UnknownPluginError
from waybill.api.call import Call, answered
from waybill.api.problems import NOT_FOUND, ApiProblem
from waybill.connector_views import connector_line, connector_view
from waybill.partner_connections import PartnerConnection


async def connectors(call: Call) -> web.Response:
    """Every plugin that a sequence can name."""
    registry = call.api.services.registry
    items = [connector_line(registry, name) for name in registry.names()]
    return answered({"items": items, "next": None})


async def one_connector(call: Call) -> web.Response:
    """One, with the schema of its options."""
    try:
        return answered(connector_view(call.api.services.registry, call.part("name")))
    except UnknownPluginError as unknown:
        _, _, hint = str(unknown).partition(": ")
        raise ApiProblem(NOT_FOUND, "no connector has that name", hint) from None


async def connections(call: Call) -> web.Response:
    """The tenant's, with their last checks."""
    query = call.query
    return _page(call.api.services.connections.listed(call.tenant, query.mode, query.name))


async def check_connections(call: Call) -> web.Response:
    """Asks the partners, and answers with what they said."""
    query, book = call.query, call.api.services.connections
    checked = await book.check(call.tenant, query.mode, query.name)
    if not checked:
        raise ApiProblem(
            NOT_FOUND,
            "the tenant has no such connection",
            "`GET /api/connections` lists those that it has",
        )
    return _page(checked)


def _page(found: Sequence[PartnerConnection]) -> web.Response:
    return answered({"items": [one.as_json() for one in found], "next": None})
