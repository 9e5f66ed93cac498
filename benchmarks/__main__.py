"""Runs every measurement one after the other; `--json FILE` keeps the figures."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import idle, latency, nemesis, rebuilding, throughput

NEMESIS = (9_000, 120.0, 33)


def main() -> None:
    """All of them, in about ten minutes."""
    figures: dict[str, Any] = {}
    for title, measure in (
        ("throughput", throughput.main),
        ("latency at 100 orders/s", latency.main),
        ("rebuild", rebuilding.main),
        ("idle", idle.main),
    ):
        print(f"\n{title}")
        figures[title] = measure()
    print("\nnemesis")
    report = nemesis.main(*NEMESIS, Path(tempfile.mkdtemp()))
    figures["nemesis"] = vars(report)
    for name, value in vars(report).items():
        print(f"{name:24} {value}")
    if sys.argv[1:2] == ["--json"]:
        Path(sys.argv[2]).write_text(json.dumps(figures, indent=2, default=str))


if __name__ == "__main__":
    main()
