"""How long REST takes to read one order and lists of them, with a million orders in the store.

    .venv/bin/python -m benchmarks.reading [--orders 1000000] [--database sqlite|postgresql|URL]

Fills a store of each kind (see `many_orders`), starts `waybill api` on it and asks, one question
after the other, each many times with other values. A URL of a store that is filled already is
measured as it is. Kafka is not needed.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from benchmarks.databases import postgresql
from benchmarks.many_orders import CODES, START, YEAR, fill, order_id
from benchmarks.measuring import percentiles
from benchmarks.stack import READY_S
from benchmarks.stub import free_port
from projections.store import Store

ORDERS = 1_000_000
REPEATS = 200
ORDER_MS, LIST_MS = 10.0, 50.0
"""What p99 of one order, and of a list, should be at most."""

_Query = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Case:
    """One kind of question; `asked` makes path and query from a random order's number."""

    name: str
    asked: Callable[[int], tuple[str, _Query]]
    limit_ms: float = LIST_MS


def cases(orders: int) -> Iterator[Case]:
    """Everything that is asked."""
    for what in ("", "/timeline", "/process-events"):
        name = f"one order{what.replace('/', ', ')}"
        yield Case(name, lambda n, w=what: (f"/orders/{order_id(n)}{w}", {}), ORDER_MS)
    yield Case("one order, as of a moment", _as_of, ORDER_MS)

    def listed(name: str, make: Callable[[int], _Query]) -> Case:
        return Case(name, lambda n: ("/orders", make(n)))

    yield listed("the newest", lambda _: {})
    yield listed("the newest 200", lambda _: {"limit": "200"})
    yield listed("until a day", lambda n: {"to": _day(n, orders)})
    yield listed("one day", lambda n: {"from": _day(n, orders), "to": _day(n, orders, 1)})
    for name, value in _FILTERS.items():
        yield listed(f"{name}={value}", lambda _, q={name: value}: q)
    yield listed("external_id", lambda n: {"external_id": f"EXT-{n:08d}"})
    yield listed("subscription", lambda n: {"subscription": f"S{n * 2 // 5:011d}"})
    yield listed("lane", lambda n: {"lane": f"default/S{n * 2 // 5:011d}"})
    yield listed("error_code", lambda n: {"error_code": CODES[n % len(CODES)]})
    for combined in _COMBINED:
        yield listed(_named(combined), lambda n, q=combined: _deep(q, n, orders))
    yield listed("q: begin of an id", lambda n: {"q": order_id(n)[:20]})
    yield listed("q: external id", lambda n: {"q": f"EXT-{n:08d}"})
    yield listed("q: begin of an external id", lambda n: {"q": f"ext-{n // 10:07d}"})
    yield listed("q: one letter", lambda n: {"q": "abcdefghijklmnopqrstuvwxyz"[n % 26]})
    for searched in _SEARCHED:
        yield listed(_named(searched), lambda n, q=searched: _deep(q, n, orders))


_FILTERS = {
    "status": "failed",
    "order_type": "change_address",
    "stage": "zuora",
    "mode": "test",
    "attention": "failed",
    "plugin": "zuora",
    "code": "timeout",
}
_COMBINED: tuple[_Query, ...] = (
    {"status": "in_doubt", "order_type": "change_address"},
    {"status": "failed", "mode": "test", "order_type": "renew"},
    {"status": "queued", "stage": "zuora"},
    {"status": "complete", "mode": "test", "order_type": "change_offer", "deep": ""},
    {"order_type": "renew", "stage": "zuora", "error_code": "timeout", "deep": ""},
    {"attention": "in_doubt", "plugin": "zuora", "order_type": "change_address"},
    {"order_type": "new", "mode": "production", "status": "complete", "deep": ""},
)
_SEARCHED: tuple[_Query, ...] = (
    {"q": "digital"},
    {"q": "digital", "deep": ""},
    {"q": "crossword"},
    {"q": "crossword digital"},
    {"q": "sunday declined"},
    {"q": "sunday", "status": "failed", "deep": ""},
    {"q": "zuora quarterly", "order_type": "change_address"},
    {"q": "card declined", "deep": ""},
    {"q": "nothing of the kind"},
    {"q": "digital archive", "mode": "test"},
)


def _named(query: _Query) -> str:
    shown = " ".join(f"{name}={value}" for name, value in query.items() if name != "deep")
    return f"{shown}, deep" if "deep" in query else shown


def _deep(query: _Query, number: int, orders: int) -> _Query:
    """Pages far from the newest order: `deep` gives way to a bound as a cursor would set it."""
    given = {name: value for name, value in query.items() if name != "deep"}
    return {**given, "to": _day(number, orders)} if "deep" in query else given


