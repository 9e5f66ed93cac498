"""When a failed attempt is followed by another one: full jitter between bounds."""

from datetime import datetime, timedelta

from schemas.steps import ErrorKind, Retry

RETRIED = frozenset({ErrorKind.TRANSIENT, ErrorKind.RATE_LIMITED, ErrorKind.CONTENTION})
CONTENTION_LONGEST_S = 10.0
SHORTEST_S = 0.05

CRITICAL = Retry(attempts=10, first_s=1.0, longest_s=300.0, age_s=86_400.0)
"""The default for steps that hold up the order."""
NON_CRITICAL = Retry(attempts=5, first_s=1.0, longest_s=60.0, age_s=3_600.0)
"""The default for steps that the order goes on without; its end waits for them."""


def next_attempt_at(  # noqa: PLR0913 (all that it depends on)
    retry: Retry | None,
    kind: ErrorKind,
    *,
    tries: int,
    since: datetime,
    now: datetime,
    jitter: float,
    retry_after_s: float | None = None,
) -> datetime | None:
    """When the next attempt opens; None where this one was the last.

    `tries` counts the attempts that were sent, this one included, `since` is the first failure,
    `jitter` lies in [0, 1). A partner that says how long to wait is not asked before that.
    """
    if retry is None or kind not in RETRIED or tries >= retry.attempts:
        return None
    longest = retry.longest_s
    if kind is ErrorKind.CONTENTION:
        longest = min(longest, CONTENTION_LONGEST_S)
    ceiling = min(longest, retry.first_s * 2.0 ** min(tries - 1, 60))
    pause = max(SHORTEST_S, ceiling * jitter, retry_after_s or 0.0)
    if (now - since).total_seconds() + pause > retry.age_s:
        return None
    return now + timedelta(seconds=pause)
