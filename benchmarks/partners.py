"""The sandbox partners of a campaign: how they misbehave, and a journal that outgrows memory."""

import json
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.stack import Stack

NAMES = ("zuora", "salesforce", "callout", "entitlements")
MODES: tuple[Mapping[str, Any], ...] = (
    *({"mode": "status", "status": status} for status in (429, 500, 502, 503, 504)),
    {"mode": "delay", "delay_ms": 2000},
    {"mode": "hang"},
    {"mode": "cut_before"},
    {"mode": "cut_after"},
)
PAGE = 2000
KEPT = ("at", "partner", "method", "path", "key", "order", "status", "effect")


@dataclass
class Partners:
    """A running sandbox; `journal` is the file that its entries are moved to."""

    base: str
    journal: Path

    def misbehave(self, share: float) -> None:
        """Every mode of misbehaviour, together on `share` of all calls."""
        rate = 1 - (1 - share) ** (1 / len(MODES))
        for partner in NAMES:
            for mode in MODES:
                self.add({"partner": partner, "rate": rate, **mode})

    def add(self, fault: Mapping[str, Any]) -> None:
        """One more kind of misbehaviour."""
        self._ask("POST", "/_faults", fault)

    def struck(self) -> dict[str, int]:
        """How often each mode of misbehaviour befell a call so far."""
        counts: dict[str, int] = {}
        for fault in self._ask("GET", "/_faults")["items"]:
            mode = str(fault.get("status", fault["mode"]))
            counts[mode] = counts.get(mode, 0) + fault["struck"]
        return counts

    def behave(self) -> None:
        """No faults any more."""
        self._ask("DELETE", "/_faults")

    def harvest(self) -> int:
        """Moves what the journal holds to the file; how many entries that were."""
        moved = 0
        with self.journal.open("a") as file:
            while items := self._ask("POST", f"/_journal/take?limit={PAGE}")["items"]:
                for item in items:
                    file.write(json.dumps([item[name] for name in KEPT]) + "\n")
                moved += len(items)
        return moved

    def entries(self) -> Iterator[dict[str, Any]]:
        """All entries harvested so far, oldest first."""
        with self.journal.open() as file:
            for line in file:
                yield dict(zip(KEPT, json.loads(line), strict=True))

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, method=method)
        with urllib.request.urlopen(request, timeout=30) as reply:
            text = reply.read()
        return json.loads(text) if text else None


@contextmanager
def partners(running: Stack, latency_ms: int) -> Iterator[Partners]:
    """The sandbox of a stack, which is never killed: it stands for the world outside."""
    process = subprocess.Popen(
        [sys.executable, "-m", "waybill", "sandbox", "--latency", str(latency_ms)],
        env=running.environment,
        stdout=subprocess.DEVNULL,
        stderr=(running.folder / "sandbox.log").open("wb"),
    )
    try:
        found = Partners(
            f"http://{running.environment['WAYBILL_SANDBOX']}", running.folder / "journal.jsonl"
        )
        running.answers(f"{found.base}/livez")
        yield found
    finally:
        process.terminate()
        process.wait()
