"""What consumes a topic: it says where to start, takes chunks, and says what may be committed."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeAlias


class Record(Protocol):
    """One record as it was read. `timestamp` is in milliseconds."""

    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]
    timestamp: int


Records: TypeAlias = Sequence[Record]


class Reader(Protocol):
    """Consumes one topic, partition by partition, in chunks.

    After `assigned`, chunks of a partition arrive in offset order from the start it named, until
    `revoked`. Nothing is committed beyond `committable`.
    """

    async def assigned(
        self, committed: Mapping[int, int], ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        """Where to start, per partition, given the committed offsets and the ends of the log."""

    def revoked(self) -> None:
        """All partitions are gone; what comes back is announced by `assigned` again."""

    @property
    def has_room(self) -> bool:
        """Whether more may be fetched for it; what it does not fetch waits in the topic."""

    def take(self, partition: int, records: Records) -> None:
        """Takes records, to be handled soon."""

    def committable(self, partition: int) -> int | None:
        """The offset that may be committed now."""
