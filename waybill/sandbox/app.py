"""Puts the partners together on one server."""

import time
from collections.abc import Awaitable, Callable
from random import Random

import uvloop
from aiohttp import web

from waybill.sandbox.callout import Callout, Entitlements, Webhooks
from waybill.sandbox.control import Control
from waybill.sandbox.exchange import Partner
from waybill.sandbox.faults import FaultBook
from waybill.sandbox.gate import Gate, World
from waybill.sandbox.salesforce import Salesforce
from waybill.sandbox.stripe import Stripe
from waybill.sandbox.zuora.partner import Zuora

LARGEST_BODY = 8 * 1024 * 1024
STOP_SECONDS = 1.0

_Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


def build_sandbox(
    latency_ms: float = 0.0, seed: int = 0, *, now: Callable[[], float] = time.time
) -> web.Application:
    """All partners, empty. `latency_ms` is the mean of an exponential; `now` is in seconds."""
    random = Random(seed)  # noqa: S311 - throws dice for faults, keeps no secret
    world = World(now=now, random=random, latency_ms=latency_ms, faults=FaultBook(random))
    app = web.Application(client_max_size=LARGEST_BODY)
    partners = _partners(now)
    Control(world, partners).register(app)
    for partner in partners:
        app.add_subapp(f"/{partner.name}", _mounted(partner, world))

    async def close(_: web.Application) -> None:
        world.closing = True

    app.on_shutdown.append(close)
    return app


def run_sandbox(host: str, port: int, latency_ms: float) -> None:
    """Serve until SIGTERM or SIGINT."""
    web.run_app(
        build_sandbox(latency_ms),
        host=host,
        port=port,
        access_log=None,
        print=None,
        shutdown_timeout=STOP_SECONDS,
        loop=uvloop.new_event_loop(),
    )


def _partners(now: Callable[[], float]) -> list[Partner]:
    return [
        *(Zuora(now), Salesforce(now), Stripe(now)),
        *(Callout(now), Entitlements(now), Webhooks(now)),
    ]


def _mounted(partner: Partner, world: World) -> web.Application:
    gate = Gate(partner, world)

    @web.middleware
    async def unknown(request: web.Request, handler: _Serve) -> web.StreamResponse:
        """What no route takes is answered in the partner's own words."""
        refusal = request.match_info.http_exception
        if refusal is None:
            return await handler(request)
        return await gate.serve(request, lambda _: partner.failing(refusal.status))

    app = web.Application(middlewares=[unknown])
    for route in partner.routes():
        app.router.add_route(route.method, route.path, gate.opening(route.handler))
    return app
