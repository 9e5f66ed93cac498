"""Token bucket and breaker under any sequence of events."""

from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.breaker import PROBES, Breaker, BreakerState
from plugins.token_bucket import LATENESS_S, TokenBucket
from schemas.connections import BreakerLimits, Rate

PAUSES = st.floats(min_value=0, max_value=5, allow_nan=False)
RATES = st.builds(
    Rate, per_second=st.floats(min_value=0.1, max_value=500), burst=st.integers(1, 20)
)
STEPS = st.tuples(PAUSES, st.integers(0, 25), st.booleans())


@given(rate=RATES, steps=st.lists(STEPS, max_size=15))
def test_no_stretch_of_time_has_more_than_its_rate_and_one_burst(
    rate: Rate, steps: list[tuple[float, int, bool]]
) -> None:
    now, taken = 0.0, list[float]()
    bucket = TokenBucket(rate, now)
    for pause, asked, awaited in steps:
        now += pause
        taken += [now for _ in range(asked) if bucket.take(now, awaited=awaited)]
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            lasted = taken[last] - taken[first] + LATENESS_S
            assert last - first + 1 <= rate.burst + rate.per_second * lasted + 1e-6


@given(rate=RATES, position=st.integers(0, 50), owed=st.integers(0, 50))
def test_the_wait_is_exactly_as_long_as_it_takes(rate: Rate, position: int, owed: int) -> None:
    bucket = TokenBucket(rate.model_copy(update={"burst": 60}), 0.0)
    bucket.charge(60 + owed, 0.0)
    wait = bucket.wait_s(position, 0.0)
    assert sum(bucket.take(wait) for _ in range(position + 1)) == min(position + 1, 60)
    assert not TokenBucket.take(bucket, wait)


class Log:
    """A breaker that is told anything, at any time, in any order."""

    def __init__(self, limits: BreakerLimits) -> None:
        self.breaker = Breaker(limits)
        self.under_way: list[int] = []
        self.now = 0.0

    def do(self, what: str) -> None:
        breaker = self.breaker
        if what == "begin":
            allowed = breaker.admits(self.now)
            begun = breaker.begins(self.now)
            assert begun is (allowed is None or allowed > 0)
            if begun:
                self.under_way.append(breaker.era)
        elif self.under_way:
            era = self.under_way.pop(0)
            if what == "good":
                breaker.succeeded(era, self.now)
            elif what == "bad":
                breaker.failed(era, self.now)
            elif what == "kept":
                breaker.failed(era, self.now, kept=f"key-{era % 3}")
            else:
                breaker.gave_up(era)


WHAT = st.sampled_from(["begin", "begin", "begin", "good", "bad", "kept", "nothing"])


@settings(max_examples=300)
@given(steps=st.lists(st.tuples(PAUSES, WHAT), max_size=120), at_least=st.integers(1, 5))
def test_a_breaker_always_finds_its_way_back(steps: list[tuple[float, str]], at_least: int) -> None:
    log = Log(BreakerLimits(at_least=at_least, open_s=2, longest_open_s=7))
    for pause, what in steps:
        log.now += pause
        log.do(what)
        breaker = log.breaker
        if breaker.state is BreakerState.OPEN:
            assert breaker.until - log.now <= 7 + 1e-6
        if breaker.state is BreakerState.HALF_OPEN:
            probing = [era for era in log.under_way if era == breaker.era]
            assert len(probing) <= PROBES
    log.under_way = [era for era in log.under_way if era == log.breaker.era]
    while log.under_way:
        log.do("nothing")
    log.now += 7.001
    for _ in range(PROBES):
        log.do("begin")
        log.do("good")
    assert log.breaker.state is BreakerState.CLOSED
    assert log.breaker.admits(log.now) is None
