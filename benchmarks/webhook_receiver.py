"""A subscriber in a process of its own: strict about signatures, and misbehaving on request.

`python -m benchmarks.webhook_receiver PORT`. Deliveries go to `/hook/NAME`. `POST /_endpoints`
names secrets and behaviours `{name: {"secret", "behaviour"}}`: `ok`, `hang` (30 s), `slow` (1 s)
or a status, with `Retry-After: 2` where it is 429. `GET /_records?from=N` has what arrived since.
"""

import asyncio
import hashlib
import json
import sys
import time
from typing import Any

import orjson
import uvloop
from aiohttp import web
from standardwebhooks import Webhook

HANG_S = 30.0
SLOW_S = 1.0


class Receiver:
    """Keeps a line for everything that arrived: a list of plain values, as `RECORD` names them."""

    def __init__(self) -> None:
        self._secrets: dict[str, Webhook] = {}
        self._behaviours: dict[str, str] = {}
        self._records: list[tuple[Any, ...]] = []

    async def endpoints(self, request: web.Request) -> web.Response:
        """Takes secrets and behaviours."""
        for name, given in (await request.json()).items():
            if "secret" in given:
                self._secrets[name] = Webhook(given["secret"])
            self._behaviours[name] = given["behaviour"]
        return web.Response()

    async def records(self, request: web.Request) -> web.Response:
        """What arrived, from a number on."""
        return web.Response(body=orjson.dumps(self._records[int(request.query.get("from", 0)) :]))

    async def hook(self, request: web.Request) -> web.Response:
        """Takes a delivery as its endpoint behaves."""
        at, name, body = time.time(), request.match_info["name"], await request.read()
        behaviour = self._behaviours[name]
        try:
            read = self._secrets[name].verify(body, dict(request.headers))
            data = read["data"]
            order, sequence = data.get("id"), data.get("sequence")
        except Exception as problem:  # noqa: BLE001 (the library's own classes do not cover all)
            order, sequence = f"not verified: {problem!r}", None
        status = 200 if behaviour in {"ok", "slow", "hang"} else int(behaviour)
        digest = hashlib.blake2b(body, digest_size=8).hexdigest()
        message = request.headers.get("webhook-id")
        self._records.append((name, message, order, sequence, at, status, digest))
        if behaviour in {"hang", "slow"}:
            await asyncio.sleep(HANG_S if behaviour == "hang" else SLOW_S)
        headers = {"Retry-After": "2"} if status == 429 else {}  # noqa: PLR2004 (RFC 6585)
        return web.Response(status=status, text="taken", headers=headers)


async def serve(port: int) -> None:
    """Until it is killed."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/_endpoints", receiver.endpoints)
    app.router.add_get("/_records", receiver.records)
    app.router.add_post("/hook/{name}", receiver.hook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    print(json.dumps({"port": port}), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        loop.run(serve(int(sys.argv[1])))
