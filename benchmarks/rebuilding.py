"""Rebuilds all views from a log in Kafka: events a second on one core, equality, live latency.

    .venv/bin/python -m benchmarks.rebuilding [--database sqlite|postgresql|both] [--json]

The history is written straight into the log; a projector makes the live views of it. `waybill
rebuild` runs on one core of its own (PostgreSQL on the others), `waybill verify` after it. Then
orders flow at a steady rate, in turn alone and beside rebuilds that follow one another, so that
whatever else the machine does meets both. What goes wrong there is told, and ends nothing.
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
from dataclasses import dataclass, field
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
ROUNDS = 2
MOVING = 50
CHUNK = 500
CORE = max(os.sched_getaffinity(0))
LONGEST_S = 30.0
"""So long an order may take until it is no longer waited for."""


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
            figures[database] = _measured(Path(name), database, records, (seconds, rate))
    return figures


def _told(database: str, found: dict[str, float]) -> dict[str, float]:
    """Each figure as soon as it is there."""
    for figure, value in found.items():
        print(f"{database:12} {figure:32} {value:12.3f}", file=sys.stderr, flush=True)
    return found


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
        figures = _told(database, _rebuilt(running))
        equal = float(table_hashes(store, store.set_id()) == before)
        figures |= _told(database, {"views_equal": equal, **_verified(running)})
        figures |= _told(database, _live(running, store, *live))
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


def _verified(running: Stack) -> dict[str, float]:
    found = json.loads(_waybill(running, "verify"))
    rate = found["records"] / found["seconds"]
    return {"verify_events_per_s": rate, "verified_equal": float(found["equal"])}


def _children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class CommandFailedError(Exception):
    """A command has ended with another code than 0."""


def _waybill(running: Stack, command: str) -> bytes:
    process = _begun(running, command)
    output, problems = process.communicate()
    if process.returncode:
        raise CommandFailedError(f"waybill {command}: {problems.decode()[-2000:]}")
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


@dataclass(slots=True)
class _Flow:
    """What became of orders: latencies in milliseconds, and those that were not complete in time.

    `rebuilds` were made beside them, others broke off.
    """

    latencies: list[float] = field(default_factory=list)
    unfinished: int = 0
    rebuilds: int = 0
    broken: int = 0


def _live(running: Stack, store: Store, seconds: int, rate: float) -> dict[str, float]:
    """From an order's sending to the event of its end, in milliseconds."""
    running.start("projector")
    running.start("worker")
    running.ready("projector", "worker")
    alone, beside = _Flow(), _Flow()
    _flow(running, store, _Flow(), ("warm", int(2 * rate), rate))
    for number in range(ROUNDS):
        orders = int(seconds * rate / ROUNDS)
        _flow(running, store, alone, (f"alone{number}-", orders, rate))
        _flow(running, store, beside, (f"beside{number}-", orders, rate), rebuilding=True)
    before, while_ = percentiles(alone.latencies), percentiles(beside.latencies)
    figures = {f"live_{name}_ms": before[name] for name in ("p50", "p99") if before}
    figures |= {f"live_{name}_ms_rebuilding": while_[name] for name in ("p50", "p99") if while_}
    if before and while_:
        figures["live_p99_change_percent"] = (while_["p99"] / before["p99"] - 1) * 100
    return figures | {
        "live_unfinished": float(alone.unfinished),
        "live_unfinished_rebuilding": float(beside.unfinished),
        "rebuilds_meanwhile": float(beside.rebuilds),
        "rebuilds_broken_off": float(beside.broken),
    }


def _flow(
    running: Stack,
    store: Store,
    into: _Flow,
    sent: tuple[str, int, float],
    *,
    rebuilding: bool = False,
) -> None:
    """Sends a batch of so many orders at that rate, and waits for their ends."""
    batch, orders, rate = sent
    program = [sys.executable, "-m", "benchmarks.rebuilding", "--flow", running.bootstrap]
    given = [f"--batch={batch}", f"--orders={orders}", f"--rate={rate}"]
    flowing = subprocess.Popen([*program, *given])
    while rebuilding and flowing.poll() is None:
        try:
            _waybill(running, "rebuild")
            into.rebuilds += 1
        except CommandFailedError as problem:
            print(problem, file=sys.stderr, flush=True)
            into.broken += 1
    flowing.wait()
    found = _ended(store, batch, orders)
    into.latencies += found
    into.unfinished += orders - len(found)


def _ended(store: Store, batch: str, orders: int) -> list[float]:
    """How long the orders of a batch took, once all are complete in the views or time is up."""
    until = time.monotonic() + LONGEST_S
    while True:
        with store.reading() as (connection, tables):
            columns = tables.orders.c
            mine = columns.external_id.startswith(batch)
            complete = select(func.count()).where(mine, columns.status == "complete")
            if connection.scalar(complete) == orders or time.monotonic() > until:
                query = select(columns.external_id, tables.timeline.c.value).join(
                    tables.timeline, tables.timeline.c.place == columns.last_place
                )
                done = query.where(mine, columns.status == "complete")
                return [_latency(*row) for row in connection.execute(done)]
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
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, help="of live orders, alone and beside"
    )
    parser.add_argument("--rate", type=float, default=RATE, help="live orders a second")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--flow", metavar="BOOTSTRAP", help=argparse.SUPPRESS)
    parser.add_argument("--batch", default="", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = _asked()
    if given.flow:
        asyncio.run(produce(given.flow, given.orders, given.rate, given.batch))
    else:
        wanted = ("sqlite", "postgresql") if given.database == "both" else (given.database,)
        result = main(given.orders, wanted, given.seconds, given.rate)
        if given.json:
            print(json.dumps(result, indent=2))
