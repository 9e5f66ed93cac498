"""What an orchestrator works with, and what it asks of the store and of stages."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from schemas.events import Event, Result
from streams.agents.fate import Fatal, StoreCalls
from streams.agents.journal import Journal
from streams.core.decide import RunStep
from streams.core.order import Order


class Snapshots(Protocol):
    """The store, as far as a worker asks it. Blocking."""

    def applied(self) -> dict[int, int]:
        """The last applied offset per partition."""

    def begun_elsewhere(self, begun: Mapping[str, tuple[int, int]]) -> set[str]:
        """Those that the store has with an acceptance at another (partition, offset)."""

    def load(self, order_ids: Sequence[str]) -> dict[str, Order]:
        """The orders that the store knows."""


class Perform(Protocol):
    """Performs an attempt of a step; always ends in a result."""

    async def __call__(self, order: Order, run: RunStep, is_mine: Callable[[], bool]) -> Result:
        """The result. What it raises means that nothing was sent: the attempt is still open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the orchestrator works with. `monotonic` gives seconds."""

    journal: Journal
    snapshots: Snapshots
    calls: StoreCalls
    perform: Perform
    reject: Callable[[Event], Awaitable[None]]
    monotonic: Callable[[], float]
    fatal: Fatal
