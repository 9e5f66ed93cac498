"""Finds the resting orders that are to be decided anew: due ones, and those a stage takes again."""

from collections.abc import Sequence
from datetime import datetime

from streams.agents import metrics
from streams.agents.means import Means
from streams.agents.partition import Partition
from streams.agents.timers import Awaited, Waking

WAKE_EVERY_S = 0.1
AT_ONCE = 500


class Alarm:
    """Looks at the timers of the live partitions."""

    def __init__(self, means: Means) -> None:
        self._means = means

    def rung(self, live: Sequence[Partition], now: datetime) -> list[tuple[Partition, Waking]]:
        """Takes them out of the timers: they are decided now, or put back."""
        rung = []
        for part in live:
            for waking in part.timers.due(now, AT_ONCE):
                assert waking.due is not None
                metrics.TIMER_LATENESS.observe((now - waking.due).total_seconds())
                rung.append((part, waking._replace(stage=None)))
        for stage in {stage for part in live for stage in part.timers.stages}:
            rung += self._admitted(live, stage)
        return rung

    def _admitted(
        self, live: Sequence[Partition], stage: Awaited
    ) -> list[tuple[Partition, Waking]]:
        wanted = min(AT_ONCE, sum(part.timers.deferred(stage) for part in live))
        left = self._means.stages.admits(stage.stage, stage.tenant, wanted)
        admitted: list[tuple[Partition, Waking]] = []
        for part in live:
            more = part.timers.admitted(stage, left - len(admitted))
            admitted.extend((part, waking) for waking in more)
        return admitted
