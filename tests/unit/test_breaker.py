"""When a breaker opens, when it tries again, and when it closes."""

from plugins.breaker import PROBES, Breaker, BreakerState
from schemas.connections import BreakerLimits

LIMITS = BreakerLimits()


def fed(breaker: Breaker, outcomes: str, start: float = 0.0, step: float = 0.01) -> float:
    """Lets conversations through, one after the other: `+` goes well, `-` does not."""
    now = start
    for outcome in outcomes:
        if breaker.begins(now):
            tell = breaker.succeeded if outcome == "+" else breaker.failed
            tell(breaker.era, now)
        now += step
    return now


def opened(**limits: float) -> Breaker:
    breaker = Breaker(LIMITS.model_copy(update=limits))
    fed(breaker, "-" * LIMITS.at_least, step=0.0)
    assert breaker.state is BreakerState.OPEN
    return breaker


def test_it_stays_closed_while_few_conversations_fail() -> None:
    breaker = Breaker(LIMITS)
    fed(breaker, "+-+" * 500)
    assert breaker.state is BreakerState.CLOSED


def test_it_opens_at_the_failure_rate_and_not_before_there_are_enough() -> None:
    breaker = Breaker(LIMITS)
    fed(breaker, "-" * 19)
    assert breaker.state is BreakerState.CLOSED
    fed(breaker, "-", start=0.19)
    assert breaker.state is BreakerState.OPEN


def test_a_partner_that_goes_down_after_a_good_hour_opens_it_within_two_seconds() -> None:
    breaker = Breaker(LIMITS)
    now = fed(breaker, "+" * 36_000, step=0.1)
    went_down = now
    while breaker.state is BreakerState.CLOSED:
        now = fed(breaker, "-", start=now, step=0.05)
    assert now - went_down <= 2.0


def test_what_is_older_than_the_window_does_not_count() -> None:
    breaker = Breaker(LIMITS)
    fed(breaker, "-" * 19)
    fed(breaker, "-" * 10, start=40.0)
    assert breaker.state is BreakerState.CLOSED


def test_while_it_is_open_nothing_begins() -> None:
    breaker = opened()
    assert breaker.until == 5.0
    assert not breaker.begins(4.9)
    assert breaker.admits(4.9) == 0


def test_a_few_find_out_whether_the_partner_is_back() -> None:
    breaker = opened()
    assert breaker.admits(5.0) == PROBES
    assert [breaker.begins(5.0) for _ in range(PROBES + 1)] == [True] * PROBES + [False]
    assert breaker.state is BreakerState.HALF_OPEN
    for _ in range(PROBES):
        breaker.succeeded(breaker.era, 5.1)
    assert breaker.state is BreakerState.CLOSED


def test_a_probe_that_says_nothing_makes_room_for_another() -> None:
    breaker = opened()
    for _ in range(PROBES):
        breaker.begins(5.0)
    breaker.gave_up(breaker.era)
    assert breaker.begins(5.0)


def test_each_failed_probe_doubles_the_pause_up_to_the_longest() -> None:
    breaker, now, pauses = opened(), 0.0, []
    for _ in range(6):
        now = breaker.until
        assert breaker.begins(now)
        breaker.failed(breaker.era, now)
        pauses.append(breaker.until - now)
    assert pauses == [10, 20, 40, 60, 60, 60]


def test_a_partner_that_fell_again_at_once_keeps_the_longer_pause() -> None:
    breaker = opened()
    breaker.begins(5.0)
    breaker.failed(breaker.era, 5.0)
    fed(breaker, "+++", start=15.0)
    assert breaker.state is BreakerState.CLOSED
    fed(breaker, "-" * 20, start=16.0, step=0.0)
    assert breaker.until == 26.0


def test_a_partner_that_was_well_for_a_while_starts_from_the_short_pause() -> None:
    breaker = opened()
    breaker.begins(5.0)
    breaker.failed(breaker.era, 5.0)
    fed(breaker, "+++", start=15.0)
    fed(breaker, "-" * 20, start=100.0, step=0.0)
    assert breaker.until == 105.0


def test_what_began_before_it_opened_says_nothing_any_more() -> None:
    breaker = Breaker(LIMITS)
    eras = [breaker.era for _ in range(30) if breaker.begins(0.0)]
    for era in eras[:20]:
        breaker.failed(era, 0.0)
    breaker.begins(5.0)
    for era in eras[20:]:
        breaker.failed(era, 5.1)
    assert breaker.state is BreakerState.HALF_OPEN
