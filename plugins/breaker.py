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

_REMEMBERED = 1000
"""Keys of errors that partners may keep; the oldest are forgotten first."""


class BreakerState(StrEnum):
    """Closed lets everything through, open nothing, half-open a few to find out."""

    CLOSED = "closed"
    HALF_OPEN = "half_open"
    OPEN = "open"


class Breaker:
    """The state of one stage's breaker.

    Outcomes are told with the `era` in which their conversation was let through: one that began
    before the breaker opened says nothing about the partner as it is now.

    Partners keep an error under its idempotency key, and answer repetitions with it however well
    they are. So an error of one key counts once in a window, and is no news to who finds out.
    """

    def __init__(self, limits: BreakerLimits) -> None:
        self._limits = limits
        self._outcomes: deque[tuple[float, bool]] = deque(maxlen=_FRESH * limits.at_least)
        self._failures = 0
        self._kept: dict[str, float] = {}
        self._pause_s = limits.open_s
        self._closed_at = 0.0
        self._probing = 0
        self._probed = 0
        self._repeated = 0
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
        if self.state is BreakerState.OPEN:
            return PROBES
        return PROBES - self._probing - self._probed - self._repeated

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
            self._repeated = 0
            if self._probed >= PROBES:
                self._enter(BreakerState.CLOSED)
                self._closed_at = now
            return
        self._note(now, failed=False)

    def failed(self, era: int, now: float, kept: str | None = None) -> None:
        """Nothing came of it, for a reason that may pass.

        `kept`: the key of a request that the partner itself answered with an error.
        """
        if era != self.era:
            return
        told = None if kept is None else self._kept.get(kept)
        finds_out = self.state is BreakerState.HALF_OPEN
        if told is not None and (finds_out or now - told <= self._limits.window_s):
            if finds_out:
                self._told_nothing_new(now)
            return
        if kept is not None:
            self._remember(kept, now)
        if finds_out:
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

    def _told_nothing_new(self, now: float) -> None:
        """Makes room for another probe; where none tells anything it pauses as long as before."""
        self._probing -= 1
        if self._probed:
            return
        self._repeated += 1
        if self._repeated >= PROBES:
            self._open(now)

    def _remember(self, kept: str, now: float) -> None:
        self._kept.pop(kept, None)
        self._kept[kept] = now
        if len(self._kept) > _REMEMBERED:
            del self._kept[next(iter(self._kept))]

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
        self._probing = self._probed = self._repeated = self._failures = 0
        self._outcomes.clear()
