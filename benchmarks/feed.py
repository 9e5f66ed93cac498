"""Streams of events: how long an event takes from the store to its readers, and what that costs.

    .venv/bin/python -m benchmarks.feed [--seconds 8] [--json]

Events are written by the projector's own code into SQLite, a transaction every 30 ms; `waybill
api` serves the streams from a process of its own. No Kafka is needed. Each case says how many
streams there are and what they ask for; figures are milliseconds from the commit to the reader.
"""

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.projector import history
from projections.store import Store
from projections.writing import Record
from schemas.codec import decode
from streams.agents.projector import Projector
from waybill.keys import load_keys
from waybill.ports import free_port

TRANSACTION_S = 0.03
EVENTS_PER_ORDER = 6
_PARTITION = 0


@dataclass(frozen=True, slots=True)
class Case:
    """Streams that are open at once, and events per second while they are."""

    name: str
    streams: int
    per_second: int
    of_orders: bool = False
    slow: int = 0


CASES = (
    Case("no stream", 0, 1_000),
    Case("one stream of all events", 1, 1_000),
    Case("200 streams of one order each", 200, 1_000, of_orders=True),
    Case("50 streams of all events", 50, 200),
    Case("50 streams of all events, 10 that do not read", 50, 200, slow=10),
    Case("500 streams, nothing happens", 500, 0),
)


@dataclass(slots=True)
class Log:
    """What was written: when which offset was committed, and what is to be written next."""

    records: list[Record]
    committed: dict[int, float] = field(default_factory=dict)
    place: int = 0


async def main() -> None:
    """Measures every case and prints a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="for each case")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store.open(f"sqlite:///{Path(folder) / 'bench.sqlite'}")
        projector = Projector(store)
        projector.assign([_PARTITION])
        log = Log(_records(sum(int(case.per_second * given.seconds) for case in CASES)))
        async with serving(Path(folder)) as api:
            figures = [await measured(case, given.seconds, (projector, log), api) for case in CASES]
        store.close()
    if given.json:
        print(json.dumps(figures, indent=2))
        return
    print(f"{'case':<48}{'events':>9}{'p50 ms':>9}{'p99 ms':>9}{'max ms':>9}{'API CPU':>9}")
    for one in figures:
        shown = "".join(
            f"{'-' if one[name] is None else format(one[name], '.1f'):>9}"
            for name in ("p50_ms", "p99_ms", "max_ms")
        )
        print(f"{one['case']:<48}{one['received']:>9}{shown}{one['api_cpu']:>8.0%}")


async def measured(
    case: Case, seconds: float, writing: tuple[Projector, Log], api: tuple[str, int]
) -> dict[str, Any]:
    """One case from the opening of its streams to their end."""
    projector, log = writing
    base, process = api
    log.committed.clear()
    first = log.place
    delays: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        opened = asyncio.Semaphore(0)
        orders = _orders(log, case.streams) if case.of_orders else [None] * case.streams
        reading = [
            asyncio.create_task(_read(session, _url(base, order), (opened, log, delays), n))
            for n, order in zip(
                [None] * (case.streams - case.slow) + [1] * case.slow, orders, strict=True
            )
        ]
        for _ in reading:
            await asyncio.wait_for(opened.acquire(), 30)
        await asyncio.sleep(0.3)
        cpu, began = _cpu_s(process), time.perf_counter()
        await _write(case, seconds, projector, log)
        await asyncio.sleep(0.5)
        used = (_cpu_s(process) - cpu) / (time.perf_counter() - began)
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)
    delays.sort()
    return {
        "case": case.name,
        "streams": case.streams,
        "written": log.place - first,
        "received": len(delays),
        "p50_ms": _share(delays, 0.5),
        "p99_ms": _share(delays, 0.99),
        "max_ms": _share(delays, 1.0),
        "api_cpu": round(used, 3),
    }


async def _write(case: Case, seconds: float, projector: Projector, log: Log) -> None:
    at_once = round(case.per_second * TRANSACTION_S)
    began, turns = time.perf_counter(), int(seconds / TRANSACTION_S)
    for turn in range(turns):
        await asyncio.sleep(max(0.0, began + turn * TRANSACTION_S - time.perf_counter()))
        chunk = log.records[log.place : log.place + at_once]
        if chunk:
            await asyncio.to_thread(projector.apply, _PARTITION, chunk)
            now = time.perf_counter()
            log.committed.update((record.offset, now) for record in chunk)
            log.place += len(chunk)


async def _read(
    session: aiohttp.ClientSession,
    url: str,
    noted: tuple[asyncio.Semaphore, Log, list[float]],
    stops_after: int | None,
) -> None:
    """Notes how long each event took; with `stops_after` it reads so many lines and no more."""
    opened, log, delays = noted
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as response:
        response.raise_for_status()
        opened.release()
        lines = 0
        async for line in response.content:
            lines += 1
            if stops_after is not None and lines > stops_after:
                await asyncio.sleep(3600)
            if line.startswith(b"id: "):
                now = time.perf_counter()
                offset = int(line.rpartition(b":")[2])
                committed = log.committed.get(offset)
            elif line.startswith(b"event: "):
                # Who is faster than the note of the commit has waited no time.
                delays.append(0.0 if committed is None else max(0.0, now - committed))


def _url(base: str, order: str | None) -> str:
    return f"{base}/api/events" + ("" if order is None else f"?order={order}")


def _records(count: int) -> list[Record]:
    """Orders one after the other."""
    values = (value for number in range(count // EVENTS_PER_ORDER + 2) for value in history(number))
    return [Record(offset, value) for offset, value in enumerate(values)]


def _orders(log: Log, count: int) -> list[str]:
    """The orders that come next."""
    following = log.records[log.place : log.place + (count + 1) * EVENTS_PER_ORDER]
    ids = dict.fromkeys(decode(record.value).envelope.order_id for record in following)
    return list(ids)[1 : count + 1]


def _share(delays: Sequence[float], share: float) -> float | None:
    if not delays:
        return None
    return round(1000 * delays[min(len(delays) - 1, int(share * len(delays)))], 2)


def _cpu_s(process: int) -> float:
    """Seconds of CPU that the process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[str, int]]:
    """`waybill api` over the store in the folder; its Kafka is nowhere."""
    address = f"127.0.0.1:{free_port()}"
    load_keys(folder / "keys.json", create=True)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("WAYBILL_")},
        "WAYBILL_KAFKA": f"127.0.0.1:{free_port()}",
        "WAYBILL_HTTP": address,
        "WAYBILL_DATA": str(folder),
        "WAYBILL_DATABASE": f"sqlite:///{folder / 'bench.sqlite'}",
        "WAYBILL_KEYS": str(folder / "keys.json"),
    }
    program = [sys.executable, "-m", "waybill", "api"]
    process = await asyncio.create_subprocess_exec(
        *program, env=environment, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with aiohttp.ClientSession() as session:
            await _answers(session, f"http://{address}/livez")
        yield f"http://{address}", process.pid
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 15)


async def _answers(session: aiohttp.ClientSession, url: str) -> None:
    for _ in range(200):
        try:
            async with session.get(url):
                return
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.1)
    sys.exit(f"nobody answers at {url}")


if __name__ == "__main__":
    asyncio.run(main())
