"""When resting orders wake: by a time, or when their stage takes deferred steps again."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from heapq import heappop, heappush
from typing import NamedTuple


class Awaited(NamedTuple):
    """A stage is one tenant's own, whoever else works with the same partner."""

    tenant: str
    stage: str


class Waking(NamedTuple):
    """An order and its lane, with what it waits for."""

    order_id: str
    lane: str
    due: datetime | None
    stage: str | None

    @property
    def awaited(self) -> Awaited | None:
        """The stage that it waits for."""
        if self.stage is None:
            return None
        return Awaited(self.lane.partition("/")[0], self.stage)


@dataclass(slots=True)
class Timers:
    """The resting orders of one partition that something else than the log wakes.

    They need not be in memory: their rows are in the store, and a worker that takes over reads
    them there.
    """

    _waiting: dict[str, Waking] = field(default_factory=dict)
    _heap: list[tuple[datetime, str]] = field(default_factory=list)
    _deferred: dict[Awaited, dict[str, None]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, waking: Waking) -> None:
        """The order waits for this now, and for nothing that it waited for before."""
        self.drop(waking.order_id)
        if waking.due is None and waking.stage is None:
            return
        self._waiting[waking.order_id] = waking
        if waking.due is not None:
            heappush(self._heap, (waking.due, waking.order_id))
        if waking.awaited is not None:
            self._deferred.setdefault(waking.awaited, {})[waking.order_id] = None

    def drop(self, order_id: str) -> None:
        """The order waits no longer."""
        waking = self._waiting.pop(order_id, None)
        if waking is not None and waking.awaited is not None:
            deferred = self._deferred[waking.awaited]
            deferred.pop(order_id, None)
            if not deferred:
                del self._deferred[waking.awaited]

    def due(self, now: datetime, most: int) -> Iterator[Waking]:
        """Takes those whose time has come, the earliest first."""
        while self._heap and most > 0 and self._heap[0][0] <= now:
            moment, order_id = heappop(self._heap)
            waking = self._waiting.get(order_id)
            if waking is not None and waking.due == moment:
                self.drop(order_id)
                most -= 1
                yield waking

    @property
    def stages(self) -> tuple[Awaited, ...]:
        """The stages that orders wait for."""
        return tuple(self._deferred)

    def deferred(self, stage: Awaited) -> int:
        """How many orders wait for the stage."""
        return len(self._deferred.get(stage, ()))

    def admitted(self, stage: Awaited, most: int) -> Iterator[Waking]:
        """Takes those that wait for the stage, first come first."""
        for order_id in list(self._deferred.get(stage, ()))[: max(0, most)]:
            waking = self._waiting[order_id]
            self.drop(order_id)
            yield waking
