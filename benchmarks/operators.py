"""The people of a campaign: they retry, resolve, pause, resume and cancel orders at random."""

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from sqlalchemy import func, select

from benchmarks.audit_sources import statuses
from projections.store import Store

CHOICES: Mapping[str, tuple[str, ...]] = {
    "in_doubt": ("resolve", "resolve", "resolve", "retry", "skip"),
    "failed": ("retry", "retry", "retry", "cancel"),
    "paused": ("resume",),
    "waiting": ("retry", "pause", "cancel"),
    "processing": ("pause",),
    "queued": ("pause",),
}
"""What is asked of orders of each status."""
WEIGHTS = {"in_doubt": 10, "failed": 3, "paused": 6, "waiting": 1, "processing": 1, "queued": 1}
PAUSE_S = 0.5
SENT_TWICE = 0.1
NOT_AGAIN_S = 20.0
AT_ONCE = 50
TAKEN, TROUBLE = frozenset({200, 202}), 500


@dataclass
class Operators:
    """Acts on orders over REST and Kafka. `accepted` are the ids of commands that were taken."""

    api: str
    bootstrap: str
    store: Store
    dice: random.Random
    counts: Counter[str] = field(default_factory=Counter)
    accepted: set[str] = field(default_factory=set)
    _number: int = 0
    _lately: dict[str, float] = field(default_factory=dict)

    def statuses(self) -> dict[str, int]:
        """How many orders there are of each status."""
        return statuses(self.store)

    async def run(self, seconds: float) -> None:
        """Acts for so many seconds."""
        until = time.monotonic() + seconds
        await self._open()
        while time.monotonic() < until:
            await asyncio.sleep(PAUSE_S)
            status = self.dice.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
            found = await asyncio.to_thread(self._orders, status, 1)
            for order_id in found:
                await self._act(order_id, self.dice.choice(CHOICES[status]))

    async def tidy_up(self) -> None:
        """Lets go what only waits for people."""
        for status, command in (("paused", "resume"), ("in_doubt", "resolve")):
            for order_id in await asyncio.to_thread(self._orders, status, AT_ONCE):
                if self._lately.get(order_id, 0.0) < time.monotonic() - NOT_AGAIN_S:
                    self._lately[order_id] = time.monotonic()
                    await self._act(order_id, command)

    async def close(self) -> None:
        """Goes home."""
        await self._http.close()
        await self._producer.stop()

    async def _open(self) -> None:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10))
        self._producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, acks="all")
        await self._producer.start()

    def _orders(self, status: str, most: int) -> list[str]:
        with self.store.reading() as (connection, tables):
            columns = tables.orders.c
            query = select(columns.id).where(columns.status == status)
            rows = connection.execute(query.order_by(func.random()).limit(most))
            return [row.id for row in rows]

    async def _act(self, order_id: str, command: str) -> None:
        self._number += 1
        body: dict[str, Any] = {
            "id": f"soak-command-{self._number}",
            "command": command,
            "reason": "as the campaign's dice fell",
        }
        if command == "resolve":
            body["output"] = {"made": "by hand"}
        for _ in range(2 if self.dice.random() < SENT_TWICE else 1):
            way = self._by_rest if self.dice.random() < 2 / 3 else self._by_kafka
            try:
                taken = await way(order_id, body)
            except (aiohttp.ClientError, TimeoutError, KafkaError, OSError):
                self.counts["unanswered"] += 1
                continue
            self.counts[command if taken else f"{command} refused"] += 1
            if taken:
                self.accepted.add(body["id"])

    async def _by_rest(self, order_id: str, body: Mapping[str, Any]) -> bool:
        url = f"{self.api}/api/orders/{order_id}/commands"
        async with self._http.post(url, json=body) as reply:
            answer = await reply.read()
        if reply.status >= TROUBLE:
            raise aiohttp.ClientError(answer[:300])
        return reply.status in TAKEN

    async def _by_kafka(self, order_id: str, body: Mapping[str, Any]) -> bool:
        value = json.dumps({**body, "order": order_id}).encode()
        await self._producer.send_and_wait("order-commands", value, key=order_id.encode())
        return True
