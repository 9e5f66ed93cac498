"""Kills, stops and ends workers, projector and outlet under load, then audits what is left.

`python -m benchmarks.nemesis ORDERS SECONDS SEED`. Steps go to the sandbox partners (30 ms mean
latency), whose journal tells which calls were repeated and with which keys.
"""

import asyncio
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer

from benchmarks.orders import produce
from benchmarks.stack import Stack, stack
from benchmarks.stub import free_port
from projections.store import Store
from schemas.codec import decode
from schemas.events import StepSucceeded
from streams.core.evolve import evolve
from streams.core.order import Order, State

WORKERS = 3
LATENCY_MS = 30
KEYED_CALLS = 2
"""Zuora's order and the platform event; Salesforce's upsert needs no key."""
SETTLE_S = 120
STOP_S = 15
OTHERS = 0.25
CONFIGURATION: dict[str, object] = {
    "version": 1,
    "sequence": [{"name": "salesforceV3"}, {"name": "zuora"}, {"name": "platformEvents"}],
}


@dataclass
class Disturbance:
    """One thing done to one process; `at` is seconds since the epoch."""

    at: float
    what: str
    name: str


@dataclass
class Report:
    """What the auditor found."""

    accepted: int = 0
    completed: int = 0
    lost: int = 0
    stuck: int = 0
    out_of_order: int = 0
    events_ignored: int = 0
    calls: int = 0
    repeated_calls: int = 0
    keys: int = 0
    several_effects: int = 0
    events_published_again: int = 0
    disturbances: Counter[str] = field(default_factory=Counter)
    failover_s: list[dict[str, float]] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every promise held."""
        other_keys = self.keys - KEYED_CALLS * self.accepted
        return not (
            self.lost or self.stuck or self.out_of_order or self.several_effects or other_keys
        )


def main(
    orders: int, seconds: float, seed: int, folder: Path, latency_ms: int = LATENCY_MS
) -> Report:
    """One campaign."""
    sandbox = f"127.0.0.1:{free_port()}"
    with stack(folder, CONFIGURATION, WAYBILL_SANDBOX=sandbox) as running:
        partners = _sandbox(running, latency_ms)
        try:
            disturbed = asyncio.run(_campaign(running, orders, seconds, random.Random(seed)))
            _settle(running, orders)
            report = asyncio.run(_audit(running.bootstrap, orders))
            _journal(report, sandbox)
        finally:
            partners.terminate()
            partners.wait()
        report.disturbances = Counter(one.what for one in disturbed)
        report.failover_s = _failovers(running.folder, disturbed)
    return report


def _sandbox(running: Stack, latency_ms: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "waybill", "sandbox", "--latency", str(latency_ms)],
        env=running.environment,
        stdout=subprocess.DEVNULL,
        stderr=(running.folder / "sandbox.log").open("wb"),
    )


async def _campaign(
    running: Stack, orders: int, seconds: float, dice: random.Random
) -> list[Disturbance]:
    names = [running.start("worker", f"worker-{number}") for number in range(WORKERS)]
    running.start("projector", "projector-0")
    running.start("outlet", "outlet-0")
    await asyncio.to_thread(running.ready, *names)
    load = asyncio.ensure_future(produce(running.bootstrap, orders, orders / seconds))
    done: list[Disturbance] = []
    while not load.done():
        await asyncio.sleep(dice.uniform(3, 9))
        done.append(await _disturb(running, dice))
    await load
    await asyncio.sleep(STOP_S)
    return done


async def _disturb(running: Stack, dice: random.Random) -> Disturbance:
    alive = [name for name, process in running.processes.items() if process.poll() is None]
    victims = [name for name in alive if name.startswith("worker")]
    if dice.random() < OTHERS:
        victims = [name for name in alive if not name.startswith("worker")] or victims
    name = dice.choice(sorted(victims))
    process, program = running.processes[name], name.split("-")[0]
    what = dice.choice(["KILL", "KILL", "TERM", "STOP"])
    done = Disturbance(time.time(), f"{what} {program}", name)
    if what == "STOP":
        process.send_signal(signal.SIGSTOP)
        asyncio.get_running_loop().call_later(STOP_S, process.send_signal, signal.SIGCONT)
        return done
    process.send_signal(signal.SIGKILL if what == "KILL" else signal.SIGTERM)
    del running.processes[name]
    running.start(program, f"{program}-{len(running.probes)}")
    return done


def _settle(running: Stack, orders: int) -> None:
    store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")
    until = time.monotonic() + SETTLE_S
    while time.monotonic() < until:
        with store.reading() as (connection, tables):
            rows = connection.execute(
                tables.orders.select().with_only_columns(tables.orders.c.status)
            )
            statuses = Counter(row.status for row in rows)
        if statuses.get("complete", 0) >= orders:
            return
        time.sleep(0.5)
    print("not settled:", dict(statuses))


async def _audit(bootstrap: str, orders: int) -> Report:
    report, folded, results = Report(), {}, defaultdict(list)
    async for offset, event in _events(bootstrap):
        order_id = event.envelope.order_id
        before: Order | None = folded.get(order_id)
        after = evolve(before, event, offset)
        folded[order_id] = after
        if after is before:
            report.events_ignored += 1
        elif isinstance(event.fact, StepSucceeded):
            results[order_id].append(event.fact.step)
    report.accepted = len(folded)
    report.completed = sum(order.state is State.COMPLETED for order in folded.values())
    report.lost = orders - report.accepted
    report.stuck = report.accepted - report.completed
    wanted = [entry["name"] for entry in CONFIGURATION["sequence"]]  # type: ignore[attr-defined,index] # a literal above
    report.out_of_order = sum(steps != wanted for steps in results.values())
    return report


async def _events(bootstrap: str) -> Any:
    consumer = AIOKafkaConsumer(
        "order-events", bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    while records := await consumer.getmany(timeout_ms=3000):
        for part in records.values():
            for record in part:
                yield record.offset, decode(record.value)
    await consumer.stop()


def _journal(report: Report, sandbox: str) -> None:
    with urllib.request.urlopen(f"http://{sandbox}/_journal?summary=true") as reply:
        summary = json.load(reply)
    report.calls = summary["requests"]
    report.repeated_calls = summary["repeated_calls"]
    report.keys = summary["distinct_keys"]
    # Nobody can publish a platform event only once: subscribers tell repeats by its own id.
    several = Counter(one["partner"] for one in summary["several_effects"])
    report.events_published_again = several.pop("salesforce", 0)
    report.several_effects = several.total()


def _failovers(folder: Path, disturbed: list[Disturbance]) -> list[dict[str, float]]:
    """For each killed or ended worker: until the others noticed, had its partitions, were live."""
    moments = _moments(folder)
    spans = []
    for one in disturbed:
        if one.what not in {"KILL worker", "TERM worker"}:
            continue
        revoked = min((at for at in moments["revoked"] if at > one.at), default=None)
        assigned = min((at for at in moments["assigned"] if revoked and at > revoked), default=None)
        live = min((at for at in moments["live"] if assigned and at >= assigned), default=None)
        if revoked and assigned and live:
            spans.append(
                {
                    "what": one.what,  # type: ignore[dict-item] # a label beside the figures
                    "detection": revoked - one.at,
                    "rebalance": assigned - revoked,
                    "replay": live - assigned,
                }
            )
    return spans


def _moments(folder: Path) -> dict[str, list[float]]:
    """When workers lost their partitions, were given some, and had caught up."""
    moments: dict[str, list[float]] = {"revoked": [], "assigned": [], "live": []}
    for file in folder.glob("worker-*.log"):
        for line in file.read_text().splitlines():
            entry = json.loads(line) if line.startswith("{") else {"message": ""}
            for word, found in moments.items():
                if f"partitions {word}" in entry["message"]:
                    found.append(datetime.fromisoformat(entry["time"]).timestamp())
    return moments


if __name__ == "__main__":
    count, length, seed = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    keep = Path(sys.argv[4]) if sys.argv[4:] else Path(tempfile.mkdtemp())
    found = main(count, length, seed, keep)
    for name, value in vars(found).items():
        print(f"{name:18} {value}")
    sys.exit(0 if found.clean else 1)
