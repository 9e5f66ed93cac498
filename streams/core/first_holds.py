"""Which record of a name holds on a topic that many write, and which keys count no more."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class _Held(Generic[Record]):
    key: bytes
    rank: float
    record: Record


class FirstHolds(Generic[Record]):
    """Of a name's records the first of the highest rank holds, for every reader.

    Each record has a key of its own. So compaction takes away only what was removed, and only what
    has passed is ever removed: a record that does not hold never will, whatever comes after it, and
    nothing else depends on it. Readers of what compaction left come to the same.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held[Record]] = {}
        self._passed: dict[bytes, None] = {}

    @property
    def passed(self) -> Sequence[bytes]:
        """The keys, not removed yet, of records that do not hold."""
        return tuple(self._passed)

    def get(self, name: str) -> Record | None:
        """What holds; None for a name that has no record."""
        held = self._held.get(name)
        return None if held is None else held.record

    def all(self) -> Iterable[Record]:
        """What holds, of every name."""
        return (held.record for held in self._held.values())

    def take(self, key: bytes, name: str, rank: float, record: Record) -> bool:
        """Whether the next record of the topic holds from here on."""
        held = self._held.get(name)
        if held is not None and rank <= held.rank:
            if key != held.key:
                self._passed[key] = None
            return False
        if held is not None:
            self._passed[held.key] = None
        self._passed.pop(key, None)
        self._held[name] = _Held(key, rank, record)
        return True

    def remove(self, key: bytes) -> None:
        """Somebody has removed the record of that key."""
        self._passed.pop(key, None)
