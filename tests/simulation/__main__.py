"""Runs seeds: `python -m tests.simulation SEED` replays one, `FIRST COUNT` runs a campaign."""

import logging
import sys
import time
from collections import Counter

from tests.simulation.world import simulate


def main(arguments: list[str]) -> int:
    numbers = [int(text) for text in arguments if not text.startswith("-")]
    first, count = numbers[0], numbers[1] if len(numbers) > 1 else 1
    traced = "-v" in arguments
    logging.basicConfig(
        level=logging.INFO if traced else logging.ERROR, format="%(message)s"
    )
    if not traced:
        logging.getLogger().handlers = [logging.NullHandler()]
    met: Counter[str] = Counter()
    states: Counter[str] = Counter()
    began, virtual, failed, events = time.monotonic(), 0.0, [], 0
    for seed in range(first, first + count):
        outcome = simulate(seed, traced=traced)
        met += outcome.met
        states += outcome.states
        virtual += outcome.virtual_s
        events += outcome.events
        if outcome.problems:
            failed.append(seed)
            print(f"seed {seed}")
            for problem in outcome.problems[:6]:
                print(f"    {problem}")
    took = time.monotonic() - began
    print(dict(sorted(met.items())))
    print(dict(states), f"{events} events")
    print(
        f"{count} seeds in {took:.1f} s ({count / took:.1f}/s), {virtual / 86400:.2f} days, "
        f"{sum(met.values())} faults, failed: {failed}"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
