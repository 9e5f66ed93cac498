"""What of a chunk's orders and lanes is not in memory, and comes from the store before folding."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from schemas.events import Event, OrderAccepted
from streams.agents.fate import StoreCalls
from streams.agents.means import Snapshots
from streams.agents.partition import Partition
from streams.core.order import Order

Read: TypeAlias = "list[tuple[Partition, list[tuple[int, Event]]]]"
"""The events of a chunk, with their offsets, by partition."""


@dataclass(slots=True)
class Missing:
    """What has to be asked for. `lanes` has the partition of each lane."""

    begun: dict[str, tuple[int, int]] = field(default_factory=dict)
    wanted: set[str] = field(default_factory=set)
    lanes: dict[str, Partition] = field(default_factory=dict)

    @classmethod
    def of(cls, read: Read) -> "Missing":
        """What the events are about and the partitions do not hold.

        An order that begins with the acceptance just read is folded from there: the store may be
        ahead, but all that it has read is still to come.
        """
        missing = cls()
        for part, events in read:
            for offset, event in events:
                missing.note(part, offset, event)
        return missing

    def note(self, part: Partition, offset: int, event: Event) -> None:
        """The event is going to be folded."""
        envelope = event.envelope
        order_id = envelope.order_id
        if envelope.lane not in part.lanes:
            self.lanes[envelope.lane] = part
        if order_id in part.orders or order_id in self.begun or order_id in self.wanted:
            return
        if isinstance(event.fact, OrderAccepted):
            self.begun[order_id] = (part.number, offset)
        else:
            self.wanted.add(order_id)


class Loading:
    """Brings orders into memory."""

    def __init__(self, snapshots: Snapshots, calls: StoreCalls) -> None:
        self._snapshots = snapshots
        self._calls = calls

    async def before_folding(self, read: Read, held: Collection[Partition]) -> None:
        """All that the events touch; of a lane all orders that have not ended."""
        missing = Missing.of(read)
        owners = {e.envelope.order_id: part for part, events in read for _, e in events}
        found = await self._asked(missing.begun, missing.wanted, missing.lanes)
        self._adopt(found, {**missing.lanes}, owners, held)

    async def lanes_of(
        self, wanted: Iterable[tuple[Partition, str, str]], held: Collection[Partition]
    ) -> None:
        """These orders (partition, id, lane), with the lanes that they stand in."""
        ids: dict[str, Partition] = {}
        lanes: dict[str, Partition] = {}
        for part, order_id, lane in wanted:
            if lane not in part.lanes:
                lanes[lane] = part
            if order_id not in part.orders:
                ids[order_id] = part
        self._adopt(await self._asked({}, ids, lanes), lanes, ids, held)

    async def _asked(
        self,
        begun: Mapping[str, tuple[int, int]],
        wanted: Collection[str],
        lanes: Collection[str],
    ) -> Mapping[str, Order]:
        if not (begun or wanted or lanes):
            return {}
        snapshots = self._snapshots
        return await self._calls.read(lambda: snapshots.load(begun, wanted, lanes))

    def _adopt(
        self,
        found: Mapping[str, Order],
        lanes: Mapping[str, Partition],
        owners: Mapping[str, Partition],
        held: Collection[Partition],
    ) -> None:
        for lane, part in lanes.items():
            if part in held:
                part.lanes.setdefault(lane, {})
        for order in found.values():
            part = lanes.get(order.lane) or owners[order.id]
            if part in held:
                part.adopt(order)
