"""One worker with 10,000 orders in flight at 100 ms partner latency, and one order that hangs.

`python -m benchmarks.in_flight [ORDERS]`.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.measuring import STEPS, callouts, connections, latencies, log_of, percentiles, show
from benchmarks.orders import produce
from benchmarks.partner import HANG_S, Partner, partner
from benchmarks.stack import Stack, stack
from benchmarks.throughput import wait_for
from projections.store import Store

ORDERS = 10_000
DELAY_MS = 100
WARM = 300
RATE = 30
MAX_IN_FLIGHT = 20_000
FILL_S = 36
"""So long the orders may wait: less than the 40 seconds of a call."""


def main(orders: int = ORDERS) -> dict[str, Any]:
    """One run; prints its figures and returns them."""
    with tempfile.TemporaryDirectory() as name, partner() as stub:
        folder = Path(name)
        limits = {stub.base: {"max_in_flight": MAX_IN_FLIGHT, "read_s": 45}}
        more = {"WAYBILL_CONNECTIONS": connections(folder, limits)}
        configuration = {"version": 1, "sequence": callouts(stub.base, "x", DELAY_MS)}
        with stack(folder / "stack", configuration, **more) as running:
            running.start("projector")
            running.start("worker")
            running.ready("projector", "worker")
            store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")
            figures = _all_at_once(running, store, stub, orders)
            figures |= _one_hangs(running, store, stub, WARM + orders)
    show(figures)
    return figures


def _all_at_once(running: Stack, store: Store, stub: Partner, orders: int) -> dict[str, Any]:
    """The partner lets nobody through until all orders are in flight, then answers in 100 ms."""
    asyncio.run(produce(running.bootstrap, WARM, RATE * 5, "warm"))
    wait_for(store, WARM)
    idle = running.rss_mb("worker")
    stub.set(shut=True)
    asyncio.run(produce(running.bootstrap, orders, None, "flood"))
    until = time.monotonic() + FILL_S
    while (moving := running.metric("worker", "waybill_orders_moving")) < orders:
        if time.monotonic() > until:
            break
        time.sleep(0.5)
    peak = running.rss_mb("worker")
    stub.set()
    began = time.perf_counter()
    took = wait_for(store, WARM + orders) - began
    return {
        "idle_rss_mb": idle,
        "in_flight": moving,
        "in_flight_rss_mb": peak,
        "after_rss_mb": running.rss_mb("worker"),
        "orders_per_s": orders / took,
        "steps_per_s": orders * len(STEPS) / took,
    }


def _one_hangs(running: Stack, store: Store, stub: Partner, before: int) -> dict[str, Any]:
    """Latencies at a steady rate: without and with one order that hangs for 30 s."""
    orders = int(RATE * HANG_S)
    for batch in ("calm", "quiet"):
        asyncio.run(produce(running.bootstrap, orders, RATE, batch))
    wait_for(store, before + 2 * orders)
    asyncio.run(_hanging(running, stub, orders))
    wait_for(store, before + 3 * orders + 1)
    found = latencies(log_of(running.bootstrap))
    figures: dict[str, Any] = {}
    for batch in ("quiet", "beside"):
        spread = percentiles(ms for _, ms in found[batch])
        figures |= {f"{batch}_{name}_ms": value for name, value in spread.items()}
    figures["hanging_ms"] = found["hang"][0][1]
    figures["p99_change_percent"] = (figures["beside_p99_ms"] / figures["quiet_p99_ms"] - 1) * 100
    return figures


async def _hanging(running: Stack, stub: Partner, orders: int) -> None:
    """The first call is the one order's, and hangs."""
    stub.set(hang_next=True)
    await produce(running.bootstrap, 1, None, "hang")
    await asyncio.sleep(1)
    await produce(running.bootstrap, orders, RATE, "beside")


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ORDERS)
