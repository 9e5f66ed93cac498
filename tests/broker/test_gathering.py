"""Readers that let Kafka gather: fewer, larger portions while records flow, none held back else."""

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

from aiokafka import AIOKafkaProducer

from streams.app import ReaderSettings, build_app
from streams.kafka.reader import Records
from streams.kafka.transport import _AT_ONCE, _GATHERED
from streams.topics import Topics

RECORDS = 60
GATHERED_S = _GATHERED["_fetch_max_wait_ms"] / 1000


class Counting:
    """A reader that keeps what came in which portion."""

    has_room = True

    def __init__(self) -> None:
        self.portions: list[list[int]] = []
        self.placed = asyncio.Event()

    async def assigned(
        self, committed: Mapping[int, int], _ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        self.placed.set()
        return committed

    def revoked(self) -> None:
        """What was read stays counted."""

    def take(self, _partition: int, records: Records) -> None:
        self.portions.append([record.offset for record in records])

    def committable(self, _partition: int) -> int | None:
        return None

    async def has(self, records: int) -> None:
        while sum(map(len, self.portions)) < records:  # noqa: ASYNC110 (nobody tells)
            await asyncio.sleep(0.005)


async def test_records_that_flow_come_in_portions(
    kafka: str, topics: Topics, tmp_path: Path
) -> None:
    reader = Counting()
    settings = ReaderSettings(group=topics.orders, bootstrap=kafka, data=tmp_path, gathers=True)
    app = build_app(settings, {topics.orders: reader})
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    await app.begin(lambda _: None, time.monotonic)
    try:
        async with asyncio.timeout(30):
            await reader.placed.wait()
            began = time.monotonic()
            for _ in range(RECORDS):
                await producer.send_and_wait(topics.orders, b"{}", partition=0)
            await reader.has(RECORDS)
            most = 2 + (time.monotonic() - began) / GATHERED_S
            fetcher = app.consumer._thread._ensure_consumer()._fetcher
            assert fetcher._fetch_min_bytes == _GATHERED["_fetch_min_bytes"]
            # With nothing to gather the next one is asked for as soon as it is there.
            while fetcher._fetch_max_wait_ms != _AT_ONCE["_fetch_max_wait_ms"]:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
            await producer.send_and_wait(topics.orders, b"{}", partition=0)
            await reader.has(RECORDS + 1)
    finally:
        await app.end()
        await producer.stop()
    assert len(reader.portions) - 1 <= most
    assert [offset for portion in reader.portions for offset in portion] == [*range(RECORDS + 1)]
