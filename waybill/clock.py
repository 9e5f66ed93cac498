"""The only reader of the clock and of randomness; everything else gets these functions passed."""

import random
import secrets
import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment, in UTC with its offset."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that never goes back; only differences mean something."""
    return time.monotonic()


def random_bytes(count: int) -> bytes:
    """`count` bytes fit for keys and nonces."""
    return secrets.token_bytes(count)


def jitter() -> float:
    """A number in [0, 1) that spreads retries; not fit for keys."""
    return random.random()  # noqa: S311 - spreads load, protects nothing
