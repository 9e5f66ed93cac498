"""One partner down for ten minutes with 10,000 orders behind it, while others flow.

`python -m benchmarks.partner_down [--minutes 10] [--orders 10000] [--rate 100]`. New orders need
the partner that goes down, changes another one; both come at a steady rate all the time.
"""

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measuring import callouts, connections, latencies, log_of, percentiles, show
from benchmarks.orders import produce
from benchmarks.partner import Partner, partner
from benchmarks.stack import Stack, stack
from projections.store import Store
from schemas.events import Event, StepDeferred

OTHERS_RATE = 20
CALM_S = 90
DRAIN_RATE = 100
GOOD, DOWN = 200, 503
STEPS = ("only",)
BREAKER = "breaker"
EDGES_S = 3
"""Seconds at both ends of the drain that do not count for its rate: single probes, last orders."""


@dataclass(frozen=True, slots=True)
class Outage:
    """What is asked for."""

    minutes: float = 10.0
    orders: int = 10_000
    drain_rate: int = DRAIN_RATE

    @property
    def rate(self) -> float:
        """New orders a second, before and while the partner is down."""
        return self.orders / (self.minutes * 60)


def main(outage: Outage) -> dict[str, Any]:
    """One run; prints its figures and returns them."""
    with tempfile.TemporaryDirectory() as name, partner() as broken, partner() as sound:
        folder = Path(name)
        limits = {broken.base: {"rate": {"per_second": outage.drain_rate}}, sound.base: {}}
        more = {"WAYBILL_CONNECTIONS": connections(folder, limits)}
        configuration = {
            "version": 1,
            "sequence": callouts(broken.base, "broken", 0, STEPS),
            "overrides": [
                {"order_type": "change_offer", "sequence": callouts(sound.base, "sound", 0, STEPS)}
            ],
        }
        with stack(folder / "stack", configuration, **more) as running:
            running.start("projector")
            running.start("worker")
            running.ready("projector", "worker")
            moments = asyncio.run(_campaign(running, broken, outage))
            log = log_of(running.bootstrap)
        figures = _figures(log, broken.calls(), moments, outage)
    show(figures)
    return figures


async def _campaign(running: Stack, broken: Partner, outage: Outage) -> dict[str, float]:
    """Calm; down with its orders piling up; up again until nothing is left. When each began."""
    store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")
    bootstrap, others = running.bootstrap, 10**9
    flow = asyncio.ensure_future(produce(bootstrap, others, OTHERS_RATE, "flow", "change_offer"))
    calm = int(outage.rate * CALM_S)
    await produce(bootstrap, calm, outage.rate, "calm")
    moments = {"down": time.time()}
    broken.set(down=["broken"])
    await produce(bootstrap, outage.orders, outage.rate, "behind")
    moments["up"] = time.time()
    refused = broken.calls()
    broken.set()
    moments["refused"] = float(len(refused))
    moments["first_refused"] = refused[0][0]
    moments["last_before_open"] = _opened(refused)
    until = time.monotonic() + 5 * outage.orders / outage.drain_rate + 300
    while _behind(store) and time.monotonic() < until:  # noqa: ASYNC110 (the store tells nobody)
        await asyncio.sleep(0.5)
    moments["drained"] = time.time()
    flow.cancel()
    await asyncio.gather(flow, return_exceptions=True)
    await asyncio.sleep(2)
    return moments


def _opened(refused: list[tuple[float, str, str, int]]) -> float:
    """The last call of the first burst: after it only single probes come."""
    last = refused[0][0]
    for at, *_ in refused:
        if at - last > 1:
            break
        last = at
    return last


def _behind(store: Store) -> bool:
    """Whether new orders are left that have not ended."""
    with store.reading() as (connection, tables):
        columns = tables.orders.c
        query = tables.orders.select().with_only_columns(columns.place).limit(1)
        waiting = query.where(columns.order_type == "new", columns.status != "complete")
        return connection.execute(waiting).first() is not None


def _figures(
    log: list[tuple[int, Event]],
    calls: list[tuple[float, str, str, int]],
    moments: dict[str, float],
    outage: Outage,
) -> dict[str, Any]:
    found = latencies(log)
    figures: dict[str, Any] = {
        "orders_behind": float(outage.orders),
        "minutes_down": (moments["up"] - moments["down"]) / 60,
        "breaker_open_s": _deferred(log, moments["first_refused"]),
        "last_call_before_open_s": moments["last_before_open"] - moments["first_refused"],
        "calls_while_down": moments["refused"],
        "drain_s": moments["drained"] - moments["up"],
        "completed_behind": float(len(found["behind"])),
    }
    figures |= _deferrals(log, moments, outage)
    figures |= _drain(calls, outage)
    figures |= _others(found["flow"], moments)
    return figures


def _deferred(log: Iterable[tuple[int, Event]], since: float) -> float:
    """Seconds from the first refused call to the first order that the open breaker kept back."""
    moments = (
        event.envelope.occurred_at.timestamp() - since
        for _, event in log
        if isinstance(event.fact, StepDeferred) and event.fact.reason == BREAKER
    )
    return next(moments, float("nan"))


def _deferrals(
    log: Iterable[tuple[int, Event]], moments: dict[str, float], outage: Outage
) -> dict[str, Any]:
    """How often an order was put off, by reason, while the partner was down and after it."""
    counts: Counter[str] = Counter()
    for _, event in log:
        if isinstance(event.fact, StepDeferred):
            later = event.envelope.occurred_at.timestamp() > moments["up"]
            counts[f"{'drain' if later else 'down'}_{event.fact.reason}"] += 1
    return {f"deferrals_{name}_per_order": n / outage.orders for name, n in counts.items()}


def _drain(calls: list[tuple[float, str, str, int]], outage: Outage) -> dict[str, Any]:
    """How fast it went once the partner was up again, and whether a key came twice."""
    good = [(at, key) for at, _, key, status in calls if status == GOOD]
    keys = Counter(key for _, key in good)
    per_second = Counter(int(at - good[0][0]) for at, _ in good)
    seconds = sorted(per_second)
    busy = [n for n in seconds if per_second[n] > outage.drain_rate / 2]
    inner = busy[EDGES_S:-EDGES_S]
    rate = sum(per_second[n] for n in range(inner[0], inner[-1] + 1)) / (inner[-1] - inner[0] + 1)
    return {
        "drain_per_s": rate,
        "drain_off_percent": (rate / outage.drain_rate - 1) * 100,
        "drain_most_in_a_second": float(max(per_second.values())),
        "duplicates": float(sum(n - 1 for n in keys.values())),
    }


def _others(flow: list[tuple[float, float]], moments: dict[str, float]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    spans = {
        "calm": (moments["down"] - CALM_S + 10, moments["down"]),
        "down": (moments["down"], moments["up"]),
        "drain": (moments["up"], moments["drained"]),
    }
    for name, (begin, end) in spans.items():
        spread = percentiles(ms for at, ms in flow if begin <= at < end)
        figures |= {f"others_{name}_{which}_ms": value for which, value in spread.items()}
    for name in ("down", "drain"):
        change = figures[f"others_{name}_p99_ms"] / figures["others_calm_p99_ms"] - 1
        figures[f"others_{name}_p99_change_percent"] = change * 100
    return figures


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--orders", type=int, default=10_000)
    parser.add_argument(
        "--rate", type=int, default=DRAIN_RATE, help="the stage's requests a second"
    )
    given = parser.parse_args()
    main(Outage(given.minutes, given.orders, given.rate))
