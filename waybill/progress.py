"""Shows how far a long command is: a bar on a terminal, lines elsewhere, JSON for programs."""

import json
import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from waybill import clock

SAY_EVERY_S = 1.0


class Shown:
    """On stderr, what `said` hears of records, which are called `what`; a context manager.

    A line of JSON has `stage`, `records`, `total`, `rate` (a second) and `remaining_s`.
    """

    def __init__(self, *, json_output: bool, what: str = "events") -> None:
        self._json = json_output
        self._what = what
        self._console = Console(stderr=True, highlight=False)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn(f"{{task.completed:,.0f}} of {{task.total:,.0f}} {what}"),
            TextColumn("{task.fields[rate]:,.0f}/s"),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True),
            console=self._console,
            disable=json_output or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("reading", total=0.0, rate=0.0)
        self._began = self._last = clock.monotonic()
        self._stage = ""

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def said(self, stage: str, records: int, total: int) -> None:
        """The command is at this stage, with so many records of `total`."""
        now = clock.monotonic()
        rate = records / max(now - self._began, 0.001)
        if not self._bar.disable:
            self._bar.update(
                self._task, description=stage, completed=records, total=total, rate=rate
            )
        elif stage != self._stage or now - self._last >= SAY_EVERY_S:
            self._last = now
            self._line(stage, records, total, rate)
        self._stage = stage

    def _line(self, stage: str, records: int, total: int, rate: float) -> None:
        remaining = (total - records) / rate if rate else 0.0
        if self._json:
            figures = {"rate": round(rate), "remaining_s": round(remaining, 1)}
            line = {"stage": stage, "records": records, "total": total, **figures}
            sys.stderr.write(json.dumps(line) + "\n")
            sys.stderr.flush()
        else:
            far = f"{records:,} of {total:,} {self._what}, {rate:,.0f}/s, {remaining:.0f} s to go"
            self._console.print(f"{stage}: {far}")
