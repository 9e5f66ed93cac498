"""Seconds until a dead worker's orders move again: 50 times kill -9, and some times SIGTERM.

`python -m benchmarks.failover [KILLS]`. Three workers, 20 orders a second, steps of 300 ms.
"""

import asyncio
import json
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.measuring import callouts, log_of, percentiles, show
from benchmarks.orders import produce
from benchmarks.partner import partner
from benchmarks.stack import Stack, stack
from schemas.events import Event, OrderCompleted

KILLS = 50
TERM_EVERY = 6
RATE = 20
DELAY_MS = 300
SEED = 7
TAKEN_OVER_S = 30.0
SETTLE_S = 4.0
WORKERS = 3


@dataclass
class Death:
    """A worker's end; `owned` are the partitions that it had."""

    at: float
    kind: str
    name: str
    owned: set[int]


def main(kills: int = KILLS) -> dict[str, Any]:
    """One run; prints its figures and returns them."""
    with tempfile.TemporaryDirectory() as folder, partner() as stub:
        configuration = {"version": 1, "sequence": callouts(stub.base, "x", DELAY_MS)}
        with stack(Path(folder), configuration) as running:
            running.start("projector")
            names = [running.start("worker", f"worker-{number}") for number in range(WORKERS)]
            running.ready("projector", *names)
            deaths = asyncio.run(_campaign(running, kills))
            log = log_of(running.bootstrap)
            moments = _moments(running.folder)
    figures = _figures(deaths, log, moments)
    show(figures)
    return figures


async def _campaign(running: Stack, kills: int) -> list[Death]:
    load = asyncio.ensure_future(produce(running.bootstrap, 10**9, RATE))
    dice, deaths = random.Random(SEED), []
    await asyncio.sleep(SETTLE_S)
    terms = kills // TERM_EVERY
    for number in range(kills + terms):
        kind = "TERM" if number % (TERM_EVERY + 1) == TERM_EVERY else "KILL"
        deaths.append(await _one(running, dice, kind))
        print(f"{number + 1} of {kills + terms}: {kind} {deaths[-1].name}", flush=True)
    load.cancel()
    await asyncio.gather(load, return_exceptions=True)
    await asyncio.sleep(SETTLE_S)
    return deaths


async def _one(running: Stack, dice: random.Random, kind: str) -> Death:
    """Ends a worker, waits until the others are live, and starts another in its place."""
    name = dice.choice(sorted(name for name in running.processes if name.startswith("worker")))
    await asyncio.sleep(dice.uniform(0, 1.5))
    owned = _owned(running.folder, name)
    process = running.processes.pop(name)
    death = Death(time.time(), kind, name, owned)
    process.send_signal(signal.SIGKILL if kind == "KILL" else signal.SIGTERM)
    left = [name for name in running.processes if name.startswith("worker")]
    until = time.monotonic() + TAKEN_OVER_S
    while time.monotonic() < until:
        await asyncio.sleep(0.2)
        moments = _moments(running.folder)
        if all(any(at > death.at for at, _ in moments[one]["live"]) for one in left):
            break
    process.wait()
    await asyncio.sleep(1)
    started = running.start("worker", f"worker-{len(running.probes)}")
    await asyncio.to_thread(running.ready, started)
    await asyncio.sleep(SETTLE_S)
    return death


def _moments(folder: Path) -> dict[str, dict[str, list[tuple[float, str]]]]:
    """Per worker: when it lost its partitions, was given some, and had caught up."""
    found: dict[str, dict[str, list[tuple[float, str]]]] = defaultdict(lambda: defaultdict(list))
    for file in folder.glob("worker-*.log"):
        for line in file.read_text().splitlines():
            entry = json.loads(line) if line.startswith("{") else {"message": ""}
            for word in ("revoked", "assigned", "live"):
                if entry["message"].startswith(f"partitions {word}"):
                    at = datetime.fromisoformat(entry["time"]).timestamp()
                    found[file.stem][word].append((at, entry["message"]))
    return found


def _owned(folder: Path, name: str) -> set[int]:
    _, message = _moments(folder)[name]["assigned"][-1]
    return set(json.loads(message.partition(": ")[2]))


def _figures(deaths: Iterable[Death], log: list[tuple[int, Event]], moments: Any) -> dict[str, Any]:
    orders = _orders(log)
    found: dict[str, list[float]] = defaultdict(list)
    for death in deaths:
        waits = [wait for _, wait in _waits(death, orders)]
        if not waits:
            continue
        kind = death.kind.lower()
        found[f"{kind}_order"] += waits
        found[f"{kind}_slowest_order"].append(max(waits))
        for part, span in _split(death, moments).items():
            found[f"{kind}_{part}"].append(span)
    figures: dict[str, Any] = {}
    for name, values in sorted(found.items()):
        figures[f"{name}_n"] = len(values)
        figures |= {f"{name}_{which}_s": value for which, value in percentiles(values).items()}
    return figures


def _orders(log: Iterable[tuple[int, Event]]) -> dict[str, tuple[int, list[tuple[float, bool]]]]:
    """Per order: its partition, and the moments of its events, with whether it is an end."""
    found: dict[str, tuple[int, list[tuple[float, bool]]]] = {}
    for partition, event in log:
        _, moments = found.setdefault(event.envelope.order_id, (partition, []))
        at = event.envelope.occurred_at.timestamp()
        moments.append((at, isinstance(event.fact, OrderCompleted)))
    return found


def _waits(death: Death, orders: Any) -> Iterable[tuple[str, float]]:
    """For each order that moved at the dead worker: until its next event."""
    for order_id, (partition, moments) in orders.items():
        if partition not in death.owned or moments[0][0] > death.at:
            continue
        if any(end and at <= death.at for at, end in moments):
            continue
        after = [at for at, _ in moments if at > death.at]
        if after:
            yield order_id, min(after) - death.at


def _split(death: Death, moments: Any) -> dict[str, float]:
    """Until the others noticed, until all of them had partitions, until all had caught up."""
    spans: dict[str, list[float]] = defaultdict(list)
    for name, found in moments.items():
        if name == death.name or not any(at < death.at for at, _ in found["assigned"]):
            continue
        for word in ("revoked", "assigned", "live"):
            later = [at for at, _ in found[word] if death.at < at < death.at + TAKEN_OVER_S]
            if later:
                spans[word].append(min(later))
    if set(spans) != {"revoked", "assigned", "live"}:
        return {}
    noticed, assigned, live = min(spans["revoked"]), max(spans["assigned"]), max(spans["live"])
    return {
        "detection": noticed - death.at,
        "rebalance": assigned - noticed,
        "replay": live - assigned,
    }


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else KILLS)
