"""What an orchestrator works with, and what it asks of the store and of stages."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from projections.snapshots import Wake
from schemas.events import Event, Result
from streams.agents.fate import Fatal, StoreCalls
from streams.agents.journal import Journal
from streams.agents.turn import Turn
from streams.core.decide import RunStep
from streams.core.order import Order


class Snapshots(Protocol):
    """The store, as far as a worker asks it. Blocking."""

    def applied(self) -> dict[int, int]:
        """The last applied offset per partition."""

    def load(
        self,
        begun: Mapping[str, tuple[int, int]],
        wanted: Collection[str],
        lanes: Collection[str],
    ) -> Mapping[str, Order]:
        """Orders as they stand at one moment, by id.

        Of `begun` (with the partition and offset of the acceptance that was read) those that the
        store has with an acceptance at another place; all that are `wanted` and known; and the
        unfinished ones of `lanes`, but for those of `begun` that begin right there.
        """

    def wakes(self, partitions: Collection[int]) -> Collection[Wake]:
        """The resting orders that wait for a time or a stage, and queued ones that are next."""


class Stages(Protocol):
    """Performs attempts, within the limits of each stage."""

    async def __call__(self, order: Order, run: RunStep, turn: Turn) -> Result:
        """The result. What it raises means that nothing was sent: the attempt is still open."""

    def admits(self, stage: str, tenant: str, wanted: int) -> int:
        """How many of `wanted` deferred orders the tenant's stage takes now."""

    def share(self, fraction: float) -> None:
        """Which part of the deployment's limits is this worker's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the orchestrator works with.

    `now` is UTC and does not jump, `monotonic` gives seconds. `partitions` is how many
    `order-events` has.
    """

    journal: Journal
    snapshots: Snapshots
    calls: StoreCalls
    stages: Stages
    reject: Callable[[Event], Awaitable[None]]
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    fatal: Fatal
    partitions: int
