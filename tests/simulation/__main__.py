"""Runs seeds: `python -m tests.simulation SEED` replays and tells one; `FIRST COUNT` runs many."""

import logging
import sys
import time

from tests.simulation.campaign import Total, outcomes
from tests.simulation.world import Outcome, simulate


def main(arguments: list[str]) -> int:
    """The seeds that failed, and the total."""
    numbers = [int(text) for text in arguments]
    began, total = time.monotonic(), Total()
    if len(numbers) == 1:
        logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
        _add(total, simulate(numbers[0], traced=True))
    else:
        for outcome in outcomes(range(numbers[0], numbers[0] + numbers[1])):
            _add(total, outcome)
    _say(total, time.monotonic() - began)
    return 1 if total.failed else 0


def _add(total: Total, outcome: Outcome) -> None:
    total.add(outcome)
    if outcome.problems:
        _print(f"seed {outcome.seed}", *(f"    {text}" for text in outcome.problems[:6]))


def _say(total: Total, took: float) -> None:
    _print(
        f"met: {dict(sorted(total.met.items()))}",
        f"{total.orders} orders {dict(total.states)}, {total.events} events",
        f"{total.seeds} seeds in {took:.1f} s ({total.seeds / took:.1f}/s), "
        f"{total.virtual_s / 86400:.2f} simulated days, {total.faults} faults",
        f"failed: {list(total.failed)}",
    )


def _print(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
