"""`waybill rebuild` and `waybill verify`: the views made from the log once more."""

import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from projections.comparing import Compared
from projections.rebuild import Rebuilt, rebuild
from projections.removing import drop_unused_sets
from projections.store import Store
from projections.verifying import Verified, verify
from streams.kafka.history import History
from streams.topics import Topics
from waybill import clock
from waybill.progress import Shown
from waybill.rebuilding_crew import Processes
from waybill.running import GC_THRESHOLDS
from waybill.settings import Settings

MOST_WITH_ONE_WRITER = 2
READERS_S = 5.0
"""Who has begun to read the old views when they are replaced may go on for so long."""
NICENESS = 10
"""Orders go first."""
DIFFERENT = 1
"""Exit code of a verification that has found a difference."""


def run_rebuild(settings: Settings, json_output: bool) -> int:  # noqa: FBT001 - one command's switch
    """Rebuilds; 0 when the new views are in use."""
    began = clock.monotonic()
    with _opened(settings) as (store, history):
        with Shown(json_output=json_output) as shown:
            jobs = _jobs(store)
            crew = Processes(settings, jobs) if jobs > 1 else None
            done = rebuild(
                store, history, lambda at: shown.said(at.stage, at.records, at.total), crew
            )
        _tell_rebuilt(done, clock.monotonic() - began, json_output=json_output)
        time.sleep(READERS_S)
        drop_unused_sets(store)
    return 0


def _jobs(store: Store) -> int:
    """Half of the cores that this process may use; those who share one writer get in its way."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    half = max(1, (cores or 1) // 2)
    return min(half, MOST_WITH_ONE_WRITER) if store.has_one_writer else half


def run_verify(settings: Settings, json_output: bool) -> int:  # noqa: FBT001 - one command's switch
    """Verifies; 0 where the views are what the log makes, else 1."""
    began = clock.monotonic()
    with (
        _opened(settings) as (store, history),
        tempfile.TemporaryDirectory(prefix="verify-", dir=settings.data) as folder,
        Shown(json_output=json_output) as shown,
    ):
        scratch = Store.scratch(f"sqlite:///{Path(folder) / 'views.sqlite'}")
        try:
            found = verify(store, history, scratch, shown.said)
        finally:
            scratch.close()
    seconds = clock.monotonic() - began
    if json_output:
        sys.stdout.write(json.dumps(_document(found, seconds)) + "\n")
    else:
        _show_verified(found, seconds)
    return 0 if found.equal else DIFFERENT


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[Store, History]]:
    assert settings.kafka is not None
    os.nice(NICENESS)
    gc.set_threshold(*GC_THRESHOLDS)
    gc.freeze()
    store = Store.open(settings.database)
    topic = Topics(settings.topic_prefix).order_events
    try:
        with History(topic, settings.kafka, settings.kafka_security.client_options()) as history:
            yield store, history
    finally:
        store.close()


def _tell_rebuilt(done: Rebuilt, seconds: float, *, json_output: bool) -> None:
    rate = done.records / seconds
    if json_output:
        figures = {
            "set": done.set_id,
            "records": done.records,
            "seconds": round(seconds, 3),
            "rate": round(rate),
            "proven": done.proven,
        }
        sys.stdout.write(json.dumps(figures) + "\n")
        sys.stdout.flush()
        return
    Console(highlight=False).print(
        f"{done.records:,} events in {seconds:.1f} s ({rate:,.0f}/s), {done.proven:,} orders "
        "folded anew to prove them; the new views are in use.",
        soft_wrap=True,
    )


def _document(found: Verified, seconds: float) -> dict[str, object]:
    return {
        "equal": found.equal,
        "set": found.set_id,
        "applied": {str(partition): offset for partition, offset in found.applied.items()},
        "records": found.records,
        "seconds": round(seconds, 3),
        "tables": [
            {
                "table": table.table,
                "rows": table.rows,
                "different": table.different,
                "first": [
                    {"key": one.key, "kind": one.kind, "columns": list(one.columns)}
                    for one in table.first
                ],
            }
            for table in found.tables
        ],
    }


def _show_verified(found: Verified, seconds: float) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for table in found.tables:
        _show_table(console, table)
    console.print(
        f"{found.records:,} events in {seconds:.1f} s: the views are what the log makes."
        if found.equal
        else "The views are not what the log makes. Run `waybill rebuild`, and keep the above: it "
        "is a fault of Waybill or of the database."
    )


def _show_table(console: Console, table: Compared) -> None:
    if not table.different:
        console.print(f"{table.table}: {table.rows:,} rows, equal")
        return
    console.print(
        f"{table.table}: {table.rows:,} rows, {table.different:,} of them not as expected"
    )
    for one in table.first:
        key = ", ".join(f"{name} {value}" for name, value in one.key.items())
        columns = f" in {', '.join(one.columns)}" if one.columns else ""
        console.print(f"  {one.kind}{columns}: {key}", markup=False)
