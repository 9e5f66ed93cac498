"""How far the views are behind: from the moment an event is written to an answer that knows it.

    .venv/bin/python -m benchmarks.view_lag [--seconds 30] [--share 0.7]

A whole Waybill (Kafka, worker, projector, API, SQLite) first takes orders as fast as it can: that
is its largest load. Then it gets a share of that, while somebody reads `GET /api/orders` again and
again; `Waybill-Applied` says what each answer knows. An event's own moment is the one at which
Kafka appended it (`order-events` is switched to that for the run), so a lag counts from durable.

What the projector's transactions take is told beside it; the rest of a lag is the way through
Kafka, which gathers for 25 ms, and the wait for the transaction before and for the next answer.
"""

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from benchmarks.audit_sources import records
from benchmarks.measuring import percentiles, show
from benchmarks.orders import produce
from benchmarks.stack import Stack, stack
from benchmarks.stub import free_port, nginx
from benchmarks.throughput import configuration, wait_for
from projections.store import Store
from streams.topics import MESSAGE_LIMIT

SECONDS = 30
SHARE = 0.7
LARGEST_LOAD_ORDERS = 6_000
WARM = 300
LIMIT_MS = 200.0
"""What p99 should be at most."""

_PAUSE_S = 0.015
"""Looking must not be most of the load."""
PARTS = ("decode", "lock", "write", "commit")
_Look = tuple[float, Mapping[int, int]]


class _Spent(NamedTuple):
    """How often the projector did a part of its work, and how long that took in all."""

    times: float
    seconds: float

    def __sub__(self, other: "_Spent") -> "_Spent":
        return _Spent(self.times - other.times, self.seconds - other.seconds)

    @property
    def mean_ms(self) -> float:
        return self.seconds / max(1.0, self.times) * 1000


def main() -> dict[str, Any]:
    """One run; prints its figures and returns them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="how long orders come")
    parser.add_argument("--share", type=float, default=SHARE, help="of the largest load")
    parser.add_argument("--rate", type=float, help="orders/s, instead of a share")
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    given = parser.parse_args()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="waybill-lag-") as name:
        folder = Path(name)
        with (
            nginx(folder / "nginx") as base,
            stack(
                folder / "stack", configuration(base), WAYBILL_HTTP=f"127.0.0.1:{port}"
            ) as running,
        ):
            figures = _measured(running, f"http://127.0.0.1:{port}", given)
    show(figures)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2))
    return figures


def _measured(running: Stack, api: str, given: argparse.Namespace) -> dict[str, Any]:
    asyncio.run(_append_time(running.bootstrap))
    for program in ("projector", "worker", "api"):
        running.start(program)
    running.ready("projector", "worker")
    running.answers(f"{api}/livez")
    store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")
    asyncio.run(produce(running.bootstrap, WARM, None, "warm"))
    wait_for(store, WARM)
    done, largest, rate = WARM, None, given.rate
    if rate is None:
        largest = _largest_load(running, store)
        done, rate = WARM + LARGEST_LOAD_ORDERS, largest * given.share
    orders = int(rate * given.seconds)
    before = {name: running.cpu_s(name) for name in running.processes}
    parts = {part: _part(running, part) for part in PARTS}
    since = time.time()
    looks = asyncio.run(_watched(running, api, orders, rate))
    took = time.time() - since
    used = {name: (running.cpu_s(name) - before[name]) / took for name in before}
    spent = {part: _part(running, part) - parts[part] for part in PARTS}
    wait_for(store, done + orders)
    store.close()
    events = asyncio.run(_written(running.bootstrap, since))
    lags = list(_lags(events, looks))
    return {
        "largest load, orders/s": largest,
        "rate, orders/s": rate,
        "events": len(lags),
        "answers": len(looks),
        "transactions/s": spent["lock"].times / took,
        **{f"{part} of a transaction, ms": one.mean_ms for part, one in spent.items()},
        **{f"lag {name}, ms": value for name, value in percentiles(lags).items()},
        "p99 should be at most, ms": LIMIT_MS,
        **{f"CPU of {name}": value for name, value in used.items()},
    }


def _largest_load(running: Stack, store: Store) -> float:
    """Orders a second."""
    began = time.perf_counter()
    asyncio.run(produce(running.bootstrap, LARGEST_LOAD_ORDERS, None, "most"))
    return LARGEST_LOAD_ORDERS / (wait_for(store, WARM + LARGEST_LOAD_ORDERS) - began)


def _part(running: Stack, part: str) -> _Spent:
    name = "waybill_views_seconds"
    labelled = f'{{part="{part}"}}'
    return _Spent(
        running.metric("projector", f"{name}_count{labelled}"),
        running.metric("projector", f"{name}_sum{labelled}"),
    )


async def _watched(running: Stack, api: str, orders: int, rate: float) -> list[_Look]:
    """What each answer knows while orders come, and until the views have them all."""
    shop = multiprocessing.get_context("spawn").Process(
        target=_sell, args=(running.bootstrap, orders, rate), daemon=True
    )
    looks: list[_Look] = []
    async with aiohttp.ClientSession() as session:
        shop.start()
        still = 0
        while still < 2 / _PAUSE_S:
            async with session.get(f"{api}/api/orders", params={"limit": "1"}) as answer:
                await answer.read()
                known = _vector(answer.headers["Waybill-Applied"])
            still = still + 1 if looks and looks[-1][1] == known and not shop.is_alive() else 0
            looks.append((time.time(), known))
            await asyncio.sleep(_PAUSE_S)
    return looks


async def _append_time(bootstrap: str) -> None:
    """Has Kafka say when it appended an event, and not its writer when it was made."""
    settings = {"message.timestamp.type": "LogAppendTime", "retention.ms": "-1"}
    settings["max.message.bytes"] = str(MESSAGE_LIMIT)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.alter_configs(
            [ConfigResource(ConfigResourceType.TOPIC, "order-events", configs=settings)]
        )
    finally:
        await admin.close()


def _sell(bootstrap: str, orders: int, rate: float) -> None:
    asyncio.run(produce(bootstrap, orders, rate))


def _vector(text: str) -> dict[int, int]:
    return {int(part): int(end) for part, _, end in (one.partition(":") for one in text.split(","))}


async def _written(bootstrap: str, since: float) -> list[tuple[int, int, float]]:
    """Partition, offset and moment of the events that were written since then."""
    return [
        (record.partition, record.offset, record.timestamp / 1000)
        async for record in records(bootstrap, "order-events")
        if record.timestamp / 1000 >= since
    ]


def _lags(events: Iterable[tuple[int, int, float]], looks: Iterable[_Look]) -> Iterable[float]:
    """Milliseconds from each event to the first answer that knows it."""
    seen: dict[int, list[int]] = defaultdict(list)
    when: dict[int, list[float]] = defaultdict(list)
    for at, known in looks:
        for partition, end in known.items():
            seen[partition].append(end)
            when[partition].append(at)
    for partition, offset, at in events:
        look = bisect_left(seen[partition], offset)
        if look == len(when[partition]):
            sys.exit("the views stopped before they had all events: nothing is measured")
        yield (when[partition][look] - at) * 1000


if __name__ == "__main__":
    main()
