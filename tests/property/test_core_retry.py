"""When the next attempt opens: bounded in number and age, jittered, not before a partner allows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.steps import ErrorKind, Retry
from streams.core.retry import (
    CONTENTION_LONGEST_S,
    CRITICAL,
    NON_CRITICAL,
    RETRIED,
    SHORTEST_S,
    next_attempt_at,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POLICIES = st.builds(
    Retry,
    attempts=st.integers(1, 1_000),
    first_s=st.floats(0.0, 600.0),
    longest_s=st.floats(0.0, 86_400.0),
    age_s=st.floats(0.0, 2_592_000.0),
)
JITTERS = st.floats(0.0, 1.0, exclude_max=True)
KINDS = st.sampled_from(sorted(RETRIED))
AGES = st.floats(0.0, 2_592_000.0)
WHENS = st.fixed_dictionaries(
    {
        "tries": st.integers(1, 10_000),
        "age_s": AGES,
        "jitter": JITTERS,
        "after_s": st.none() | st.floats(0.0, 1e6),
    }
)
often = settings(max_examples=500, deadline=None)


def pause(
    retry: Retry | None,
    kind: ErrorKind = ErrorKind.TRANSIENT,
    *,
    tries: int = 1,
    age_s: float = 0.0,
    jitter: float = 0.5,
    after_s: float | None = None,
) -> float | None:
    """Seconds until the next attempt."""
    found = next_attempt_at(
        retry,
        kind,
        tries=tries,
        since=NOW - timedelta(seconds=age_s),
        now=NOW,
        jitter=jitter,
        retry_after_s=after_s,
    )
    return None if found is None else (found - NOW).total_seconds()


@often
@given(POLICIES, KINDS, WHENS)
def test_a_pause_is_never_negative_and_never_longer_than_its_bounds(
    retry: Retry, kind: ErrorKind, when: dict[str, Any]
) -> None:
    found = pause(retry, kind, **when)
    if found is not None:
        longest = max(retry.longest_s, SHORTEST_S, when["after_s"] or 0.0)
        assert SHORTEST_S - 1e-6 <= found <= longest + 1e-6
        assert when["age_s"] + found <= retry.age_s + 1e-3
        assert when["tries"] < retry.attempts


@often
@given(POLICIES, KINDS, st.integers(1, 2_000), JITTERS)
def test_there_are_no_more_attempts_than_allowed(
    retry: Retry, kind: ErrorKind, tries: int, jitter: float
) -> None:
    if tries >= retry.attempts:
        assert pause(retry, kind, tries=tries, jitter=jitter) is None


@often
@given(POLICIES, KINDS, AGES, JITTERS)
def test_there_is_no_attempt_beyond_the_age(
    retry: Retry, kind: ErrorKind, age_s: float, jitter: float
) -> None:
    if age_s > retry.age_s:
        assert pause(retry, kind, age_s=age_s, jitter=jitter) is None


@often
@given(st.integers(1, 40), JITTERS)
def test_the_jitter_is_full_and_its_ceiling_doubles_up_to_the_longest(
    tries: int, jitter: float
) -> None:
    retry = Retry(attempts=100, first_s=1.0, longest_s=300.0, age_s=1e9)
    ceiling = min(300.0, 2.0 ** (tries - 1))
    found = pause(retry, tries=tries, jitter=jitter)
    assert found == pytest.approx(max(SHORTEST_S, ceiling * jitter), abs=1e-5)


@often
@given(POLICIES, KINDS, st.floats(0.0, 1e5), JITTERS)
def test_a_partner_is_not_asked_before_it_says(
    retry: Retry, kind: ErrorKind, after_s: float, jitter: float
) -> None:
    found = pause(retry, kind, after_s=after_s, jitter=jitter)
    assert found is None or found >= after_s - 1e-6


def test_a_partner_that_says_to_wait_beyond_the_age_is_not_waited_for() -> None:
    assert pause(CRITICAL, after_s=CRITICAL.age_s + 1) is None
    assert pause(CRITICAL, after_s=CRITICAL.age_s - 1) == CRITICAL.age_s - 1


def test_contention_is_retried_soon() -> None:
    late = pause(CRITICAL, ErrorKind.CONTENTION, tries=9, jitter=0.999)
    assert late is not None
    assert late <= CONTENTION_LONGEST_S
    usual = pause(CRITICAL, tries=9, jitter=0.999)
    assert usual is not None
    assert usual > CONTENTION_LONGEST_S


@pytest.mark.parametrize("kind", [kind for kind in ErrorKind if kind not in RETRIED])
def test_a_refusal_is_not_retried(kind: ErrorKind) -> None:
    assert pause(CRITICAL, kind) is None


@pytest.mark.parametrize("kind", ErrorKind)
def test_without_a_policy_the_first_failure_is_the_last(kind: ErrorKind) -> None:
    assert pause(None, kind) is None


def test_the_defaults() -> None:
    assert {ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED, ErrorKind.CONTENTION} == RETRIED
    assert Retry(attempts=10, first_s=1.0, longest_s=300.0, age_s=86_400.0) == CRITICAL
    assert Retry(attempts=5, first_s=1.0, longest_s=60.0, age_s=3_600.0) == NON_CRITICAL
    assert [pause(CRITICAL, tries=tries) is not None for tries in (1, 9, 10)] == [True, True, False]


def test_the_first_pause_is_that_of_the_first_failure() -> None:
    assert pause(CRITICAL, tries=1, jitter=0.5) == 0.5
    assert pause(CRITICAL, tries=2, jitter=0.5) == 1.0
    assert pause(CRITICAL, tries=1_000_000, jitter=0.5) is None
    endless = Retry(attempts=10**9, first_s=1.0, longest_s=300.0, age_s=1e9)
    assert pause(endless, tries=10**6, jitter=0.5) == 150.0


def test_a_clock_that_went_back_gives_no_attempt_away() -> None:
    assert pause(CRITICAL, age_s=-3_600.0) == 0.5
