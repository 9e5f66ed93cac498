"""What a worker holds of one partition: its moving orders, and what may be committed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from streams.agents.timers import Timers
from streams.core.order import ENDED, Order

Key: TypeAlias = tuple[str | int, ...]
"""Names what is under way for an order: an attempt of a step, or the writing of a decision."""


@dataclass(slots=True, eq=False)
class Partition:
    """One partition of `order-events` between its assignment and its revocation.

    `position` is the offset to be read next, `end` where the log ended at assignment, `applied`
    the last offset that the store holds. `chunk` is where the chunk began that was read last: an
    event in it may set an order in motion that it is not about. `first` has the moving orders,
    each with the offset of its first event since it last began to move; `resting` those that rest
    and may be forgotten once the store is at that offset, oldest first. `lanes` has the lanes of
    which all unfinished orders are in memory. `inherited` are attempts that may have been sent by
    the worker before.
    """

    number: int
    position: int
    end: int
    applied: int
    live: bool = False
    halted: str | None = None
    chunk: int = 0
    orders: dict[str, Order] = field(default_factory=dict)
    lanes: dict[str, dict[str, None]] = field(default_factory=dict)
    first: dict[str, int] = field(default_factory=dict)
    resting: dict[str, int] = field(default_factory=dict)
    under_way: dict[str, Key] = field(default_factory=dict)
    inherited: set[Key] = field(default_factory=set)
    timers: Timers = field(default_factory=Timers)

    def __post_init__(self) -> None:
        self.chunk = self.position

    @property
    def caught_up(self) -> bool:
        """Whether everything that was there at assignment has been read."""
        return self.position >= self.end and self.halted is None

    def lane(self, lane: str) -> list[Order]:
        """The orders of the lane that are in memory."""
        return [self.orders[order_id] for order_id in self.lanes.get(lane, ())]

    def adopt(self, order: Order) -> None:
        """Takes an order into memory as the store has it, unless it is there already."""
        if order.id not in self.orders:
            self.orders[order.id] = order
        self.lanes.setdefault(order.lane, {})[order.id] = None

    def folded(self, order: Order, offset: int) -> None:
        """An event of the order was read."""
        self.orders[order.id] = order
        self.lanes.setdefault(order.lane, {})[order.id] = None
        self.first.setdefault(order.id, offset)
        self.position = offset + 1

    def rests(self, order_id: str) -> None:
        """There is nothing to do for the order; it may be forgotten once the store has it.

        Unfinished orders of a lane are forgotten together: one that moves must see the others.
        """
        moved = self.first.pop(order_id, None) is not None
        order = self.orders[order_id]
        if order.state in ENDED:
            if moved or order_id not in self.resting:
                self._may_be_forgotten(order_id)
            return
        unfinished = self._unfinished(order.lane)
        if any(member in self.first for member in unfinished):
            return
        if moved or any(member not in self.resting for member in unfinished):
            for member in unfinished:
                self._may_be_forgotten(member)

    def moves(self, order_id: str) -> None:
        """There is something to do for the order."""
        self.first.setdefault(order_id, self.chunk)
        self.timers.drop(order_id)
        self.resting.pop(order_id, None)
        for member in self._unfinished(self.orders[order_id].lane):
            self.resting.pop(member, None)

    def committable(self) -> int:
        """Never past a moving order's first event, nor past what the store holds."""
        oldest = min(self.first.values(), default=self.position)
        return min(self.position, oldest, self.applied + 1)

    def forgettable(self) -> Iterator[str]:
        """Takes the resting orders that the store holds out of memory."""
        while self.resting:
            order_id, last = next(iter(self.resting.items()))
            if last > self.applied:
                return
            del self.resting[order_id]
            order = self.orders.pop(order_id)
            members = self.lanes.get(order.lane)
            if members is not None:
                members.pop(order_id, None)
                if not members or order.state not in ENDED:
                    # What is left of it is forgotten with it, or has ended: next time it is loaded.
                    del self.lanes[order.lane]
            yield order_id

    def _may_be_forgotten(self, order_id: str) -> None:
        self.resting.pop(order_id, None)
        self.resting[order_id] = self.position - 1

    def _unfinished(self, lane: str) -> list[str]:
        members = self.lanes.get(lane, ())
        return [member for member in members if self.orders[member].state not in ENDED]