def _day(number: int, orders: int, later: int = 0) -> str:
    return (START + YEAR * (number / orders) + timedelta(days=later)).isoformat()


def _as_of(number: int) -> tuple[str, _Query]:
    return f"/orders/{order_id(number)}", {"as_of": (START + 2 * YEAR).isoformat()}


def main() -> None:
    """Fill, ask, and print a line for each case; exit code 1 where one takes too long."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--repeats", type=int, default=REPEATS, help="questions of each kind")
    parser.add_argument(
        "--database", action="append", help="sqlite, postgresql (default: both), or a filled store"
    )
    parser.add_argument("--json", type=Path, help="keep the figures in this file")
    given = parser.parse_args()
    figures: dict[str, Any] = {}
    for database in given.database or ("sqlite", "postgresql"):
        with tempfile.TemporaryDirectory(prefix="waybill-reading-") as name:
            folder = Path(name)
            with _filled(database, folder, given.orders) as url, _api(url, folder) as base:
                figures[database] = measured(base, given.orders, given.repeats)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2))
    slow = [
        f"{database}: {name}"
        for database, found in figures.items()
        for name, one in found.items()
        if one["p99"] > one["limit"]
    ]
    sys.exit("slower than they should be:\n  " + "\n  ".join(slow) if slow else 0)


@contextmanager
def _filled(database: str, folder: Path, orders: int) -> Iterator[str]:
    if ":" in database:
        yield database
    elif database == "sqlite":
        url = f"sqlite:///{folder / 'reading.sqlite'}"
        _fill(url, orders)
        yield url
    else:
        with postgresql(folder / "postgresql") as url:
            _fill(url, orders)
            yield url


def _fill(url: str, orders: int) -> None:
    began = time.monotonic()
    store = Store.open(url)
    fill(store, orders)
    store.close()
    took = time.monotonic() - began
    print(f"{store.writer.dialect.name}: {orders:,} orders written in {took:.0f} s")


@contextmanager
def _api(url: str, folder: Path) -> Iterator[str]:
    port, nobody = free_port(), free_port()
    environment = {
        "WAYBILL_KAFKA": f"127.0.0.1:{nobody}",
        "WAYBILL_DATABASE": url,
        "WAYBILL_DATA": str(folder / "data"),
        "WAYBILL_HTTP": f"127.0.0.1:{port}",
        "PYTHONSAFEPATH": "1",
    }
    base = f"http://127.0.0.1:{port}"
    with (folder / "api.log").open("wb") as log:
        command = [sys.executable, "-m", "waybill", "api"]
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + READY_S
        while not _lives(base):
            if time.monotonic() > until or process.poll() is not None:
                sys.exit(f"the API does not start:\n{(folder / 'api.log').read_text()}")
            time.sleep(0.1)
        yield f"{base}/api"
    finally:
        process.kill()
        process.wait()


def _lives(base: str) -> bool:
    try:
        return httpx.get(f"{base}/livez", timeout=2).is_success
    except httpx.TransportError:
        return False


def measured(base: str, orders: int, repeats: int) -> dict[str, Any]:
    """Milliseconds of each case, and how many orders a page had on the average."""
    figures: dict[str, Any] = {}
    print(f"{'':58}   p50 ms   p99 ms   max ms   orders")
    with httpx.Client(base_url=base, timeout=30) as client:
        for case in cases(orders):
            figures[case.name] = one = _case(client, case, orders, repeats)
            slow = " slow" if one["p99"] > case.limit_ms else ""
            shown = "".join(f"{one[name]:9.1f}" for name in ("p50", "p99", "max", "orders"))
            print(f"{case.name:58}{shown}{slow}", flush=True)
    return figures


def _case(client: httpx.Client, case: Case, orders: int, repeats: int) -> dict[str, float]:
    dice, took, found = random.Random(case.name), [], 0
    for turn in range(-3, repeats):
        path, query = case.asked(dice.randrange(orders))
        began = time.perf_counter()
        answer = client.get(path, params=query)
        elapsed = (time.perf_counter() - began) * 1000
        if not answer.is_success and answer.status_code != httpx.codes.NOT_FOUND:
            sys.exit(f"{path} {query}: {answer.status_code} {answer.text}")
        if turn >= 0:
            took.append(elapsed)
            found += len(answer.json().get("items", ()))
    return {**percentiles(took), "orders": found / repeats, "limit": case.limit_ms}


if __name__ == "__main__":
    main()
