"""`/`: how the whole installation stands, at a glance."""

from aiohttp import web

from waybill.api.principal import Scope
from waybill.console.pages import Page, Visit


async def overview(visit: Visit) -> web.StreamResponse:
    """Throughput, orders by state, the pipeline, what needs attention, lag and health."""
    return visit.page("overview.html", live="")


PAGES = (Page("GET", "/", overview, Scope.READ),)
