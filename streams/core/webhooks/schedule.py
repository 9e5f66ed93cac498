"""When a delivery is tried again, how much an endpoint gets at once, and when it is given up."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

DELAYS: Final = tuple(
    timedelta(seconds=seconds)
    for seconds in (0, 5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
)
"""Before each attempt, counted from the one before it: 75 h 35 min from the first to the last."""

SPREAD: Final = 0.2
"""Each delay is longer or shorter by up to this part of it."""

LONGEST_WAIT: Final = timedelta(hours=24)
"""A receiver that asks for a longer pause by `Retry-After` gets this one."""

GIVEN_UP_AFTER: Final = timedelta(days=5)
"""An endpoint with nothing but failures for so long is disabled."""

KEPT: Final = timedelta(days=30)
"""So long is known what became of a delivery."""

GONE: Final = 410
_SUCCESS: Final = range(200, 300)


def is_success(status: int | None) -> bool:
    """Whether a receiver has taken the delivery: 2xx alone, no redirect and no silence."""
    return status in _SUCCESS


def next_attempt_at(
    tries: int, now: datetime, jitter: float, not_before: datetime | None = None
) -> datetime | None:
    """When an attempt follows on `tries` that failed; None where that was the last one.

    `jitter` lies in [0, 1). `not_before` is what the receiver has asked for.
    """
    if tries >= len(DELAYS):
        return None
    at = now + DELAYS[tries] * (1 + SPREAD * (2 * jitter - 1))
    return at if not_before is None else max(at, not_before)


def retry_after(header: str | None, now: datetime) -> datetime | None:
    """The moment that `Retry-After` names, in seconds or as a date; at most `LONGEST_WAIT` ahead.

    None where there is no such header, or none that can be read.
    """
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        seconds = min(int(text[:10]), LONGEST_WAIT.total_seconds())
        return now + timedelta(seconds=seconds)
    try:
        named = parsedate_to_datetime(text)
    except ValueError:
        return None
    if named.tzinfo is None:
        named = named.replace(tzinfo=UTC)
    return min(max(named, now), now + LONGEST_WAIT)


def slots(max_in_flight: int, failures: int) -> int:
    """How many deliveries may be under way after so many failures in a row.

    One that does not answer gets ever fewer at once, and all of them again with its first success.
    """
    return max(1, max_in_flight >> min(failures, 60))


def is_given_up(failing_since: datetime | None, now: datetime) -> bool:
    """Whether an endpoint that has just failed again has failed for long enough to be disabled."""
    return failing_since is not None and now - failing_since >= GIVEN_UP_AFTER
