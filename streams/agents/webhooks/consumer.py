"""Consumes `order-updates`: each update becomes deliveries, in the store with its position."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from projections.moments import microseconds
from projections.webhooks.queue import Arrivals, DeliveryQueue
from streams.agents.fate import LONGEST_PAUSE_S, Fatal, StoreCalls, guarded
from streams.agents.inbox import Inbox, by_owner
from streams.agents.webhooks.dispatcher import Dispatcher
from streams.agents.webhooks.making import Maker
from streams.kafka.reader import Record, Records

AT_ONCE = 500
"""Updates of one transaction, about: each leads to a delivery or more for every endpoint."""
INBOX_RECORDS = 5_000
GATHER_S = 0.01
FIRST_PAUSE_S = 0.2

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inlet:
    """What the reader works with. `known` waits until the endpoints are known."""

    queue: DeliveryQueue
    maker: Maker
    dispatcher: Dispatcher
    writing: asyncio.Lock
    known: Callable[[], Awaitable[None]]
    now: Callable[[], datetime]


class UpdateReader:
    """Reads `order-updates`; its place is the store's position, whatever was committed.

    A store that fails is waited for. Any other error ends the process: another one at work is
    answered by starting again from what the store holds.
    """

    def __init__(self, inlet: Inlet, fatal: Fatal) -> None:
        self._inlet = inlet
        self._fatal = fatal
        self._calls = StoreCalls(local=False)
        self._positions: dict[int, int] = {}
        self._ends: dict[int, int] = {}
        self._placed = False
        self._inbox: Inbox[int] = Inbox(INBOX_RECORDS)
        self._at_work = asyncio.Lock()
        self._loops: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts its loop."""
        self._loops.append(guarded(self._loop(), self._fatal))

    @property
    def ready(self) -> bool:
        """Whether it knows the endpoints, and its place."""
        return self._placed

    async def assigned(
        self, committed: Mapping[int, int], ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        """Starts behind the last update whose deliveries are in the store."""
        await self._inlet.known()
        partitions = sorted(committed)
        async with self._at_work, self._inlet.writing:
            self._positions = await self._calls.write(lambda: self._placed_at(partitions, ends))
            self._ends, self._placed = dict(ends), True
        self._inlet.dispatcher.own(partitions)
        return {partition: offset + 1 for partition, offset in self._positions.items()}

    def _placed_at(self, partitions: list[int], ends: Mapping[int, int]) -> dict[int, int]:
        positions = self._inlet.queue.assign(partitions)
        lost = [part for part, offset in positions.items() if offset >= ends.get(part, offset + 1)]
        if lost:
            # Otherwise everything would be passed over until the topic is as long as it was.
            log.critical("order-updates was made anew: partitions %s are read again", lost)
            self._inlet.queue.rewind(lost)
        return positions | dict.fromkeys(lost, -1)

    def revoked(self) -> None:
        """Forgets what was read and not queued, and sends nothing more."""
        self._inbox.clear()
        self._positions, self._ends, self._placed = {}, {}, False
        self._inlet.dispatcher.own(())

    @property
    def has_room(self) -> bool:
        """Whether it keeps up."""
        return self._inbox.has_room

    def take(self, partition: int, records: Records) -> None:
        """Takes records, to be queued soon."""
        self._inbox.put(partition, records)

    def committable(self, partition: int) -> int | None:
        """What the store has; only of interest to those who watch the group's lag."""
        position = self._positions.get(partition)
        return None if position is None else position + 1

    async def _loop(self) -> None:
        while True:
            await self._inbox.filled()
            async with self._at_work:
                # Not before: what was read of a partition before it went and came is forgotten.
                await self._queue(by_owner(self._inbox.taken(AT_ONCE)))
            await asyncio.sleep(GATHER_S)

    async def _queue(self, taken: Mapping[int, list[Record]]) -> None:
        """Returns once what is still ours of it is in the store.

        Should the store fail with the last word unsaid, the same again is either what it waits
        for, or meets a position that has moved: then another start reads where it stands.
        """
        pause = FIRST_PAUSE_S
        while mine := self._fresh(taken):
            try:
                made = await self._inlet.maker.made(mine)
                ends = {part: records[-1].offset for part, records in mine.items()}
                moves = {
                    p: (self._positions[p], e) for p, e in ends.items() if p in self._positions
                }
                if moves.keys() != ends.keys():
                    continue
                arrivals = Arrivals(moves, made.messages, made.deliveries)
                now = microseconds(self._inlet.now())
                async with self._inlet.writing:
                    await asyncio.to_thread(self._inlet.queue.arrived, arrivals, now)
            except (SQLAlchemyError, OSError) as problem:
                log.warning("the store does not take deliveries: %r", problem)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_S, 2 * pause)
            else:
                self._positions.update({p: e for p, e in ends.items() if p in self._positions})
                self._inlet.dispatcher.arrived({new.endpoint for new in made.deliveries})
                return

    def _fresh(self, taken: Mapping[int, list[Record]]) -> dict[int, list[Record]]:
        """Of the partitions that are still ours, what is not queued yet."""
        fresh = {
            partition: [one for one in records if one.offset > self._positions[partition]]
            for partition, records in taken.items()
            if partition in self._positions
        }
        return {partition: records for partition, records in fresh.items() if records}
