"""Rebuilds all views from a log in Kafka: events a second on one core, equality, live latency.

    .venv/bin/python -m benchmarks.rebuilding [--database sqlite|postgresql|both] [--json]

The history is written straight into the log; a projector makes the live views of it. `waybill
rebuild` runs on one core of its own (PostgreSQL on the others), `waybill verify` after it. Then
orders flow at a steady rate, first alone, then beside rebuilds that follow one another.
"""

import argparse
import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from sqlalchemy import func, select

from benchmarks.databases import postgresql
from benchmarks.measuring import percentiles
from benchmarks.orders import produce
from benchmarks.projector import log, rounds
from benchmarks.stack import Stack, stack
from benchmarks.stub import nginx
from benchmarks.throughput import configuration
from projections.comparing import table_hashes
from projections.store import Store
from projections.writing import Record
from schemas.codec import decode
from schemas.events import OrderCompleted
from streams.agents.projector import Projector
from streams.topics import PARTITIONS

ORDERS = 16_000
RATE = 50.0
SECONDS = 20
MOVING = 50
CHUNK = 500
CORE = max(os.sched_getaffinity(0))
LONGEST_S = 120.0


def main(
    orders: int = ORDERS,
    databases: tuple[str, ...] = ("sqlite", "postgresql"),
    seconds: int = SECONDS,
    rate: float = RATE,
) -> dict[str, Any]:
    """All of it; prints its figures and returns them."""
    records = log(orders, PARTITIONS, MOVING)
    figures: dict[str, Any] = {}
    for database in databases:
        with tempfile.TemporaryDirectory() as name:
            found = _measured(Path(name), database, records, (seconds, rate))
        for figure, value in found.items():
            print(f"{database:12} {figure:32} {value:12.3f}", file=sys.stderr, flush=True)
        figures[database] = found
    return figures


def _measured(
    folder: Path, database: str, records: dict[int, list[Record]], live: tuple[int, float]
) -> dict[str, float]:
    with (
        _url(folder, database) as url,
        nginx(folder / "nginx") as base,
        stack(folder / "stack", configuration(base), WAYBILL_DATABASE=url) as running,
    ):
        asyncio.run(_write(running.bootstrap, records))
        store = Store.open(url)
        _project(store, records)
        before = table_hashes(store, store.set_id())
        figures = _rebuilt(running)
        figures["views_equal"] = float(table_hashes(store, store.set_id()) == before)
        verified = json.loads(_waybill(running, "verify"))
        figures["verify_events_per_s"] = verified["records"] / verified["seconds"]
        figures["verified_equal"] = float(verified["equal"])
        figures |= _live(running, store, *live)
        store.close()
    return figures


@contextmanager
def _url(folder: Path, database: str) -> Iterator[str]:
    if database == "sqlite":
        yield f"sqlite:///{folder / 'waybill.sqlite'}"
        return
    with postgresql(folder / "postgresql") as url:
        yield url


async def _write(bootstrap: str, records: dict[int, list[Record]]) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=5, max_batch_size=1 << 20)
    await producer.start()
    for partition, part in records.items():
        sent = [
            await producer.send("order-events", record.value, key=b"lane", partition=partition)
            for record in part
        ]
        await asyncio.gather(*sent)
    await producer.stop()


def _project(store: Store, records: dict[int, list[Record]]) -> None:
    projector = Projector(store)
    projector.assign(records)
    for chunks in rounds(records, CHUNK):
        projector.apply_all(chunks)


def _rebuilt(running: Stack) -> dict[str, float]:
    """One rebuild on one core: on the wall (the process's start apart), and of its CPU time."""
    used = _children_s()
    done = json.loads(_waybill(running, "rebuild"))
    cpu = _children_s() - used
    return {
        "events": float(done["records"]),
        "events_per_s": done["records"] / done["seconds"],
        "events_per_cpu_s": done["records"] / cpu,
    }


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _waybill(running: Stack, command: str) -> bytes:
    process = _begun(running, command)
    output, problems = process.communicate()
    if process.returncode:
        sys.exit(f"waybill {command}: {problems.decode()[-2000:]}")
    return output


def _begun(running: Stack, command: str) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-m", "waybill", command, "--json"],
        env=running.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    os.sched_setaffinity(process.pid, {CORE})
    return process


def _live(running: Stack, store: Store, seconds: int, rate: float) -> dict[str, float]:
    """From an order's sending to the event of its end, in milliseconds."""
    running.start("projector")
    running.start("worker")
    running.ready("projector", "worker")
    _flow(running, store, "warm", int(2 * rate), rate)
    alone = _flow(running, store, "alone", int(seconds * rate), rate)
    beside, rebuilds = _beside(running, store, int(seconds * rate), rate)
    return {
        "live_p50_ms": alone["p50"],
        "live_p99_ms": alone["p99"],
        "live_p50_ms_rebuilding": beside["p50"],
        "live_p99_ms_rebuilding": beside["p99"],
        "live_p99_change_percent": (beside["p99"] / alone["p99"] - 1) * 100,
        "rebuilds_meanwhile": float(rebuilds),
    }


def _beside(running: Stack, store: Store, orders: int, rate: float) -> tuple[dict[str, float], int]:
    """The same while rebuilds follow one another; how many of them there were."""
    rebuilds = 0
    program = [sys.executable, "-m", "benchmarks.rebuilding", "--flow", running.bootstrap]
    flowing = subprocess.Popen([*program, f"--orders={orders}", f"--rate={rate}"])
    while flowing.poll() is None:
        _waybill(running, "rebuild")
        rebuilds += 1
    return _ended(store, "beside", orders), rebuilds


def _flow(running: Stack, store: Store, batch: str, orders: int, rate: float) -> dict[str, float]:
    asyncio.run(produce(running.bootstrap, orders, rate, batch))
    return _ended(store, batch, orders)


def _ended(store: Store, batch: str, orders: int) -> dict[str, float]:
    """Waits until the orders of a batch are complete in the views; how long they took."""
    until = time.monotonic() + LONGEST_S
    while True:
        with store.reading() as (connection, tables):
            columns = tables.orders.c
            mine = columns.external_id.startswith(batch)
            complete = select(func.count()).where(mine, columns.status == "complete")
            if connection.scalar(complete) == orders:
                query = select(columns.external_id, tables.timeline.c.value).join(
                    tables.timeline, tables.timeline.c.place == columns.last_place
                )
                return percentiles(_latency(*row) for row in connection.execute(query.where(mine)))
        if time.monotonic() > until:
            sys.exit(f"the orders {batch} are not all complete after {LONGEST_S:.0f} s")
        time.sleep(0.2)


def _latency(external_id: str, value: bytes) -> float:
    event = decode(value)
    assert isinstance(event.fact, OrderCompleted)
    sent = float(external_id.split("@")[1])
    return (event.envelope.occurred_at.timestamp() - sent) * 1000


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--orders", type=int, default=ORDERS, help="of six events each")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of live orders, twice")
    parser.add_argument("--rate", type=float, default=RATE, help="live orders a second")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--flow", metavar="BOOTSTRAP", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = _asked()
    if given.flow:
        asyncio.run(produce(given.flow, given.orders, given.rate, "beside"))
    else:
        wanted = ("sqlite", "postgresql") if given.database == "both" else (given.database,)
        result = main(given.orders, wanted, given.seconds, given.rate)
        if given.json:
            print(json.dumps(result, indent=2))
