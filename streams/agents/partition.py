"""What a worker holds of one partition: its moving orders, and what may be committed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from streams.core.order import Order
from streams.kafka.reader import Records

Key: TypeAlias = tuple[str | int, ...]
"""Names what is under way for an order: an attempt of a step, or the writing of a decision."""


@dataclass(slots=True)
class Partition:
    """One partition of `order-events` between its assignment and its revocation.

    `position` is the offset to be read next, `end` where the log ended at assignment, `applied`
    the last offset that the store holds. `first` has the moving orders, each with the offset of
    its first event since it last began to move, oldest first; `resting` those that rest and are
    not in the store yet, each with its last offset, oldest first.
    """

    number: int
    position: int
    end: int
    applied: int
    live: bool = False
    halted: str | None = None
    orders: dict[str, Order] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    resting: dict[str, int] = field(default_factory=dict)
    under_way: dict[str, Key] = field(default_factory=dict)

    @property
    def caught_up(self) -> bool:
        """Whether everything that was there at assignment has been read."""
        return self.position >= self.end and self.halted is None

    def unread(self, records: Records) -> Records:
        """The records from `position` on; those before it were read already."""
        if records[0].offset >= self.position:
            return records
        return [record for record in records if record.offset >= self.position]

    def touched(self, order_id: str, offset: int) -> None:
        """An event of the order was read."""
        self.first.setdefault(order_id, offset)
        self.position = offset + 1

    def rests(self, order_id: str) -> None:
        """There is nothing to do for the order; it may be forgotten once the store has it."""
        if self.first.pop(order_id, None) is not None:
            self.resting.pop(order_id, None)
            self.resting[order_id] = self.position - 1

    def moves(self, order_id: str) -> None:
        """There is something to do for the order."""
        self.resting.pop(order_id, None)

    def committable(self) -> int:
        """Never past a moving order's first event, nor past what the store holds."""
        oldest = next(iter(self.first.values()), self.position)
        return min(self.position, oldest, self.applied + 1)

    def forgettable(self) -> Iterator[str]:
        """Takes the resting orders that the store holds out of memory."""
        while self.resting:
            order_id, last = next(iter(self.resting.items()))
            if last > self.applied:
                return
            del self.resting[order_id]
            self.orders.pop(order_id, None)
            yield order_id
