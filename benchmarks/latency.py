"""Milliseconds from an order's sending to its end at a steady rate; the partners answer at once."""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import select

from benchmarks.orders import produce
from benchmarks.stack import stack
from benchmarks.stub import nginx
from benchmarks.throughput import configuration, wait_for
from projections.store import Store
from schemas.codec import decode
from schemas.events import OrderAccepted, OrderCompleted

RATE = 100
SECONDS = 40
WARM = 300


def main(rate: int = RATE, seconds: int = SECONDS) -> dict[str, Any]:
    """One run; prints its figures and returns them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with (
            nginx(folder / "nginx") as base,
            stack(folder / "stack", configuration(base)) as running,
        ):
            running.start("projector")
            running.start("worker")
            running.ready("projector", "worker")
            store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")
            asyncio.run(produce(running.bootstrap, WARM, rate, "warm"))
            wait_for(store, WARM)
            before = running.cpu_s("worker")
            asyncio.run(produce(running.bootstrap, rate * seconds, rate))
            wait_for(store, WARM + rate * seconds)
            cpu_ms = (running.cpu_s("worker") - before) / (rate * seconds) * 1000
            over = sorted(_latencies(store))
    figures = {
        "orders_per_s": float(rate),
        "p50_ms": over[len(over) // 2],
        "p99_ms": over[int(len(over) * 0.99)],
        "worker_cpu_ms": cpu_ms,
    }
    for figure, value in figures.items():
        print(f"{figure:32} {value:10.3f}")
    return figures


def _latencies(store: Store) -> list[float]:
    """Per order: from its sending to the event of its end. The stub's own time is below 1 ms."""
    sent: dict[str, float] = {}
    found = []
    with store.reading() as (connection, tables):
        rows = connection.execute(select(tables.timeline.c.value).order_by(tables.timeline.c.place))
        for (value,) in rows:
            event = decode(value)
            order_id, fact = event.envelope.order_id, event.fact
            if isinstance(fact, OrderAccepted) and str(fact.external_id).startswith("o"):
                sent[order_id] = float(str(fact.external_id).split("@")[1])
            elif isinstance(fact, OrderCompleted) and order_id in sent:
                found.append((event.envelope.occurred_at.timestamp() - sent[order_id]) * 1000)
    return found


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else RATE)
