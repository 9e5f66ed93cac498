"""The only reader of the clock and of randomness; everything else gets these functions passed."""

import random
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

MOST_SLEW = 0.01
"""The share of passed time by which a steady clock may be faster or slower than time itself."""


def utc_now() -> datetime:
    """The present moment, in UTC with its offset."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back; only differences mean something."""
    return time.monotonic()


def elapsed() -> float:
    """As `monotonic`, but where the system can tell, a suspended machine's sleep counts too."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class SteadyClock:
    """The time of day for timers: it never jumps, whatever is done to the machine's clock.

    It starts at the wall clock, runs with `passed`, and comes nearer to the wall clock by at most
    1 % of the time that passes. So a wall clock that is set by an hour or by 400 days fires no
    timer early or twice, and one that merely drifts is followed. For one thread.
    """

    def __init__(
        self,
        wall: Callable[[], datetime] = utc_now,
        passed: Callable[[], float] = elapsed,
    ) -> None:
        self._wall = wall
        self._passed = passed
        self._began = wall()
        self._first = self._last = passed()
        self._slewed = 0.0

    def __call__(self) -> datetime:
        """Now, in UTC with its offset; never before what was answered last."""
        last, self._last = self._last, self._passed()
        ran = self._last - self._first
        off = (self._wall() - self._began).total_seconds() - ran - self._slewed
        most = MOST_SLEW * (self._last - last)
        self._slewed += max(-most, min(most, off))
        return self._began + timedelta(seconds=ran + self._slewed)


def random_bytes(count: int) -> bytes:
    """`count` bytes fit for keys and nonces."""
    return secrets.token_bytes(count)


def jitter() -> float:
    """A number in [0, 1) that spreads retries; not fit for keys."""
    return random.random()  # noqa: S311 - spreads load, protects nothing
