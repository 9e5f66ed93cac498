"""Tells how the stages are: metrics every second, the store every few seconds."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, Protocol

from plugins.breaker import BreakerState
from plugins.stage import StageState
from streams.agents import metrics

EVERY_S = 1.0
STORED_EVERY = 4
"""Every so many times the store is told, too."""
MOST_LABELS = 200
OTHERS = "other"

_BREAKER: Final[Mapping[BreakerState, int]] = {
    BreakerState.CLOSED: 0,
    BreakerState.HALF_OPEN: 1,
    BreakerState.OPEN: 2,
}

log = logging.getLogger(__name__)


class Told(Protocol):
    """Where people read it. Blocking."""

    def tell(self, worker: str, states: Sequence[Mapping[str, Any]], at: datetime) -> None:
        """Writes what a worker says about all of its stages."""


class StageReport:
    """A loop of a worker; it may fail and goes on."""

    def __init__(
        self,
        worker: str,
        states: Callable[[], Iterable[StageState]],
        told: Told,
        now: Callable[[], datetime],
        every_s: float = EVERY_S,
    ) -> None:
        self._worker = worker
        self._states = states
        self._told = told
        self._now = now
        self._every_s = every_s
        self._counted: dict[tuple[str, ...], int] = {}
        self._labels: set[str] = set()

    async def run(self) -> None:
        """Tells until it is cancelled."""
        turn = 0
        while True:
            states = list(self._states())
            self.measure(states)
            if states and turn % STORED_EVERY == 0:
                await self._tell(states)
            turn += 1
            await asyncio.sleep(self._every_s)

    def measure(self, states: Iterable[StageState]) -> None:
        """Sets the metrics; stages of several tenants with one name count together."""
        by_label: defaultdict[str, list[StageState]] = defaultdict(list)
        for state in states:
            by_label[self._label(state.stage)].append(state)
        for label, same in by_label.items():
            metrics.STAGE_BREAKER.labels(label).set(max(_BREAKER[one.breaker] for one in same))
            metrics.STAGE_HELD.labels(label).set(any(one.held for one in same))
            metrics.STAGE_SLOTS.labels(label).set(sum(one.slots for one in same))
            metrics.STAGE_IN_FLIGHT.labels(label).set(sum(one.in_flight for one in same))
            metrics.STAGE_WAITING.labels(label).set(sum(one.waiting for one in same))
            for one in same:
                self._count(one, label)

    def _count(self, one: StageState, label: str) -> None:
        whose = (one.tenant, one.stage)
        metrics.STAGE_OPENED.labels(label).inc(self._grown((*whose, "opened"), one.opened))
        metrics.STAGE_WAITED.labels(label).inc(self._grown((*whose, "waited"), one.waited))
        for reason, count in one.deferred.items():
            grown = self._grown((*whose, "deferred", reason), count)
            metrics.STEPS_DEFERRED.labels(label, reason).inc(grown)

    def _grown(self, what: tuple[str, ...], count: int) -> int:
        before, self._counted[what] = self._counted.get(what, 0), count
        return count - before

    def _label(self, stage: str) -> str:
        """Hosts come from tenants' options, so their number is bounded here."""
        if stage not in self._labels and len(self._labels) >= MOST_LABELS:
            return OTHERS
        self._labels.add(stage)
        return stage

    async def _tell(self, states: Sequence[StageState]) -> None:
        rows = [asdict(state) for state in states]
        try:
            await asyncio.to_thread(self._told.tell, self._worker, rows, self._now())
        except Exception as problem:  # noqa: BLE001 (each driver has its own; it is only told)
            log.debug("the store was not told about stages: %r", problem)
