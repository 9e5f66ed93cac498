"""Looks for each mutant until it is caught: `python -m tests.simulation.hunting [NAME...]`."""

import logging
import sys
from typing import NamedTuple

from tests.simulation.mutants import MUTANTS, Mutant
from tests.simulation.world import Outcome, simulate

MOST = 200


class Caught(NamedTuple):
    """The run that showed it: after how many seeds, and by what."""

    seeds: int
    problem: str


def hunted(one: Mutant, first: int = 0, most: int = MOST) -> Caught | None:
    """Runs seeds under the mutant until one fails."""
    for seed in range(first, first + most):
        with one.breaks():
            problem = _problem(seed)
        if problem is not None:
            return Caught(seed - first + 1, problem)
    return None


def _problem(seed: int) -> str | None:
    try:
        outcome: Outcome = simulate(seed)
    except Exception as problem:  # noqa: BLE001 (a broken product may break anywhere)
        return f"the run itself: {problem!r}"
    return outcome.problems[0] if outcome.problems else None


def main(names: list[str]) -> int:
    """Prints the table."""
    logging.getLogger().handlers = [logging.NullHandler()]
    escaped = 0
    for one in MUTANTS:
        if names and one.name not in names:
            continue
        caught = hunted(one)
        escaped += caught is None
        seeds, by = ("never", "") if caught is None else (str(caught.seeds), caught.problem)
        print(f"| {one.name} | {one.invariant} | {one.what} | {seeds} | {by[:110]} |", flush=True)
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
