"""Stored answers by idempotency key: the first outcome is repeated for 24 hours."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

KEPT_SECONDS = 24 * 3600

A = TypeVar("A")


class Taken(Enum):
    """Why a key cannot be used now."""

    RUNNING = "the first request with this key is still running"
    ELSEWHERE = "the key was used for another URL or method"


@dataclass(slots=True)
class _Kept(Generic[A]):
    target: str
    since: float
    answer: A | None = None


class KeyBook(Generic[A]):
    """The keys one partner has seen. `now` is in seconds."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._kept: dict[str, _Kept[A]] = {}

    def claim(self, key: str, target: str) -> A | Taken | None:
        """The stored answer, why the key is taken, or None: the caller now runs it."""
        self._forget_expired()
        kept = self._kept.get(key)
        if kept is None:
            self._kept[key] = _Kept(target, self._now())
            return None
        if kept.target != target:
            return Taken.ELSEWHERE
        return Taken.RUNNING if kept.answer is None else kept.answer

    def keep(self, key: str, answer: A) -> None:
        """Store the outcome, success or failure, for later requests with this key."""
        self._kept[key].answer = answer

    def release(self, key: str) -> None:
        """Forget a claim that came to no outcome."""
        kept = self._kept.get(key)
        if kept is not None and kept.answer is None:
            del self._kept[key]

    def _forget_expired(self) -> None:
        """The oldest come first, because a dict keeps the order of insertion."""
        oldest_allowed = self._now() - KEPT_SECONDS
        while self._kept:
            key, kept = next(iter(self._kept.items()))
            if kept.since > oldest_allowed:
                return
            del self._kept[key]
