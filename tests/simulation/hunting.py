"""Looks for each mutant until it is caught: `python -m tests.simulation.hunting [NAME...]`."""

import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import NamedTuple

from tests.simulation.campaign import cores, quiet
from tests.simulation.mutants import MUTANTS, Mutant, named
from tests.simulation.world import simulate

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


def hunt(name: str) -> tuple[str, Caught | None]:
    """As `hunted`, by name."""
    return name, hunted(named(name))


def hunt_all(names: list[str]) -> dict[str, Caught | None]:
    """All of them, on all cores."""
    with ProcessPoolExecutor(cores(), get_context("spawn"), initializer=quiet) as pool:
        return dict(pool.map(hunt, names))


def _problem(seed: int) -> str | None:
    try:
        outcome = simulate(seed)
    except Exception as problem:  # noqa: BLE001 (a broken product may break anywhere)
        return f"the run itself: {problem!r}"
    return outcome.problems[0] if outcome.problems else None


def main(names: list[str]) -> int:
    """Prints the table."""
    found = hunt_all(names or [one.name for one in MUTANTS])
    for name, caught in found.items():
        one = named(name)
        by = "never" if caught is None else f"{caught.seeds} | {caught.problem[:90]}"
        sys.stdout.write(f"| {one.invariant} | {one.what} | {one.name} | {by} |\n")
    return 1 if None in found.values() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
