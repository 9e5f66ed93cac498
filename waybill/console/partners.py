"""`/connectors` and `/connections`: what is installed, where partners are reached, and checks."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from waybill.api import partner_systems as rest
from waybill.api.bodies import fitting
from waybill.api.partner_shapes import ConnectionsQuery
from waybill.api.principal import Scope
from waybill.connector_views import option_rows
from waybill.console.pages import Page, Visit


async def connectors(visit: Visit) -> web.StreamResponse:
    """Every plugin that a sequence can name."""
    found = await visit.answer(rest.connectors)
    return visit.page("connectors.html", connectors=found["items"])


async def connector(visit: Visit) -> web.StreamResponse:
    """One, with its options and the connections that it talks through."""
    found = await visit.answer(rest.one_connector)
    listed = visit.services.connections.listed(visit.tenant)
    using = [one.as_json() for one in listed if found["name"] in one.used_by]
    return visit.page(
        "connector.html",
        connector=found,
        options=option_rows(found["options"]),
        entry=_entry(found),
        connections=using if visit.may(Scope.OPERATE) else [],
    )


async def connections(visit: Visit) -> web.StreamResponse:
    """Where partners are reached, and how the last checks went."""
    found = await visit.answer(rest.connections, visit.query(ConnectionsQuery))
    return visit.page("connections.html", connections=found["items"])


async def check(visit: Visit) -> web.StreamResponse:
    """Asks the partners; back to the connections."""
    form = await visit.form()
    asked = {name: form[name] for name in ("mode", "name") if form.get(name)}
    found = await visit.answer(rest.check_connections, fitting(ConnectionsQuery, asked))
    wrong = sum(one["status"] in {"error", "warning"} for one in found["items"])
    total = len(found["items"])
    return visit.see("/connections", f"{total} checked, {wrong or 'none'} with findings.")


def _entry(found: Mapping[str, Any]) -> dict[str, Any]:
    """A plugin entry as it would stand in a sequence, with what options have to be given."""
    schema = found["options"]
    needed = dict.fromkeys(schema.get("required", ()))
    return {"name": found["name"], **({"options": needed} if needed else {})}


PAGES = (
    Page("GET", "/connectors", connectors, Scope.READ),
    Page("GET", "/connectors/{name}", connector, Scope.READ),
    Page("GET", "/connections", connections, Scope.OPERATE),
    Page("POST", "/connections/check", check, Scope.OPERATE),
)
