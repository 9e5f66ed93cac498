"""Runs every measurement one after the other; `--json FILE` keeps the figures."""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks import failover, idle, latency, rebuilding, throughput


def main() -> None:
    """All of them, in about ten minutes."""
    figures: dict[str, Any] = {}
    for title, measure in (
        ("throughput", throughput.main),
        ("latency at 100 orders/s", latency.main),
        ("rebuild", rebuilding.main),
        ("idle", idle.main),
        ("fail-over", failover.main),
    ):
        print(f"\n{title}")
        figures[title] = measure()
    if sys.argv[1:2] == ["--json"]:
        Path(sys.argv[2]).write_text(json.dumps(figures, indent=2, default=str))


if __name__ == "__main__":
    main()
