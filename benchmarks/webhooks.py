"""How fast and how faithfully webhooks are delivered.

`python -m benchmarks.webhooks throughput|latency|isolation|restart|kills|all [--json]`, by default
on SQLite; `--database URL` takes another one. Kafka is real, updates are written as the outlet
writes them, and the receiver is a process of its own that checks every signature.
"""

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import percentiles, show
from benchmarks.stack import Stack, stack
from benchmarks.webhook_traffic import (
    Receiver,
    Traffic,
    changed,
    endpoints,
    faults,
    latencies_ms,
    receiver,
    register,
)
from streams.core.webhooks.endpoint import Endpoint

NAMES = ("one", "two", "three", "four", "five")
DONE_S = 600.0
SEED = 11


@dataclass
class Scene:
    """A Waybill with endpoints, and their receiver."""

    running: Stack
    to: Receiver
    made: dict[str, Endpoint]
    traffic: Traffic

    def start(self, *, cores: set[int] | None = None) -> None:
        """Starts webhooks, on those cores alone."""
        self.running.start("webhooks")
        if cores is not None:
            os.sched_setaffinity(self.running.processes["webhooks"].pid, cores)
        self.running.ready("webhooks")

    def kill(self) -> None:
        """Ends webhooks without a word."""
        process = self.running.processes["webhooks"]
        process.send_signal(signal.SIGKILL)
        process.wait()

    def await_all(self, names: Sequence[str], within_s: float = DONE_S) -> float:
        """Waits until everything has arrived there; when the last one did."""
        until, wanted = time.monotonic() + within_s, len(self.traffic.durable)
        taken: dict[str, set[str]] = {name: set() for name in names}
        read, last = 0, time.time()
        while any(len(found) < wanted for found in taken.values()):
            if time.monotonic() > until:
                print("not everything has arrived in time", file=sys.stderr)
                break
            time.sleep(0.2)
            new = self.to.arrivals(read)
            read += len(new)
            for one in new:
                last = max(last, one.at) if one.endpoint in taken else last
                if one.endpoint in taken and one.status == 200:  # noqa: PLR2004 (taken)
                    taken[one.endpoint].add(one.message)
        return last


@contextmanager
def scene(database: str | None, names: Sequence[str] = NAMES, **more: Any) -> Iterator[Scene]:
    """Kafka, endpoints and their receiver; webhooks are not started yet."""
    with tempfile.TemporaryDirectory() as given, receiver() as to:
        folder = Path(given)
        environment = {"WAYBILL_WEBHOOK_ALLOW": to.base.split("//")[1]}
        if database is not None:
            environment["WAYBILL_DATABASE"] = database
        configuration: dict[str, Any] = {"version": 1, "sequence": []}
        with stack(folder, configuration, **environment) as running:
            made = endpoints(names, to, folder / "data", **more)
            asyncio.run(register(running.bootstrap, made))
            yield Scene(running, to, made, Traffic(running.bootstrap))


def throughput(given: argparse.Namespace) -> dict[str, Any]:
    """Deliveries per second of one core, a backlog being there."""
    with scene(given.database) as it:
        asyncio.run(it.traffic.publish(given.orders))
        it.start(cores={0})
        idle, began = it.running.cpu_s("webhooks"), time.time()
        ended = it.await_all(NAMES)
        arrivals = it.to.arrivals()
        began = max(began, min(one.at for one in arrivals))
        cpu_s = it.running.cpu_s("webhooks") - idle
        return {
            "deliveries": len(arrivals),
            "deliveries per second": len(arrivals) / (ended - began),
            "deliveries per CPU second": len(arrivals) / cpu_s,
            "CPU ms per delivery": 1000 * cpu_s / len(arrivals),
            "resident MB": it.running.rss_mb("webhooks"),
            **faults(it.traffic, arrivals, NAMES)._asdict(),
        }


