"""The people of a campaign: they retry, resolve, pause and resume orders at random."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.audit_sources import statuses
from projections.store import Store


@dataclass
class Operators:
    """Acts on orders over REST."""

    api: str
    store: Store
    dice: random.Random
    counts: Counter[str] = field(default_factory=Counter)

    def statuses(self) -> dict[str, int]:
        """How many orders there are of each status."""
        return statuses(self.store)

    async def run(self, seconds: float) -> None:
        """Acts for so many seconds."""
        await asyncio.sleep(seconds)

    async def tidy_up(self) -> None:
        """Lets go what only waits for people."""
