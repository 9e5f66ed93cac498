"""When deliveries are tried again, and when an endpoint is given up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.core.webhooks.schedule import (
    DELAYS,
    GIVEN_UP_AFTER,
    LONGEST_WAIT,
    SPREAD,
    is_given_up,
    is_success,
    next_attempt_at,
    retry_after,
    slots,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_ten_attempts_span_the_75_hours_of_the_specification() -> None:
    at, attempts = NOW, 1
    while (following := next_attempt_at(attempts, at, 0.5)) is not None:
        at, attempts = following, attempts + 1
    assert attempts == 10
    assert at - NOW == timedelta(hours=75, minutes=35, seconds=5)


@given(st.integers(1, 9), st.floats(0, 1, exclude_max=True))
def test_each_delay_is_spread_by_a_fifth(tries: int, jitter: float) -> None:
    at = next_attempt_at(tries, NOW, jitter)
    assert at is not None
    assert abs((at - NOW) / DELAYS[tries] - 1) <= SPREAD + 1e-6


def test_the_jitter_reaches_both_ends() -> None:
    ends = [next_attempt_at(1, NOW, jitter) for jitter in (0.0, 1.0)]
    assert ends == [NOW + timedelta(seconds=4), NOW + timedelta(seconds=6)]


def test_a_receiver_that_says_when_is_not_asked_before() -> None:
    later = NOW + timedelta(hours=1)
    assert next_attempt_at(1, NOW, 0.5, later) == later
    sooner = NOW + timedelta(seconds=1)
    assert next_attempt_at(1, NOW, 0.5, sooner) == NOW + timedelta(seconds=5)
    assert next_attempt_at(10, NOW, 0.5, later) is None


@pytest.mark.parametrize(
    ("header", "wait"),
    [
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("99999999999999", LONGEST_WAIT),
        ("Sun, 01 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 13:05:00 +0100", timedelta(minutes=5)),
        ("Sunday, 01-Mar-26 12:05:00 GMT", timedelta(minutes=5)),
        ("Sun Mar  1 12:05:00 2026", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Fri, 01 Jan 2100 00:00:00 GMT", LONGEST_WAIT),
        (None, None),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("\u0663", None),
    ],
)
def test_retry_after_in_both_forms_is_honoured_and_bounded(
    header: str | None, wait: timedelta | None
) -> None:
    assert retry_after(header, NOW) == (None if wait is None else NOW + wait)


@given(st.text(max_size=60))
def test_no_retry_after_is_ever_an_error(header: str) -> None:
    found = retry_after(header, NOW)
    assert found is None or NOW <= found <= NOW + LONGEST_WAIT


def test_only_2xx_is_success() -> None:
    assert [status for status in range(100, 600) if is_success(status)] == list(range(200, 300))
    assert not is_success(None)


def test_one_that_fails_gets_ever_fewer_at_once_and_never_none() -> None:
    assert [slots(8, failures) for failures in (0, 1, 2, 3, 4, 1000)] == [8, 4, 2, 1, 1, 1]


def test_an_endpoint_is_given_up_after_five_days_of_failures() -> None:
    assert not is_given_up(None, NOW)
    assert not is_given_up(NOW - GIVEN_UP_AFTER + timedelta(seconds=1), NOW)
    assert is_given_up(NOW - GIVEN_UP_AFTER, NOW)
