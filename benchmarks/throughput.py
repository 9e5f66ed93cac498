"""Orders per second through three HTTP steps, beside the plain loop in the same run."""

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import text

from benchmarks.orders import body, produce
from benchmarks.stack import Stack, stack
from benchmarks.stub import nginx
from projections.store import Store

ORDERS = 10_000
PLAIN_ORDERS = 6_000
IN_FLIGHT = 32


def configuration(base: str) -> dict[str, object]:
    """Three callouts to the stub, which honours keys as far as anybody can tell."""
    return {
        "version": 1,
        "sequence": [
            {
                "name": "calloutPlugin",
                "id": name,
                "on_unknown": "repeat",
                "options": {
                    "endpoint": f"{base}/{name}",
                    "timeoutValue": 30_000,
                    "response": {"id": "id"},
                },
            }
            for name in ("salesforce", "zuora", "callout")
        ],
    }


def main(orders: int = ORDERS) -> dict[str, Any]:
    """One run; prints its figures and returns them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "order.json").write_bytes(body())
        with nginx(folder / "nginx") as base:
            limits = {kind: _plain(kind, base, folder) for kind in ("aiohttp", "httpx")}
            with stack(folder / "stack", configuration(base)) as running:
                figures = _measured(running, orders)
            after = _plain("aiohttp", base, folder)
    limits["aiohttp"]["orders_per_s_after"] = after["orders_per_s"]
    http_ms = limits["httpx"]["cpu_us_per_request"] * 3 / 1000
    figures |= {
        "plain_aiohttp_per_s": limits["aiohttp"]["orders_per_s"],
        "plain_aiohttp_after_per_s": after["orders_per_s"],
        "plain_httpx_per_s": limits["httpx"]["orders_per_s"],
        "share_of_aiohttp": figures["orders_per_s"] / limits["aiohttp"]["orders_per_s"],
        "share_of_httpx": figures["orders_per_s"] / limits["httpx"]["orders_per_s"],
        "worker_cpu_beside_http_ms": figures["worker_cpu_ms"] - http_ms,
    }
    for figure, value in figures.items():
        print(f"{figure:32} {value:10.3f}")
    return figures


def _plain(kind: str, base: str, folder: Path) -> dict[str, Any]:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "benchmarks.plain",
            kind,
            base,
            str(folder / "order.json"),
            str(PLAIN_ORDERS),
            str(IN_FLIGHT),
        ],
        check=True,
        capture_output=True,
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _measured(running: Stack, orders: int) -> dict[str, Any]:
    running.start("projector")
    running.start("worker")
    running.ready("projector", "worker")
    store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")
    asyncio.run(produce(running.bootstrap, 200, None, "warm"))
    wait_for(store, 200)
    before = {name: running.cpu_s(name) for name in running.processes}
    began = time.perf_counter()
    asyncio.run(produce(running.bootstrap, orders, None))
    ended = wait_for(store, 200 + orders)
    took = ended - began
    used = {name: running.cpu_s(name) - before[name] for name in before}
    return {
        "orders_per_s": orders / took,
        "worker_cpu_ms": used["worker"] / orders * 1000,
        "projector_cpu_ms": used["projector"] / orders * 1000,
        "worker_rss_mb": running.rss_mb("worker"),
        "projector_rss_mb": running.rss_mb("projector"),
    }


def wait_for(store: Store, orders: int) -> float:
    """Waits until so many orders are complete in the store; the moment on the clock."""
    while True:
        with store.reader.connect() as connection:
            done = connection.execute(
                text("SELECT count(*) FROM v1_orders WHERE status = 'complete'")
            ).scalar_one()
        if done >= orders:
            return time.perf_counter()
        time.sleep(0.05)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ORDERS)
