"""What several measurements share: percentiles, latencies by batch, limits for a partner."""

import asyncio
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.audit_sources import records
from schemas.codec import decode
from schemas.events import Event, OrderAccepted, OrderCompleted

STEPS = ("first", "second", "third")


def percentiles(values: Iterable[float]) -> dict[str, float]:
    """p50, p99 and the largest; empty where there is nothing."""
    found = sorted(values)
    if not found:
        return {}
    return {"p50": found[len(found) // 2], "p99": found[int(len(found) * 0.99)], "max": found[-1]}


def show(figures: Mapping[str, Any]) -> None:
    """One figure per line."""
    for name, value in figures.items():
        print(f"{name:36} {value:12.3f}" if isinstance(value, float) else f"{name:36} {value}")


def callouts(base: str, name: str, delay_ms: int = 0, steps: Iterable[str] = STEPS) -> Any:
    """Steps that honour keys as far as anybody can tell, at the partner of the figures."""
    return [
        {
            "name": "calloutPlugin",
            "id": step,
            "on_unknown": "repeat",
            "options": {
                "endpoint": f"{base}/{name}/{delay_ms}/{step}",
                "timeoutValue": 40_000,
                "response": {"id": "id"},
            },
        }
        for step in steps
    ]


def connections(folder: Path, limits: Mapping[str, Mapping[str, Any]]) -> str:
    """A file that gives limits to partners, by their base URL."""
    by_host = {
        base.split("//")[1]: {"base_url": base, "limits": dict(given)}
        for base, given in limits.items()
    }
    path = folder / "connections.json"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"default": {"production": by_host}}))
    return str(path)


async def _events(bootstrap: str) -> list[tuple[int, Event]]:
    return [(r.partition, decode(r.value)) async for r in records(bootstrap, "order-events")]


def log_of(bootstrap: str) -> list[tuple[int, Event]]:
    """Partition and event of all that is in the log now."""
    return asyncio.run(_events(bootstrap))


def latencies(log: Iterable[tuple[int, Event]]) -> dict[str, list[tuple[float, float]]]:
    """By batch: when each order was sent (seconds), and milliseconds from then to its end."""
    sent: dict[str, tuple[str, float]] = {}
    found: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for _, event in log:
        order_id, fact = event.envelope.order_id, event.fact
        if isinstance(fact, OrderAccepted):
            name, _, at = str(fact.external_id).partition("@")
            sent.setdefault(order_id, (name.rstrip("0123456789"), float(at)))
        elif isinstance(fact, OrderCompleted) and order_id in sent:
            batch, at = sent.pop(order_id)
            found[batch].append((at, (event.envelope.occurred_at.timestamp() - at) * 1000))
    return found
