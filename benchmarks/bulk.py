"""Seconds until 10,000 failed orders are retried by one command, and until they are complete.

`python -m benchmarks.bulk [ORDERS]`.
"""

import asyncio
import json
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

from benchmarks.audit_sources import statuses
from benchmarks.measuring import callouts, connections, show
from benchmarks.orders import produce
from benchmarks.partner import partner
from benchmarks.stack import Stack, stack
from benchmarks.stub import free_port
from benchmarks.throughput import wait_for
from projections.store import Store

ORDERS = 10_000
RATE_PER_S = 1_000
FAIL_RATE = 400
PATIENCE_S = 300
NAME = "bulk-retry"


def main(orders: int = ORDERS) -> dict[str, Any]:
    """One run; prints its figures and returns them."""
    with tempfile.TemporaryDirectory() as name, partner() as stub:
        folder = Path(name)
        more = {
            "WAYBILL_HTTP": f"127.0.0.1:{free_port()}",
            "WAYBILL_CONNECTIONS": connections(folder, {stub.base: {"breaker": None}}),
        }
        configuration = {"version": 1, "sequence": callouts(stub.base, "x", 0, ("only",))}
        with stack(folder / "stack", configuration, **more) as running:
            for program in ("projector", "worker", "api"):
                running.start(program)
            running.ready("projector", "worker")
            running.answers(f"http://{more['WAYBILL_HTTP']}/livez")
            store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")
            stub.set(refusing=["x"])
            asyncio.run(produce(running.bootstrap, orders, FAIL_RATE))
            _wait(lambda: statuses(store).get("failed", 0) >= orders)
            stub.set()
            figures = _retried(running, store, orders)
    show(figures)
    return figures


def _retried(running: Stack, store: Store, orders: int) -> dict[str, Any]:
    api = f"http://{running.environment['WAYBILL_HTTP']}/api/commands"
    body = {
        "id": NAME,
        "command": "retry",
        "filter": {"status": "failed"},
        "reason": "the partner is back",
        "rate_per_s": RATE_PER_S,
    }
    preview = _asked(api, {**body, "preview": True})
    began = time.perf_counter()
    _asked(api, body)
    progress: dict[str, Any] = {}

    def is_done() -> bool:
        nonlocal progress
        with urllib.request.urlopen(f"{api}/bulk/{NAME}", timeout=30) as reply:
            progress = json.load(reply)
        return bool(progress["status"] == "done")

    _wait(is_done)
    decided_s = time.perf_counter() - began
    complete_s = wait_for(store, orders) - began
    return {
        "matched_by_preview": preview["matched"],
        "applied": progress["applied"],
        "rejected": progress["rejected"],
        "decided_s": decided_s,
        "complete_s": complete_s,
        "orders_per_s": orders / complete_s,
    }


def _asked(url: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        url, json.dumps(body).encode(), {"content-type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=30) as reply:
        return json.load(reply)


def _wait(is_done: Any) -> None:
    until = time.monotonic() + PATIENCE_S
    while not is_done():
        if time.monotonic() > until:
            sys.exit(f"not done within {PATIENCE_S} s")
        time.sleep(0.25)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ORDERS)
