"""Many runs: on all cores, added up."""

import logging
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

from tests.simulation.world import Outcome, simulate

AT_ONCE = 20


@dataclass(slots=True)
class Total:
    """What a campaign came to."""

    seeds: int = 0
    virtual_s: float = 0.0
    events: int = 0
    orders: int = 0
    met: Counter[str] = field(default_factory=Counter)
    states: Counter[str] = field(default_factory=Counter)
    failed: dict[int, list[str]] = field(default_factory=dict)

    def add(self, outcome: Outcome) -> None:
        """One more run."""
        self.seeds += 1
        self.virtual_s += outcome.virtual_s
        self.events += outcome.events
        self.orders += outcome.orders
        self.met += outcome.met
        self.states += outcome.states
        if outcome.problems:
            self.failed[outcome.seed] = outcome.problems

    @property
    def faults(self) -> int:
        """All that went wrong on purpose; what operators asked for is not among it."""
        asked = ("command_", "timer_", "stalled")
        return sum(n for fault, n in self.met.items() if not fault.startswith(asked))


def quiet() -> None:
    """Runs say what is wrong by their outcome, not in the log."""
    root = logging.getLogger()
    root.handlers = [logging.NullHandler()]
    root.setLevel(logging.ERROR)


def cores() -> int:
    """How many processes may run at once: all cores, parted among the workers of pytest-xdist."""
    return max(1, (os.cpu_count() or 1) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


def outcomes(seeds: Iterable[int], processes: int | None = None) -> Iterator[Outcome]:
    """The runs of these seeds, in their order."""
    count = processes or cores()
    with ProcessPoolExecutor(count, get_context("spawn"), initializer=quiet) as pool:
        yield from pool.map(simulate, seeds, chunksize=AT_ONCE)


def campaign(seeds: Iterable[int], processes: int | None = None) -> Total:
    """All of them."""
    total = Total()
    for outcome in outcomes(seeds, processes):
        total.add(outcome)
    return total
