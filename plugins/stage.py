"""A stage: all that one plugin of one tenant may have under way with one partner."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from plugins.breaker import PROBES, Breaker, BreakerState
from plugins.recent import Recent, RecentAttempts
from plugins.token_bucket import TokenBucket
from schemas.connections import Limits

LOOK_AHEAD_S = 0.5
"""So much of the rate may wait for its tokens: what is let go needs a moment to come back."""
PROMISES_KEPT_S = 1.0
SHORTEST_TIMER_S = 0.001
TRICKLE_S = 1.0
"""However busy a stage is with new orders, one that was deferred goes on so often."""


class TurnedAwayError(Exception):
    """The stage takes nothing now; `after_s` is when it may again, if that is known."""

    def __init__(self, stage: str, reason: str, after_s: float | None = None) -> None:
        super().__init__(f"the stage {stage} takes nothing now: {reason}")
        self.stage = stage
        self.reason = reason
        self.after_s = after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class StageState:
    """A stage as it is now. `open_s` are the seconds until an open breaker tries again."""

    tenant: str
    stage: str
    breaker: BreakerState
    open_s: float
    opened: int
    in_flight: int
    waiting: int
    slots: int
    per_second: float | None
    held: bool
    entered: int
    waited: int
    deferred: dict[str, int]
    recent: RecentAttempts


class Stage:
    """Lets conversations in, one by one; `enter` and `leave` go round each of them.

    A conversation needs a slot, then a token. Whoever waits longer than it is ready to is turned
    away, and so is everybody while an operator holds the stage or its breaker is open.
    """

    def __init__(self, tenant: str, name: str, limits: Limits, clock: Callable[[], float]) -> None:
        self.tenant = tenant
        self.name = name
        self.limits = limits
        self._clock = clock
        self._share = 1.0
        self._slots = self._ramp = limits.max_in_flight
        self._bucket = TokenBucket(limits.rate, clock()) if limits.rate else None
        self._breaker = Breaker(limits.breaker) if limits.breaker else None
        self._held = False
        self._in_flight = 0
        self._entered = self._waited = 0
        self._waiters: deque[asyncio.Future[int]] = deque()
        self._waiting = 0
        self._timer: asyncio.TimerHandle | None = None
        self._promised, self._promised_at = 0, clock()
        self._deferred: dict[str, int] = {}
        self._recent = Recent(clock)

    async def enter(self, patience_s: float) -> int:
        """Wait for a slot and a token, at most so long; `TurnedAwayError`. Gives the era."""
        now = self._clock()
        refused = self.refusal(now)
        if refused is not None:
            raise refused
        if self._promised:
            self._promised -= 1
        if not self._waiters and self._begins(now):
            return 0 if self._breaker is None else self._breaker.era
        if self._bucket is not None:
            expected = self._bucket.wait_s(self._waiting, now)
            if expected > patience_s:
                raise TurnedAwayError(self.name, "rate", expected)
        return await self._wait(patience_s)

    def leave(
        self, era: int, *, went_well: bool | None, requests: int = 1, kept: str | None = None
    ) -> None:
        """What `enter` let in has ended. None: it says nothing about the partner.

        `kept`: the key under which the partner may keep the error that it answered.
        """
        now = self._clock()
        self._in_flight -= 1
        if requests > 1 and self._bucket is not None:
            self._bucket.charge(requests - 1, now)
        if self._breaker is not None:
            before = self._breaker.state
            if went_well is None:
                self._breaker.gave_up(era)
            elif went_well:
                self._breaker.succeeded(era, now)
            else:
                self._breaker.failed(era, now, kept)
            if before is not BreakerState.CLOSED and not self.is_doubtful:
                self._closed_again(now)
        if self._ramp < self._slots and went_well:
            self._ramp += 1
        if self._waiters:
            self._pump()

    def refusal(self, now: float) -> TurnedAwayError | None:
        """Why nothing at all is taken now."""
        if self._held:
            return TurnedAwayError(self.name, "held")
        breaker = self._breaker
        if breaker is None or breaker.state is BreakerState.CLOSED or breaker.admits(now):
            return None
        return TurnedAwayError(self.name, "breaker", max(0.0, breaker.until - now))

    @property
    def is_doubtful(self) -> bool:
        """Whether the partner has not shown yet that it is there again."""
        return self._breaker is not None and self._breaker.state is not BreakerState.CLOSED

    def admits(self, wanted: int) -> int:
        """How many deferred steps may go on now; they are expected to come within a second."""
        now = self._clock()
        if now - self._promised_at > PROMISES_KEPT_S:
            self._promised = 0
        allowed = 0 if self.refusal(now) is not None else min(wanted, self._room(now))
        if allowed > 0:
            self._promised += allowed
            self._promised_at = now
        return max(0, allowed)

    def deferred(self, reason: str) -> None:
        """Counts a step that was turned away."""
        self._deferred[reason] = self._deferred.get(reason, 0) + 1

    def tried(self, *, failed: bool, took_ms: float) -> None:
        """Counts an attempt that was sent, with what its exchanges took together."""
        self._recent.note(failed=failed, took_ms=took_ms)

    def hold(self, *, held: bool) -> None:
        """An operator holds it, or lets it go on."""
        self._held = held
        self._pump()

    def scale(self, share: float) -> None:
        """This process may use so much of the limits, which are those of all together."""
        self._share = share
        self._sized()
        self._pump()

    def also_bound_by(self, limits: Limits) -> None:
        """Another connection to the same partner: the stricter bounds hold for both."""
        known = self.limits
        rates = [one.rate for one in (known, limits) if one.rate is not None]
        self.limits = known.model_copy(
            update={
                "max_in_flight": min(known.max_in_flight, limits.max_in_flight),
                "rate": min(rates, key=lambda rate: rate.per_second, default=None),
            }
        )
        self._sized()

    def state(self) -> StageState:
        """As it is now."""
        breaker = self._breaker
        remaining = 0.0 if breaker is None else breaker.until - self._clock()
        open_now = breaker is not None and breaker.state is BreakerState.OPEN
        return StageState(
            tenant=self.tenant,
            stage=self.name,
            breaker=BreakerState.CLOSED if breaker is None else breaker.state,
            open_s=max(0.0, remaining) if open_now else 0.0,
            opened=0 if breaker is None else breaker.opened,
            in_flight=self._in_flight,
            waiting=self._waiting,
            slots=self._slots,
            per_second=None if self._bucket is None else self._bucket.per_second,
            held=self._held,
            entered=self._entered,
            waited=self._waited,
            deferred=dict(self._deferred),
            recent=self._recent.summed(),
        )

    def _room(self, now: float) -> int:
        coming = self._waiting + self._promised
        room = min(self._slots, self._ramp) - self._in_flight - coming
        if self._bucket is not None:
            tokens = max(0.0, self._bucket.available(now))
            paced = int(tokens + self._bucket.per_second * LOOK_AHEAD_S) - coming
            if paced < 1 and not coming and self._bucket.wait_s(0, now) <= LOOK_AHEAD_S:
                paced = 1
            room = min(room, paced)
        if room < 1 and now - self._promised_at > TRICKLE_S:
            room = 1
        probes = None if self._breaker is None else self._breaker.admits(now)
        return room if probes is None else min(room, probes - self._promised)

    def _begins(self, now: float, *, waited: bool = False) -> bool:
        if self._in_flight >= self._slots or self._in_flight >= self._ramp:
            return False
        if self._bucket is not None and not self._bucket.take(now, awaited=waited):
            return False
        if self._breaker is not None:
            begun = self._breaker.begins(now)
            assert begun, "a refusal comes before a token is taken"
        self._in_flight += 1
        self._entered += 1
        return True

    async def _wait(self, patience_s: float) -> int:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[int] = loop.create_future()
        tired = loop.call_later(patience_s, self._tired, waiter)
        self._waiters.append(waiter)
        self._waiting += 1
        self._waited += 1
        self._pump()
        try:
            return await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.leave(waiter.result(), went_well=None)
            raise
        finally:
            tired.cancel()
            self._waiting -= 1

    def _tired(self, waiter: "asyncio.Future[int]") -> None:
        if not waiter.done():
            busy = self._in_flight >= min(self._slots, self._ramp)
            waiter.set_exception(TurnedAwayError(self.name, "busy" if busy else "rate"))

    def _pump(self) -> None:
        """Lets in who waits, in turn, as far as there is room."""
        now = self._clock()
        while self._waiters:
            waiter = self._waiters[0]
            if not waiter.done():
                refused = self.refusal(now)
                if refused is not None:
                    waiter.set_exception(refused)
                elif self._begins(now, waited=True):
                    waiter.set_result(0 if self._breaker is None else self._breaker.era)
                else:
                    self._pump_later(now)
                    return
            self._waiters.popleft()

    def _pump_later(self, now: float) -> None:
        """Slots come back by themselves; tokens need a timer."""
        if self._bucket is None or self._timer is not None:
            return
        wait = self._bucket.wait_s(0, now)
        if wait > 0:
            wait = max(wait, SHORTEST_TIMER_S)
            self._timer = asyncio.get_running_loop().call_later(wait, self._timed)

    def _timed(self) -> None:
        self._timer = None
        self._pump()

    def _closed_again(self, now: float) -> None:
        """A partner that is back is asked a little more each time."""
        self._ramp = min(self._slots, PROBES)
        if self._bucket is not None:
            self._bucket.empty(now)

    def _sized(self) -> None:
        limits, share = self.limits, self._share
        widest = self._ramp >= self._slots
        self._slots = max(1, round(limits.max_in_flight * share))
        if widest or self._ramp > self._slots:
            self._ramp = self._slots
        if limits.rate is None:
            self._bucket = None
            return
        now = self._clock()
        if self._bucket is None:
            self._bucket = TokenBucket(limits.rate, now)
        self._bucket.scaled(limits.rate, share, now)
