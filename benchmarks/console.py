"""The console in a real Chromium: how soon an operator has helped, what pages cost, their marks.

    .venv/bin/python -m benchmarks.console [--orders 100000] [--json] [--only retry ...]

`retry`, `cost` and `lighthouse`: one failed order among very many complete ones, which are written
straight into the log and projected. By script an operator opens the console, follows the cause to
the order, and retries it. `pages`: every page, also those that forms answer, by axe-core and
by what that does not see, light and dark, at a desk, on a phone and at 400 %; `--shots FOLDER`
keeps pictures. Needs Chromium and npm.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from playwright.sync_api import Browser, Page, expect

from benchmarks.browser import DESK, ROOT, chromium, cost, executable, missing, opened
from benchmarks.console_looks import all_pages
from benchmarks.projector import history
from projections.store import Store
from projections.writing import Record
from streams.agents.projector import Projector
from streams.kafka.admin import Cluster, ensure_topics
from streams.topics import PARTITIONS, Topics
from tests.e2e.commanding import failed_order, hasty_stack
from tests.e2e.stack import Stack
from waybill.embedded.broker import EmbeddedBroker

ORDERS = 100_000
PARTS = ("retry", "cost", "lighthouse", "pages")
AT_ONCE = 4_000
REPEATS = 5
TRIES = 4
MOST_KB, MOST_MS = 60.0, 500.0
"""What a page should weigh and take at most."""

_LIGHTHOUSE = ROOT / ".cache" / "lighthouse" / "node_modules" / "lighthouse" / "cli" / "index.js"


def main() -> None:
    """Measure and print; exit code 1 where pages are faulty, too heavy or too slow."""
    given = _asked()
    if problem := missing():
        sys.exit(problem)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(prefix="waybill-console-") as name:
        folder = Path(name)
        if {"retry", "cost", "lighthouse"} & set(given.only):
            many = _one_failed(folder / "many", given.orders)
            with many as (stack, order_id), chromium() as browser:
                figures |= _among_many(browser, stack, order_id, given.only)
        if "pages" in given.only:
            figures["pages"] = all_pages(folder / "pages", given.shots)
    if given.json:
        print(json.dumps(figures, indent=2))
    sys.exit(1 if _is_bad(figures) else 0)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--orders", type=int, default=ORDERS)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--shots", type=Path, help="keep a picture of every page in this folder")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON, too")
    return parser.parse_args()


@contextmanager
def _one_failed(folder: Path, orders: int) -> Iterator[tuple[Stack, str]]:
    """A running Waybill with very many complete orders, and one that failed."""
    topics = Topics()
    with EmbeddedBroker(folder / "kafka") as kafka:
        asyncio.run(ensure_topics(Cluster(kafka), topics))
        url = f"sqlite:///{folder / 'waybill.sqlite'}"
        began = time.monotonic()
        asyncio.run(_fill(kafka, topics, url, orders))
        print(f"{orders:,} orders written in {time.monotonic() - began:.0f} s")
        (folder / "stack").mkdir()
        running = ("sandbox", "worker", "projector", "api")
        with hasty_stack(
            kafka, topics, folder / "stack", processes=running, WAYBILL_DATABASE=url
        ) as stack:
            yield stack, failed_order(stack)


async def _fill(kafka: str, topics: Topics, url: str, orders: int) -> None:
    store = Store.open(url)
    projector = Projector(store)
    projector.assign(range(PARTITIONS))
    producer = AIOKafkaProducer(bootstrap_servers=kafka, linger_ms=5, max_batch_size=1 << 20)
    await producer.start()
    offsets = dict.fromkeys(range(PARTITIONS), 0)
    for first in range(0, orders, AT_ONCE):
        records: dict[int, list[Record]] = {partition: [] for partition in offsets}
        for number in range(first, min(orders, first + AT_ONCE)):
            into = records[number % PARTITIONS]
            for value in history(number):
                into.append(Record(offsets[number % PARTITIONS], value))
                offsets[number % PARTITIONS] += 1
        for partition, part in records.items():
            for record in part:
                await producer.send(topics.order_events, record.value, b"lane", partition)
        projector.apply_all({partition: part for partition, part in records.items() if part})
    await producer.stop()
    store.close()


def _among_many(
    browser: Browser, stack: Stack, order_id: str, wanted: tuple[str, ...]
) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    pages = {"overview": "/", "order list": "/orders", "order page": f"/orders/{order_id}"}
    if "cost" in wanted:
        figures["cost"] = {name: _cost(browser, stack.url, path) for name, path in pages.items()}
        print(f"\n{'':12}{'kB':>8}{'requests':>10}{'painted ms':>12}{'interactive ms':>16}")
        for name, one in figures["cost"].items():
            print(
                f"{name:12}{one['kilobytes']:8.1f}{one['requests']:10.0f}"
                f"{one['painted_ms']:12.0f}{one['interactive_ms']:16.0f}"
            )
    if "retry" in wanted:
        figures["retry"] = _retried(browser, stack, order_id)
        print()
        for name, seconds in figures["retry"].items():
            print(f"{name:44}{seconds:8.2f} s")
    if "lighthouse" in wanted:
        figures["lighthouse"] = _lighthouse(stack.url, pages)
    return figures


def _cost(browser: Browser, base: str, path: str) -> dict[str, float]:
    found = [asdict(cost(browser, base, path)) for _ in range(REPEATS)]
    return {name: statistics.median(one[name] for one in found) for name in found[0]}


def _retried(browser: Browser, stack: Stack, order_id: str) -> dict[str, float]:
    """By script, as fast as pages come: a person's reading and typing are not in it."""
    context, watch = opened(browser, stack.url, **DESK)
    page = context.new_page()
    began = time.monotonic()
    took: dict[str, float] = {}

    def reached(what: str) -> None:
        took[what] = time.monotonic() - began

    page.goto("/")
    reached("overview is there")
    _clicked(page, "[data-live=attention] tbody tr a", f"#row-{order_id}")
    reached("orders of the cause are there")
    _clicked(page, f"#row-{order_id} a", "#step-zuora[aria-current=step]")
    reached("order is there, with what went wrong")
    _clicked(page, "a[href$='/act/retry']", "dialog[open] [name=reason]")
    page.fill("dialog[open] [name=reason]", "Zuora is well again")
    reached("what a retry would do is shown")
    page.click("dialog[open] button[value=send]")
    page.wait_for_selector(".told")
    reached("retry is sent and answered")
    expect(page.locator("h1")).to_contain_text("complete")
    reached("order is seen complete")
    context.close()
    assert not watch.faults, watch.faults
    return took


