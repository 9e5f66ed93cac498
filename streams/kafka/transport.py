"""Faust's consumer, changed where it loses, repeats or waits: chunks, own commits, one loop.

Built on the inside of faust-streaming 0.15.3, which is pinned. One Faust event is one (partition,
fetch): its value is the list of records. Faust's acks are not used; readers say what to commit.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from aiokafka.errors import KafkaError
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from mode.services import Service
from mode.utils.futures import maybe_async

FULL_S = 0.02
"""How soon a reader that had no room is asked again."""
TROUBLED_S = 0.5

_AT_ONCE = {"_fetch_min_bytes": 1, "_fetch_max_wait_ms": 1_500}
_GATHERED = {"_fetch_min_bytes": 64 << 10, "_fetch_max_wait_ms": 25}
"""How Kafka is asked for records: to answer with the first one, or to let some come together."""


class LoopConsumer(driver.AIOKafkaConsumerThread):
    """Faust's consumer thread without the thread: handing the GIL over costs 5-15 %.

    It also keeps heartbeats honest: a process whose loop is stuck leaves the group.
    """

    wait_for_shutdown = False

    def __init__(self, consumer: Any, **more: Any) -> None:
        super().__init__(consumer, thread_loop=asyncio.get_running_loop(), **more)

    async def start(self) -> None:
        """Starts in the loop that it is in."""
        self._thread_started.set()
        await self._default_start()

    async def stop(self) -> None:
        """Stops as any service does."""
        if self._started.is_set():
            await Service.stop(self)

    def _stopped_set(self) -> None:
        self._stopped.set()

    def set_shutdown(self) -> None:
        """Nobody joins a thread that is none."""
        self._shutdown.set()

    async def _stop_children(self) -> None:
        await self._default_stop_children()

    async def _stop_futures(self) -> None:
        await self._default_stop_futures()

    async def _stop_exit_stacks(self) -> None:
        await self._default_stop_exit_stacks()

    async def on_stop(self) -> None:
        """Leaves the group."""
        if self._consumer is not None:
            await self._consumer.stop()

    async def call_thread(self, fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls directly."""
        return await maybe_async(fun(*args, **kwargs))

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        # Upstream crashes the app on any error; a commit that fails is made again soon.
        mine = {tp: offset for tp, offset in offsets.items() if tp in self.assignment()}
        try:
            await self._ensure_consumer().commit(
                {driver.ensure_aiokafka_TP(tp): offset for tp, offset in mine.items()}
            )
        except KafkaError as problem:
            self.log.warning("offsets not committed: %r", problem)
            return False
        return True


class ChunkConsumer(driver.Consumer):
    """Hands on whole fetches and commits what the app's readers allow."""

    def _new_consumer_thread(self) -> LoopConsumer:
        return LoopConsumer(self, loop=self.loop, beacon=self.beacon)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109 (Faust's interface)
        """One message per partition and fetch.

        What arrives while partitions are being moved is dropped: the seek of the next assignment
        brings it again.
        """
        records = await self._fetched(timeout)
        generation = self.app.consumer_generation_id
        for place, found in records.items():
            if (
                self.should_stop
                or not self.flow_active
                or generation != self.app.consumer_generation_id
            ):
                return
            tp = TP(place.topic, place.partition)
            message = self._to_message(tp, found[-1])
            message.value = found
            yield tp, message

    async def _fetched(self, timeout: float) -> Mapping[Any, Any]:  # noqa: ASYNC109 (as above)
        """Upstream, an error of the group's coordination ends this loop, and nobody tells."""
        self._take_note()
        try:
            records, _ = await self._wait_next_records(timeout)
        except (KafkaError, OSError, RuntimeError) as problem:
            if isinstance(problem, self.consumer_stopped_errors) or self.should_stop:
                raise
            self.log.warning("nothing is fetched for now: %r", problem)
            await asyncio.sleep(TROUBLED_S)
            return {}
        if self.app.reads_with.gathers:
            self._ask_for(_GATHERED if records else _AT_ONCE)
        return records or {}

    def _ask_for(self, portions: Mapping[str, int]) -> None:
        """From the next fetch on. While nothing comes, the first record shall not have to wait."""
        fetcher = self._thread._ensure_consumer()._fetcher  # noqa: SLF001 (as above)
        for name, value in portions.items():
            setattr(fetcher, name, value)

    def _take_note(self) -> None:
        """The coordination waits until somebody has taken note of what it met, then tries again."""
        coordinator = self._thread._ensure_consumer()._coordinator  # noqa: SLF001 (as above)
        problem = coordinator._pending_exception  # noqa: SLF001 (as above)
        if problem is not None:
            self.log.warning("the group's coordination met %r", problem)
            with suppress(Exception):
                coordinator.check_errors()

    async def _getmany(self, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109 (Faust's interface)
        wanted = {tp for tp in active_partitions if self.app.has_room(tp.topic)}
        if not wanted:
            await asyncio.sleep(FULL_S)
            return {}
        if len(wanted) < len(active_partitions):
            timeout = FULL_S
        return await super()._getmany(wanted, timeout)

    async def _drain_messages(self, fetcher: Any) -> None:
        deliver: Callable[[Any], Awaitable[None]] = self.callback
        try:
            while not (self._stopped.is_set() or fetcher._stopped.is_set()):  # noqa: SLF001 (Faust's own way to ask)
                self.app.pulse.drained += 1
                async for _, message in self.getmany(timeout=1.0):
                    # Readers take at once, so that this never waits behind a full queue.
                    await deliver(message)
                await asyncio.sleep(0)
        except (*self.consumer_stopped_errors, asyncio.CancelledError):
            if not self.transport.app.should_stop:
                raise

    async def perform_seek(self) -> None:
        """Seeks to where the readers want to start."""
        await super().perform_seek()
        assignment = self.assignment()
        ends = await self.highwaters(*assignment) if assignment else {}
        committed = {tp: self._committed_offset[tp] or 0 for tp in assignment}
        starts = await self.app.starts(
            committed, {TP(tp.topic, tp.partition): end for tp, end in ends.items()}
        )
        for tp, offset in starts.items():
            self._thread.seek(tp, offset)

    def _filter_tps_with_pending_acks(self, topics: Any = None) -> Iterator[TP]:
        del topics
        return iter(self.assignment())

    def _new_offset(self, tp: TP) -> int | None:
        offset: int | None = self.app.committable(tp)
        return offset

    async def _handle_attached(self, commit_offsets: Any) -> None:
        """Nothing is attached to commits."""


class Transport(driver.Transport):
    """Faust's transport with our consumer."""

    Consumer = ChunkConsumer
