"""`/livez`, `/readyz` and `/metrics` of a process that has no API of its own."""

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from waybill.settings import Address


async def serve_probes(address: Address | None, ready: Callable[[], bool]) -> web.AppRunner | None:
    """Serves the probes at `address`; None where there is none."""
    if address is None:
        return None

    async def livez(_: web.Request) -> web.Response:
        return web.json_response({"status": "live"})

    async def readyz(_: web.Request) -> web.Response:
        up = ready()
        return web.json_response(
            {"status": "ready" if up else "catching_up"}, status=200 if up else 503
        )

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.router.add_get("/livez", livez)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/metrics", metrics)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address.host, address.port).start()
    return runner
