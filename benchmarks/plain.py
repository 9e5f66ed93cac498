"""The limit: the same three POSTs per order in a loop, with nothing kept.

Run as a program, it prints one JSON line: orders per second, and CPU microseconds per request.
"""

import asyncio
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import uvloop
from httpx_aiohttp import AiohttpTransport

STEPS = 3
HEADERS = {"content-type": "application/json", "idempotency-key": "x"}
TIMEOUTS = {"timeout": {"connect": 5, "read": 30, "write": 30, "pool": 5}}


async def measure(kind: str, base: str, body: bytes, orders: int, in_flight: int) -> dict[str, Any]:
    """One run of `kind`: `aiohttp`, or `httpx` for httpx's transport interface over aiohttp."""
    session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
    transport = AiohttpTransport(client=session)

    async def plain(step: int) -> Any:
        async with session.post(f"{base}/step{step}", data=body, headers=HEADERS) as reply:
            return json.loads(await reply.read())

    async def over_httpx(step: int) -> Any:
        request = httpx.Request(
            "POST", f"{base}/step{step}", content=body, headers=HEADERS, extensions=TIMEOUTS
        )
        reply = await transport.handle_async_request(request)
        return json.loads(await reply.aread())

    post = plain if kind == "aiohttp" else over_httpx
    left = iter(range(orders))

    async def worker() -> None:
        for _ in left:
            for step in range(STEPS):
                await post(step)

    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker() for _ in range(in_flight)))
    took, used = time.perf_counter() - began, time.process_time() - cpu
    await session.close()
    return {"orders_per_s": orders / took, "cpu_us_per_request": used / orders / STEPS * 1e6}


def main() -> None:
    """`plain.py KIND BASE_URL ORDER_FILE ORDERS IN_FLIGHT`."""
    kind, base, file, orders, in_flight = sys.argv[1:]
    gc.set_threshold(100_000, 50, 100)
    body = Path(file).read_bytes()
    print(json.dumps(uvloop.run(measure(kind, base, body, int(orders), int(in_flight)))))


if __name__ == "__main__":
    main()
