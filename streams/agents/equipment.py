"""What stages work with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from plugins.addressing import Addressing
from plugins.perform import Performer
from streams.agents.in_hand import InHand
from streams.agents.keyring import KeyRing


@dataclass(frozen=True, slots=True, kw_only=True)
class Equipment:
    """`now` is UTC, `monotonic` seconds, `jitter` in [0, 1).

    Without `in_hand`, nobody learns what a process died of.
    """

    addressing: Addressing
    performer: Performer
    keys: KeyRing
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    random_bytes: Callable[[int], bytes]
    jitter: Callable[[], float]
    in_hand: InHand | None = None
