"""A circuit breaker: stops asking a partner that does not answer, and finds out when it does.

Knows no clock: all times are seconds of one clock that never goes back.
"""

from collections import deque
from enum import StrEnum

from schemas.connections import BreakerLimits

PROBES = 3
"""Conversations in a row that must go well before it closes."""

_FRESH = 2
"""So many times `at_least` of the newest outcomes count: old successes hide no new failure."""


class BreakerState(StrEnum):
    """Closed lets everything through, open nothing, half-open a few to find out."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Breaker:
    """The state of one stage's breaker.

    Outcomes are told with the `era` in which their conversation was let through: one that began
    before the breaker opened says nothing about the partner as it is now.
    """

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=_FRESH * limits.at_least)
        self._failures = 0
        self._pause_s = limits.open_s
        self._closed_at = 0.0
        self._probing = 0
        self._probed = 0
        self.state = BreakerState.CLOSED
        self.until = 0.0
        self.era = 0
        self.opened = 0

    def admits(self, now: float) -> int | None:
        """How many conversations may begin now; None: any number."""
        if self.state is BreakerState.CLOSED:
            return None
        if self.state is BreakerState.OPEN and now < self.until:
            return 0
        probing = 0 if self.state is BreakerState.OPEN else self._probing + self._probed
        return PROBES - probing

    def begins(self, now: float) -> bool:
        """Whether a conversation may begin; counts it as a probe where it is one."""
        if self.state is BreakerState.CLOSED:
            return True
        if self.admits(now) == 0:
            return False
        if self.state is BreakerState.OPEN:
            self._enter(BreakerState.HALF_OPEN)
        self._probing += 1
        return True

    def succeeded(self, era: int, now: float) -> None:
        """The partner answered sensibly, be it with a refusal."""
        if era != self.era:
            return
        if self.state is BreakerState.HALF_OPEN:
            self._probing -= 1
            self._probed += 1
            if self._probed >= PROBES:
                self._enter(BreakerState.CLOSED)
                self._closed_at = now
            return
        self._note(now, failed=False)

    def failed(self, era: int, now: float) -> None:
        """Nothing came of it, for a reason that may pass."""
        if era != self.era:
            return
        if self.state is BreakerState.HALF_OPEN:
            self._pause_s = min(self._limits.longest_open_s, self._pause_s * 2)
            self._open(now)
            return
        self._note(now, failed=True)
        enough = len(self._outcomes) >= self._limits.at_least
        if enough and self._failures >= self._limits.failure_rate * len(self._outcomes):
            if now - self._closed_at > self._limits.window_s:
                self._pause_s = self._limits.open_s
            self._open(now)

    def gave_up(self, era: int) -> None:
        """A conversation that was let through ended without saying anything of the partner."""
        if era == self.era and self.state is BreakerState.HALF_OPEN:
            self._probing -= 1

    def _note(self, now: float, *, failed: bool) -> None:
        outcomes = self._outcomes
        since = now - self._limits.window_s
        while outcomes and (outcomes[0][0] < since or len(outcomes) == outcomes.maxlen):
            self._failures -= outcomes.popleft()[1]
        outcomes.append((now, failed))
        self._failures += failed

    def _open(self, now: float) -> None:
        self._enter(BreakerState.OPEN)
        self.until = now + self._pause_s
        self.opened += 1

    def _enter(self, state: BreakerState) -> None:
        self.state = state
        self.era += 1
        self._probing = self._probed = self._failures = 0
        self._outcomes.clear()
