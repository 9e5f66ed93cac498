"""Tells how much is undelivered, and drops what nobody waits for any more."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from projections.webhooks.tables import DELIVERED, DISCARDED, PENDING
from projections.webhooks.upkeep import Backlog, Upkeep
from streams.agents.fate import StoreCalls
from streams.agents.webhooks import metrics
from streams.core.webhooks.endpoint import Endpoint
from streams.core.webhooks.schedule import KEPT

log = logging.getLogger(__name__)

TOLD_EVERY_S = 5.0
TIDIED_EVERY_S = 600.0
SURELY_READ = timedelta(minutes=10)
"""After so long an endpoint that is not known here is deleted, and not just unknown yet."""
KEEPER = 0
"""Whoever has this partition tidies up, for all."""


class Book(Protocol):
    """All endpoints."""

    def get(self, endpoint_id: str) -> Endpoint | None:
        """The endpoint; None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Housekeeping:
    """`owned` are the partitions of this process."""

    upkeep: Upkeep
    book: Book
    owned: Callable[[], Collection[int]]
    now: Callable[[], datetime]

    async def run(self) -> None:
        """Goes on until it is cancelled."""
        calls, loop = StoreCalls(local=False), asyncio.get_running_loop()
        tidied = loop.time() - TIDIED_EVERY_S
        while True:
            self._tell(await calls.read(self.upkeep.backlogs))
            if KEEPER in self.owned() and loop.time() - tidied >= TIDIED_EVERY_S:
                tidied = loop.time()
                await calls.write(self.tidy)
            await asyncio.sleep(TOLD_EVERY_S)

    def _tell(self, backlogs: Collection[Backlog]) -> None:
        known = [one for one in backlogs if self.book.get(one.endpoint) is not None]
        metrics.PENDING.set(sum(one.pending for one in known))
        ages = [(self.now() - one.oldest).total_seconds() for one in known]
        metrics.OLDEST_SECONDS.set(max(ages, default=0.0))

    def tidy(self) -> None:
        """Gives up what is for deleted endpoints, and forgets what is older than it is kept."""
        now = self.now()
        for backlog in self.upkeep.backlogs():
            if self.book.get(backlog.endpoint) is None:
                given_up = self.upkeep.discard(backlog, now - SURELY_READ, now)
                metrics.DELIVERIES.labels(DISCARDED).inc(given_up)
        forgotten = self.upkeep.forget(now - KEPT, now)
        metrics.FORGOTTEN.labels(PENDING).inc(forgotten.pending)
        metrics.FORGOTTEN.labels(DELIVERED).inc(forgotten.deliveries - forgotten.pending)
        if forgotten.pending:
            log.warning("%d deliveries never arrived and are too old now", forgotten.pending)
