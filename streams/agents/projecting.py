"""Feeds the projector from `order-events`, off the loop, as far as the store has applied."""

import asyncio
import logging
from collections.abc import Mapping

from sqlalchemy.exc import SQLAlchemyError

from projections.store import StoreError
from streams.agents.fate import LONGEST_PAUSE_S, Fatal, StoreCalls, guarded
from streams.agents.inbox import Inbox, by_owner
from streams.agents.projector import (
    AnotherProjectorError,
    Projector,
    Record,
    UndecodableRecordError,
)
from streams.kafka.reader import Records

AT_ONCE = 4_000
APART_S = 0.02
"""From one transaction to the next at least: it costs as much for one event as for fifty.

Less than what Kafka gathers in, so that this adds no wait of its own: it is for several brokers,
each of which hands over what it has by itself.
"""
BREATH_S = 0.005
"""Under load transactions follow each other; SQLite lets others write only in between."""
INBOX_RECORDS = 20_000
FIRST_PAUSE_S = 0.2

log = logging.getLogger(__name__)


class ProjectingReader:
    """Reads `order-events`; its place is the store's applied offset, whatever was committed.

    A record that cannot be read stops its partition. A store that fails is waited for. Views that
    a rebuild has put in the place of the old ones are gone on with. Any other error ends the
    process: another projector at work is answered by starting again from what the store holds.
    """

    def __init__(self, projector: Projector, fatal: Fatal) -> None:
        self._projector = projector
        self._fatal = fatal
        self._calls = StoreCalls(local=False)
        self._applied: dict[int, int] = {}
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
        """Whether the views hold what was in the log at assignment."""
        return self._placed and all(
            self._applied.get(part, 0) >= end for part, end in self._ends.items()
        )

    async def assigned(
        self, committed: Mapping[int, int], ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        """Starts behind the last applied offset."""
        partitions = sorted(committed)
        async with self._at_work:
            try:
                starts = await self._calls.write(lambda: self._projector.assign(partitions))
            except StoreError as problem:
                self._fatal(problem)
                raise
            self._applied, self._ends, self._placed = dict(starts), dict(ends), True
        return starts

    def revoked(self) -> None:
        """Forgets what was read and not applied."""
        self._inbox.clear()
        self._applied, self._ends, self._placed = {}, {}, False

    @property
    def has_room(self) -> bool:
        """Whether it keeps up."""
        return self._inbox.has_room

    def take(self, partition: int, records: Records) -> None:
        """Takes records, to be applied soon."""
        self._inbox.put(partition, records)

    def committable(self, partition: int) -> int | None:
        """What the store has; only of interest to those who watch the group's lag."""
        return self._applied.get(partition)

    async def _loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._inbox.filled()
            next_at = loop.time() + APART_S
            async with self._at_work:
                # Not before: what was read of a partition before it went and came is forgotten.
                await self._apply(self._taken())
            await asyncio.sleep(max(BREATH_S, next_at - loop.time()))

    def _taken(self) -> dict[int, list[Record]]:
        return {
            partition: [Record(r.offset, r.value, r.timestamp) for r in records]
            for partition, records in by_owner(self._inbox.taken(AT_ONCE)).items()
        }

    async def _apply(self, taken: Mapping[int, list[Record]]) -> None:
        """Returns once what is still ours of it is in the store.

        Should the store fail with the last word unsaid, the same again is either what it waits
        for, or meets an applied offset that has moved: then another start reads where it stands.
        """
        pause = FIRST_PAUSE_S
        while mine := {part: records for part, records in taken.items() if part in self._applied}:
            try:
                applied = await asyncio.to_thread(self._projector.apply_all, mine)
            except UndecodableRecordError as problem:
                # Never skipped: the partition stops here, and the others go on.
                log.critical("partition %d stops: %s", problem.partition, problem)
                self._applied.pop(problem.partition, None)
            except AnotherProjectorError as problem:
                await self._go_on_with_other_views(problem)
            except (SQLAlchemyError, OSError) as problem:
                log.warning("the store does not take the views: %r", problem)
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE_S, 2 * pause)
            else:
                for partition, done in applied.items():
                    if partition in self._applied:
                        self._applied[partition] = done.offset + 1
                return

    async def _go_on_with_other_views(self, problem: AnotherProjectorError) -> None:
        """They hold all that the old ones did: what was read and is not in them fits behind."""
        if not await self._calls.write(self._projector.has_other_views):
            raise problem
        partitions = sorted(self._applied)
        starts = await self._calls.write(lambda: self._projector.assign(partitions))
        for partition in partitions:
            if partition in self._applied:  # not revoked meanwhile
                self._applied[partition] = starts[partition]
        log.info("a rebuild has replaced the views; going on with the new ones")
