"""Events per second of a rebuild of all views from the log in Kafka, and whether they are equal."""

import asyncio
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.orders import produce
from benchmarks.stack import stack
from benchmarks.stub import nginx
from benchmarks.throughput import configuration, wait_for
from projections.comparing import table_hashes
from projections.store import Store

ORDERS = 8_000


def main(orders: int = ORDERS) -> dict[str, Any]:
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
            asyncio.run(produce(running.bootstrap, orders, None))
            wait_for(store, orders)
            running.stop()
            live = table_hashes(store, store.set_id())
            done = subprocess.run(
                [sys.executable, "-m", "waybill", "rebuild", "--json"],
                env=running.environment,
                check=True,
                capture_output=True,
            )
            rebuilt = table_hashes(store, store.set_id())
    result = json.loads(done.stdout)
    figures = {
        "events": float(result["records"]),
        "events_per_s": result["records"] / result["seconds"],
        "views_equal": float(live == rebuilt),
    }
    for figure, value in figures.items():
        print(f"{figure:32} {value:10.3f}")
    return figures


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else ORDERS)
