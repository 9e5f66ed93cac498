"""What is at hand for one endpoint, and how much of it may be sent now."""

from collections import deque
from dataclasses import dataclass, field

from plugins.token_bucket import TokenBucket
from projections.webhooks.queue import Due, Wanted
from schemas.connections import Rate
from streams.core.webhooks.endpoint import Endpoint
from streams.core.webhooks.schedule import slots

AT_HAND = 200
"""Deliveries that are read from the store at once, however many are due."""
LOW = 100
_BURST_S = 0.1


@dataclass(slots=True)
class Line:
    """One endpoint's deliveries in memory. Seconds are those of one monotonic clock.

    `known` are the ids that are at hand, under way, or not written down yet. `stale`: the store
    may hold more that is due. `share` is this process's part of the deployment.
    """

    endpoint: Endpoint
    share: float
    is_open: bool = True
    stale: bool = True
    failures: int = 0
    in_flight: int = 0
    held_until: float = 0.0
    ready: deque[Due] = field(default_factory=deque)
    known: set[str] = field(default_factory=set)
    bucket: TokenBucket | None = None

    def set_up(self, endpoint: Endpoint, share: float, now: float) -> None:
        """Goes by what the endpoint and the share are now."""
        self.endpoint, self.share = endpoint, share
        per_second = endpoint.rate_limit
        if per_second is None:
            self.bucket = None
            return
        rate = Rate(per_second=per_second, burst=max(1, int(per_second * _BURST_S)))
        if self.bucket is None:
            self.bucket = TokenBucket(rate, now)
        self.bucket.scaled(rate, share, now)

    @property
    def limit(self) -> int:
        """How many deliveries may be under way."""
        return slots(max(1, round(self.endpoint.max_in_flight * self.share)), self.failures)

    def wants(self) -> Wanted | None:
        """What is to be read from the store; None while there is enough, or nothing is sent."""
        if not (self.is_open and self.stale) or len(self.ready) > LOW:
            return None
        return Wanted(AT_HAND, tuple(self.known))

    def fill(self, found: list[Due]) -> None:
        """Takes what was read."""
        self.stale = len(found) >= AT_HAND
        fresh = [due for due in found if due.id not in self.known]
        self.ready.extend(fresh)
        self.known.update(due.id for due in fresh)

    def take(self, now: float) -> Due | None:
        """The next delivery that may be sent now; it is under way from here on."""
        if not self.ready or not self.is_open or self.in_flight >= self.limit:
            return None
        if now < self.held_until or not (self.bucket is None or self.bucket.take(now)):
            return None
        self.in_flight += 1
        return self.ready.popleft()

    def pause_s(self, now: float) -> float | None:
        """Seconds until more may be sent, where only time keeps it from being sent."""
        if not self.ready or not self.is_open or self.in_flight >= self.limit:
            return None
        token = 0.0 if self.bucket is None else self.bucket.wait_s(0, now)
        return max(self.held_until - now, token)

    def ended(self, *, well: bool) -> None:
        """An attempt is over."""
        self.in_flight -= 1
        self.failures = 0 if well else self.failures + 1

    def forget(self) -> None:
        """Lets go of what is at hand; what is under way stays known."""
        self.known.difference_update(due.id for due in self.ready)
        self.ready.clear()
        self.stale = True
