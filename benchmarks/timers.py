"""How late timers fire: in quiet, and while workers are killed.

`python -m benchmarks.timers [SECONDS]`. The partner refuses 30 % of all calls for too many
requests, so that orders wait; lateness is from a due time to the event that it leads to.
"""

import asyncio
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.audit import timer_figures
from benchmarks.audit_sources import audited_log, statuses
from benchmarks.auditor import Audit
from benchmarks.disturbing import Nemesis
from benchmarks.measuring import show
from benchmarks.orders import produce
from benchmarks.partners import Partners, partners
from benchmarks.stack import Stack, stack
from benchmarks.stub import free_port
from projections.store import Store

SECONDS = 120
RATE = 20
REFUSED = {"partner": "callout", "mode": "status", "status": 429, "rate": 0.3}
SEED = 11
EVERY_S = (12.0, 20.0)
WORKERS = 3
SETTLE_S = 400


def main(seconds: int = SECONDS) -> dict[str, Any]:
    """One run without and one with kills; prints its figures and returns them."""
    figures: dict[str, Any] = {}
    for name, kills in (("quiet", False), ("killed", True)):
        with tempfile.TemporaryDirectory() as folder:
            audit, killed = _run(Path(folder), seconds, kills=kills)
        found = timer_figures(audit.lateness_s)
        found["fired_twice"] = audit.fired_twice
        found["kills"] = killed
        figures |= {f"{name}_{figure}": value for figure, value in found.items()}
    show(figures)
    return figures


def _run(folder: Path, seconds: int, *, kills: bool) -> tuple[Audit, int]:
    steps = [
        {"name": "calloutPlugin", "id": step, "options": {"endpoint": f"/{step}"}}
        for step in ("first", "second", "third")
    ]
    steps = [{**step, "on_unknown": "repeat"} for step in steps]
    sandbox = f"127.0.0.1:{free_port()}"
    configuration = {"version": 1, "sequence": steps}
    with (
        stack(folder, configuration, WAYBILL_SANDBOX=sandbox) as running,
        partners(running, 5) as world,
    ):
        running.start("projector")
        names = [running.start("worker", f"worker-{number}") for number in range(WORKERS)]
        running.ready("projector", *names)
        nemesis = Nemesis(running, random.Random(SEED), EVERY_S, {"KILL": 1}, {"worker": 1})
        asyncio.run(_campaign(running, world, nemesis, seconds, kills=kills))
        return asyncio.run(audited_log(running.bootstrap)), sum(nemesis.counts().values())


async def _campaign(
    running: Stack, world: Partners, nemesis: Nemesis, seconds: int, *, kills: bool
) -> None:
    await asyncio.to_thread(world.add, REFUSED)
    load = asyncio.ensure_future(produce(running.bootstrap, RATE * seconds, RATE))
    if kills:
        await nemesis.run(seconds)
    await load
    store = Store.open(f"sqlite:///{running.folder / 'data' / 'waybill.sqlite'}")
    for _ in range(SETTLE_S):
        nemesis.restart_ended()
        found = await asyncio.to_thread(statuses, store)
        if found.get("complete", 0) + found.get("failed", 0) >= RATE * seconds:
            return
        await asyncio.sleep(1)
    print("not settled:", found)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else SECONDS)
