"""Percentiles of bucketed durations are near those of the durations themselves."""

from hypothesis import given, settings
from hypothesis import strategies as st

from projections.histogram import BUCKETS, bucket_of, percentile

TOP_MS = 2**27


@settings(deadline=None)
@given(st.lists(st.integers(0, TOP_MS - 1), min_size=1, max_size=60), st.floats(0.01, 1))
def test_a_percentile_is_at_most_a_fifth_off(durations: list[int], share: float) -> None:
    counts = [0] * BUCKETS
    for duration in durations:
        counts[bucket_of(duration)] += 1
    found = percentile(counts, share)
    at_most = [
        d for d in sorted(durations) if sum(o <= d for o in durations) >= share * len(durations)
    ]
    exact = at_most[0]
    assert found is not None
    assert abs(found - exact) <= max(0.5, 0.2 * exact)


@settings(deadline=None)
@given(st.integers(0, 2**40), st.integers(0, 2**40))
def test_buckets_stand_in_the_order_of_durations(one: int, other: int) -> None:
    assert (bucket_of(min(one, other)) <= bucket_of(max(one, other))) is True
    assert 0 <= bucket_of(one) < BUCKETS


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([0] * BUCKETS, 0.5) is None