def latency(given: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds from durable to the first attempt."""
    with scene(given.database) as it:
        it.start()
        asyncio.run(it.traffic.publish(given.rate * 2, given.rate))
        warm = set(it.traffic.durable)
        asyncio.run(it.traffic.publish(given.rate * given.seconds, given.rate))
        it.await_all(NAMES)
        arrivals = [one for one in it.to.arrivals() if one.message not in warm]
        found = latencies_ms(it.traffic, arrivals, NAMES)
        return {
            "updates per second": given.rate * 3,
            "deliveries": len(found),
            **{f"{name} ms": value for name, value in percentiles(found).items()},
            **faults(it.traffic, it.to.arrivals(), NAMES)._asdict(),
        }


def isolation(given: argparse.Namespace) -> dict[str, Any]:
    """What four bad endpoints do to a healthy one: its p99 without them and with them."""
    bad = {"two": "hang", "three": "500", "four": "410", "five": "429"}
    figures: dict[str, Any] = {}
    for label, behaviours in (("alone", {}), ("beside bad ones", bad)):
        with scene(given.database) as it:
            it.start()
            asyncio.run(it.traffic.publish(given.rate, given.rate))
            warm = set(it.traffic.durable)
            it.to.behave(**behaviours)
            asyncio.run(it.traffic.publish(given.isolated, given.rate))
            it.await_all(("one",))
            arrivals = [one for one in it.to.arrivals() if one.message not in warm]
            found = percentiles(latencies_ms(it.traffic, arrivals, ("one",)))
            healthy = [one for one in it.to.arrivals() if one.endpoint == "one"]
            counted = faults(it.traffic, healthy, ("one",))
            figures |= {f"healthy, {label}, {name} ms": value for name, value in found.items()}
            figures |= {f"{label}, {n}": v for n, v in counted._asdict().items()}
            figures[f"{label}, disabled"] = it.running.metric(
                "webhooks", "waybill_webhook_endpoints_disabled "
            )
    return figures


def restart(given: argparse.Namespace) -> dict[str, Any]:
    """So much pending at disabled endpoints, a kill in between, and then all of it delivered."""
    names = NAMES[:2]
    with scene(given.database, names, enabled=False, max_in_flight=32) as it:
        it.start()
        asyncio.run(it.traffic.publish(given.pending // len(names) // 6))
        it.kill()
        asyncio.run(it.traffic.publish(given.pending // len(names) // 3 - it.traffic.orders))
        it.start()
        _await_pending(it, len(it.traffic.durable) * len(names))
        queued_mb = it.running.rss_mb("webhooks")
        it.kill()
        began = time.monotonic()
        it.start()
        ready_s = time.monotonic() - began
        asyncio.run(register(it.running.bootstrap, changed(it.made, enabled=True, generation=2)))
        opened = time.time()
        time.sleep(2.0)
        sending_mb = it.running.rss_mb("webhooks")
        ended = it.await_all(names)
        arrivals = it.to.arrivals()
        return {
            "pending": len(it.traffic.durable) * len(names),
            "resident MB, all pending": queued_mb,
            "seconds to ready after a kill": ready_s,
            "resident MB while sending": sending_mb,
            "seconds until all was delivered": ended - opened,
            "deliveries per second": len(arrivals) / (ended - opened),
            **faults(it.traffic, arrivals, names)._asdict(),
        }


def _await_pending(it: Scene, wanted: int) -> None:
    until = time.monotonic() + DONE_S
    while it.running.metric("webhooks", "waybill_webhook_pending ") < wanted:
        if time.monotonic() > until:
            sys.exit("not everything became pending")
        time.sleep(0.5)


def kills(given: argparse.Namespace) -> dict[str, Any]:
    """Kills amid deliveries: each start gets its share of the updates, and is killed soon."""
    dice = random.Random(SEED)
    with scene(given.database) as it:
        orders = given.killed // 3 // len(NAMES)
        for number in range(given.kills):
            it.start()
            share = orders * (number + 1) // given.kills - it.traffic.orders
            read = len(it.to.arrivals())
            asyncio.run(it.traffic.publish(share))
            _await_more(it, read + dice.randrange(share * 3 * len(NAMES)))
            it.kill()
            print(f"kill {number + 1} of {given.kills}", file=sys.stderr, flush=True)
        it.start()
        it.await_all(NAMES)
        arrivals = it.to.arrivals()
        return {
            "kills": given.kills,
            "deliveries": len(it.traffic.durable) * len(NAMES),
            **faults(it.traffic, arrivals, NAMES)._asdict(),
        }


def _await_more(it: Scene, wanted: int) -> None:
    """Looks often, so that a kill hits where it is meant to."""
    until = time.monotonic() + DONE_S
    while time.monotonic() < until and len(it.to.arrivals()) < wanted:
        time.sleep(0.005)


MEASURED = {
    "throughput": throughput,
    "latency": latency,
    "isolation": isolation,
    "restart": restart,
    "kills": kills,
}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=[*MEASURED, "all"])
    parser.add_argument("--database", help="SQLAlchemy URL of an empty store")
    parser.add_argument("--json", action="store_true")
    parser.add_argument(
        "--orders", type=int, default=2_000, help="of throughput, 15 deliveries each"
    )
    parser.add_argument(
        "--rate", type=int, default=20, help="orders a second of latency, isolation"
    )
    parser.add_argument("--seconds", type=int, default=30, help="of latency")
    parser.add_argument("--isolated", type=int, default=1_000, help="orders of isolation")
    parser.add_argument("--pending", type=int, default=100_000, help="deliveries of restart")
    parser.add_argument("--kills", type=int, default=20, help="each costs some 8 seconds")
    parser.add_argument("--killed", type=int, default=5_000, help="deliveries of kills")
    return parser.parse_args()


def main() -> None:
    """Measures what was asked for."""
    given = _arguments()
    asked = list(MEASURED) if given.what == "all" else [given.what]
    figures = {name: MEASURED[name](given) for name in asked}
    if given.json:
        print(json.dumps(figures))
        return
    for name, found in figures.items():
        print(f"\n{name}")
        show(found)


if __name__ == "__main__":
    main()
