"""Which record of a name holds on a compacted topic that many write, and must be said again."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import orjson

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class _Held(Generic[Record]):
    place: tuple[float, bool]
    record: Record


class FirstHolds(Generic[Record]):
    """Of a name's records the first of the highest rank holds, for every reader.

    All records of a name have one key, and compaction keeps the last of them: so what holds has to
    be restated where another stands last. What was restated goes before all of its rank, also for
    a reader of whom compaction has kept the first.
    """

    def __init__(self) -> None:
        self._held: dict[str, _Held[Record]] = {}
        self._unsettled: dict[str, None] = {}

    @property
    def unsettled(self) -> Sequence[Record]:
        """What holds, and is not the last record of its name."""
        return [self._held[name].record for name in self._unsettled]

    def get(self, name: str) -> Record | None:
        """What holds; None for a name that has no record."""
        held = self._held.get(name)
        return None if held is None else held.record

    def all(self) -> Iterable[Record]:
        """What holds, of every name."""
        return (held.record for held in self._held.values())

    def take(self, name: str, rank: float, record: Record, *, is_restated: bool) -> bool:
        """Whether something else holds from the topic's next record on."""
        held = self._held.get(name)
        if held is not None and (rank, is_restated) <= held.place:
            if record == held.record:
                self._unsettled.pop(name, None)
            else:
                self._unsettled[name] = None
            return False
        self._held[name] = _Held((rank, is_restated), record)
        self._unsettled.pop(name, None)
        return held is None or held.record != record


def restated(value: bytes) -> bytes:
    """A record, a JSON object, as it is written once more because it holds."""
    return orjson.dumps({**orjson.loads(value), "restated": True})


def is_restated(value: bytes) -> bool:
    """Whether a record that could be read says that it holds."""
    return orjson.loads(value).get("restated", False) is True
