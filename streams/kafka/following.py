"""Follows a topic of one partition from its beginning, outside any group: for settings."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

AGAIN_S = 1.0
ANSWER_MS = 500

log = logging.getLogger(__name__)


class Following:
    """Hands every value to `take`, oldest first; goes on where it was when Kafka is back."""

    def __init__(
        self,
        topic: str,
        bootstrap: str,
        security: dict[str, Any],
        take: Callable[[bytes | None], None],
    ) -> None:
        self._place = TopicPartition(topic, 0)
        self._options = {"bootstrap_servers": bootstrap, **security}
        self._take = take
        self._position = 0
        self._caught_up = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_caught_up(self) -> bool:
        """Whether all that was there at the beginning has been handed over."""
        return self._caught_up.is_set()

    async def caught_up(self) -> None:
        """Waits until it has caught up."""
        await self._caught_up.wait()

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.create_task(self._follow(), name=f"following-{self._place.topic}")

    async def stop(self) -> None:
        """Ends it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _follow(self) -> None:
        while True:
            try:
                await self._read()
            except (KafkaError, OSError, TimeoutError) as problem:
                log.warning("%s cannot be read: %r", self._place.topic, problem)
            except Exception:
                log.exception("%s is read again", self._place.topic)
            await asyncio.sleep(AGAIN_S)

    async def _read(self) -> None:
        consumer = AIOKafkaConsumer(
            enable_auto_commit=False, auto_offset_reset="earliest", **self._options
        )
        try:
            await consumer.start()
            consumer.assign([self._place])
            consumer.seek(self._place, self._position)
            end = (await consumer.end_offsets([self._place]))[self._place]
            while True:
                if await consumer.position(self._place) >= end:
                    self._caught_up.set()
                found = await consumer.getmany(self._place, timeout_ms=ANSWER_MS)
                for record in found.get(self._place, ()):
                    self._take(record.value)
                    self._position = record.offset + 1
        finally:
            await consumer.stop()