def _clicked(page: Page, what: str, then: str) -> None:
    page.locator(what).first.click()
    page.wait_for_selector(then)


def _lighthouse(base: str, pages: Mapping[str, str]) -> dict[str, Any]:
    subprocess.run([str(ROOT / "scripts" / "npm.sh"), "lighthouse"], check=True, timeout=600)
    figures: dict[str, Any] = {}
    for name, path in pages.items():
        for form in ("phone", "desk"):
            figures[f"{name}, {form}"] = found = _marks(base + path, form)
            shown = ", ".join(f"{what} {mark:.0f}" for what, mark in found.items())
            print(f"{name + ', ' + form:20} {shown}", flush=True)
    return figures


def _marks(url: str, form: str) -> dict[str, float]:
    """Of 100 each; a phone is simulated with a slow net and a slow processor."""
    command = ["node", str(_LIGHTHOUSE), url, "--output=json", "--quiet"]
    command += ["--chrome-flags=--headless=new --no-sandbox --disable-gpu"]
    command += ["--preset=desktop"] if form == "desk" else []
    environment = {**os.environ, "CHROME_PATH": executable() or ""}
    # Now and then Chromium begins its trace too late; Lighthouse asks to be run again then.
    for _ in range(TRIES):
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False
        )
        if not ended.returncode:
            break
    else:
        sys.exit(f"Lighthouse: {ended.stderr[-2000:]}")
    report = json.loads(ended.stdout)
    return {one["title"]: 100 * (one["score"] or 0) for one in report["categories"].values()}


def _is_bad(figures: Mapping[str, Any]) -> bool:
    heavy = [
        one
        for name, one in figures.get("cost", {}).items()
        if name != "overview" and (one["kilobytes"] > MOST_KB or one["interactive_ms"] > MOST_MS)
    ]
    return bool(heavy or figures.get("pages", {}).get("problems"))


if __name__ == "__main__":
    main()
