"""What came of a stage's latest attempts; nothing follows from it, it is for people who look."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

WINDOW_S = 300.0
"""What is older is not recent."""

MOST = 500
"""So many of the latest attempts are kept at most."""


@dataclass(frozen=True, slots=True)
class RecentAttempts:
    """Those of the last five minutes; `median_ms` is how long their exchanges took."""

    attempts: int
    failed: int
    median_ms: float | None


NONE = RecentAttempts(attempts=0, failed=0, median_ms=None)


class Recent:
    """The latest outcomes of one stage. `clock` is in seconds and never goes back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._outcomes: deque[tuple[float, bool, float]] = deque(maxlen=MOST)

    def note(self, *, failed: bool, took_ms: float) -> None:
        """An attempt has ended."""
        self._outcomes.append((self._clock(), failed, took_ms))

    def summed(self) -> RecentAttempts:
        """As it is now."""
        outcomes, since = self._outcomes, self._clock() - WINDOW_S
        while outcomes and outcomes[0][0] < since:
            outcomes.popleft()
        if not outcomes:
            return NONE
        return RecentAttempts(
            attempts=len(outcomes),
            failed=sum(failed for _, failed, _ in outcomes),
            median_ms=median(took_ms for _, _, took_ms in outcomes),
        )
