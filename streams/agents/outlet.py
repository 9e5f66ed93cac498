"""The outlet: follows the store's timeline and publishes what subscribers may see."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from projections.outgoing import AnotherOutletError, Batch, OutgoingEvents
from projections.store import Store, StoreError
from streams.agents.publication import Published, records_of
from streams.topics import Topics

log = logging.getLogger(__name__)

Send: TypeAlias = Callable[
    [str, bytes, bytes, list[tuple[str, bytes]]], Awaitable[Awaitable[object]]
]
"""`await send(topic, key, value, headers)` hands a record over; what it returns is awaited for
the acknowledgement. Records of one key must keep their order."""

_BATCH = 200
_BUSY_S = 0.05
_IDLE_S = 0.25
_FAILING_S = 3.0
_SLOWER = 1.3


class Outlet:
    """At least once, in the order of the log per partition; the position is kept in the store."""

    def __init__(
        self, store: Store, topics: Topics, send: Send, published: Published | None = None
    ) -> None:
        self._store = store
        self._topics = topics
        self._send = send
        self._published = published or Published()
        self._events = OutgoingEvents(store)
        self._positions: dict[int, int] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until `stop` is set. What `StoreError` says only somebody else can mend.

        A store or a Kafka that fails is waited for; then it goes on from the kept positions.
        """
        pause, longest = _BUSY_S, _IDLE_S
        while not stop.is_set():
            try:
                worked, longest = await self.publish(), _IDLE_S
            except AnotherOutletError:
                self._positions, worked = None, False
            except StoreError:
                raise
            except Exception as problem:  # noqa: BLE001 (each driver has its own; all mean: later)
                log.warning("nothing is published for now: %r", problem)
                self._positions, worked, longest = None, False, _FAILING_S
            pause = _BUSY_S if worked else min(pause * _SLOWER, longest)
            if not worked:
                await _pause(stop, pause)

    async def publish(self) -> bool:
        """Publish what is there, one batch of each partition; whether there was anything.

        Positions move only after every record is acknowledged. `AnotherOutletError`: what was
        published will be published again by the other one.
        """
        batches = await asyncio.to_thread(self._read)
        if not batches:
            return False
        acknowledged = [
            await self._send(topic, key, value, headers)
            for _, batch in sorted(batches.items())
            for outgoing in batch.outgoing
            for topic, key, value, headers in records_of(outgoing, self._topics, self._published)
        ]
        await asyncio.gather(*acknowledged)
        await asyncio.to_thread(self._advance, batches)
        return True

    def lag(self) -> int:
        """Offsets that are applied and not looked at yet, over all partitions."""
        positions = self._events.positions()
        return sum(
            applied - positions.get(partition, -1)
            for partition, applied in self._store.applied().items()
        )

    def _read(self) -> dict[int, Batch]:
        if self._positions is None:
            self._positions = self._events.positions()
        batches: dict[int, Batch] = {}
        for partition, applied in self._store.applied().items():
            position = self._positions.get(partition, -1)
            if applied > position:
                batches[partition] = self._events.batch(partition, position, applied, _BATCH)
        return batches

    def _advance(self, batches: Mapping[int, Batch]) -> None:
        assert self._positions is not None
        known = self._positions
        moves = {p: (known.get(p, -1), batch.upto) for p, batch in batches.items()}
        self._events.advance(moves)
        known.update({partition: end for partition, (_, end) in moves.items()})


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
