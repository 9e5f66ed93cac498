"""What may go wrong in a run, how often it does, and how often it did."""

from collections import Counter
from random import Random
from typing import Any


class Chance:
    """Draws faults from a seed; after `heal` there are none any more.

    Each run draws its own mix (a swarm): some faults are off, the others have rates of their own.
    """

    def __init__(self, seed: int, met: Counter[str]) -> None:
        self._seed = seed
        self._mix = Random(f"{seed}/mix")
        self._random = Random(f"{seed}/faults")
        self._rates: dict[str, float] = {}
        self.met = met
        self.healed = False

    def stream(self, name: str) -> Random:
        """Random numbers of one part of the run, which no other part's draws disturb."""
        return Random(f"{self._seed}/{name}")

    def allow(self, fault: str, highest: float, on: float = 0.6) -> None:
        """Draws whether the fault happens in this run, and how often."""
        share = self._mix.random()
        rate = highest * self._mix.random() ** 2
        self._rates[fault] = rate if share < on else 0.0

    def hits(self, fault: str) -> bool:
        """Whether the fault happens now."""
        if self.healed:
            return False
        rate = self._rates.get(fault, 0.0)
        if rate == 0.0 or self._random.random() >= rate:
            return False
        self.met[fault] += 1
        return True

    def first(self, *faults: str) -> str | None:
        """The first of these faults that happens now."""
        return next((fault for fault in faults if self.hits(fault)), None)

    def rate(self, fault: str) -> float:
        """How often it happens in this run."""
        return 0.0 if self.healed else self._rates.get(fault, 0.0)

    def between(self, least: float, most: float) -> float:
        """A number of seconds."""
        return self._random.uniform(least, most)

    def below(self, number: int) -> int:
        """An integer from 0."""
        return self._random.randrange(number)

    def one_of(self, things: Any) -> Any:
        """One of a sequence."""
        return things[self._random.randrange(len(things))]

    def shuffled(self, things: Any) -> list[Any]:
        """The same in another order."""
        mixed = list(things)
        self._random.shuffle(mixed)
        return mixed
