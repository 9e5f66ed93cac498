"""CPU and memory of each process of a stack that has nothing to do."""

import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.stack import stack
from benchmarks.stub import free_port

CONFIGURATION: dict[str, object] = {
    "version": 1,
    "sequence": [{"name": "salesforceV3"}, {"name": "zuora"}, {"name": "platformEvents"}],
}
SECONDS = 30
SETTLE_S = 15


def main(seconds: int = SECONDS) -> dict[str, Any]:
    """One run; prints its figures and returns them."""
    figures: dict[str, Any] = {}
    ports = {"WAYBILL_HTTP": free_port(), "WAYBILL_SANDBOX": free_port()}
    more = {name: f"127.0.0.1:{port}" for name, port in ports.items()}
    with (
        tempfile.TemporaryDirectory() as name,
        stack(Path(name) / "stack", CONFIGURATION, **more) as running,
    ):
        for program in ("worker", "projector", "outlet", "api", "sandbox"):
            running.start(program)
        running.ready("worker", "projector", "outlet")
        time.sleep(SETTLE_S)
        before = {program: running.cpu_s(program) for program in running.processes}
        time.sleep(seconds)
        for program, used in before.items():
            share = (running.cpu_s(program) - used) / seconds * 100
            figures[f"{program}_idle_percent"] = share
            figures[f"{program}_rss_mb"] = running.rss_mb(program)
    for figure, value in figures.items():
        print(f"{figure:32} {value:10.3f}")
    return figures


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else SECONDS)
