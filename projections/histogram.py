"""Durations as integer counts in buckets: they add up in any order, percentiles are read off."""

from collections.abc import Sequence
from math import isqrt

_OCTAVES = 27
BUCKETS = 2 * _OCTAVES + 1
"""One below a millisecond, then two for each doubling; the last holds all above 26 hours."""


def bucket_of(milliseconds: int) -> int:
    """The bucket that the duration is counted in."""
    if milliseconds < 1:
        return 0
    octave = milliseconds.bit_length() - 1
    upper_half = milliseconds > isqrt(1 << (2 * octave + 1))
    return min(1 + 2 * octave + upper_half, BUCKETS - 1)


def percentile(counts: Sequence[int], share: float) -> float | None:
    """Milliseconds below which that share of the durations lies; None where there are none.

    Read off within its bucket, so it is at most a fifth off.
    """
    total = sum(counts)
    if not total:
        return None
    rank = share * total
    below = 0
    for bucket, count in enumerate(counts):
        if count and below + count >= rank:
            return round(_within(bucket, (rank - below) / count), 1)
        below += count
    raise AssertionError("the last bucket reaches every rank")


def _within(bucket: int, share: float) -> float:
    if bucket == 0:
        return share
    low: float = 2 ** ((bucket - 1) / 2)
    return low * 2 ** (share / 2)
