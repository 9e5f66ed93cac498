"""A token bucket: so many requests per second, so many at once after a pause. Knows no clock."""

from schemas.connections import Rate

LATENESS_S = 0.1
"""So late may a waiting timer fire without a token being lost."""

_ROUNDING = 1e-9
"""A timer that waited exactly as long as it was told must find its token."""


class TokenBucket:
    """Tokens come in at a rate and are kept up to `burst`; all times are seconds of one clock.

    `charge` may leave it in debt: what was sent without asking delays what comes after it.
    """

    def __init__(self, rate: Rate, now: float) -> None:
        self.per_second = rate.per_second
        self._burst = float(rate.burst)
        self._tokens = self._burst
        self._at = now

    def scaled(self, rate: Rate, share: float, now: float) -> None:
        """From now on a share of the rate; what is there stays, as far as it fits."""
        self._refill(now)
        self.per_second = rate.per_second * share
        self._burst = max(1.0, rate.burst * share)
        self._tokens = min(self._tokens, self._burst)

    def take(self, now: float, *, awaited: bool = False) -> bool:
        """Take a token, if there is one.

        `awaited`: somebody has waited for it since it was last asked, so that a timer's lateness
        is made up for and does not lower the rate.
        """
        self._refill(now, late=self.per_second * LATENESS_S if awaited else 0.0)
        if self._tokens < 1.0 - _ROUNDING:
            return False
        self._tokens -= 1.0
        return True

    def charge(self, count: int, now: float) -> None:
        """Take tokens for what was sent already."""
        self._refill(now)
        self._tokens -= count

    def empty(self, now: float) -> None:
        """Start again without a burst."""
        self._refill(now)
        self._tokens = min(self._tokens, 0.0)

    def available(self, now: float) -> float:
        """Tokens that are there; below zero while it is in debt."""
        self._refill(now)
        return self._tokens

    def wait_s(self, position: int, now: float) -> float:
        """Seconds until the token is there for whoever has `position` others before it."""
        self._refill(now)
        missing = position + 1 - self._tokens
        return max(0.0, missing / self.per_second)

    def _refill(self, now: float, late: float = 0.0) -> None:
        if now > self._at:
            gained = (now - self._at) * self.per_second
            self._tokens = min(self._burst + late, self._tokens + gained)
            self._at = now
