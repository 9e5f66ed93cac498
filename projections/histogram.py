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
    """Milliseconds in the middle of the bucket below which that share lies: at most a fifth off.

    None where there are no durations.
    """
    left = share * sum(counts)
    for bucket, count in enumerate(counts):
        left -= count
        if count and left <= 0:
            return round(_middle(bucket), 1)
    return None


def _middle(bucket: int) -> float:
    """By ratio, so that both ends of the bucket are as far off."""
    middle: float = 2 ** ((bucket - 0.5) / 2) if bucket else 0.5
    return middle
