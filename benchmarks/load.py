"""The shops of a campaign: new orders and changes, over REST and Kafka, some of them sent twice."""

import asyncio
import json
import random
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from benchmarks.orders import document
from streams.core import ids

CHANGES = ("cancel_subscription", "change_offer", "change_address", "update_subscription")
SHARE_OF_CHANGES = 0.45
SHARE_SENT_TWICE = 0.05
SHARE_OF_CONFLICTS = 0.003
SHARE_OF_GARBAGE = 0.003
SUBSCRIPTIONS = 40
"""So many subscriptions are changed at a time: few enough that their orders have to queue."""
PATIENCE_S = 120.0
PAUSE_S = 0.5
REPEAT_WITHIN_S = 20.0
TENANT = "default"
REPEATED, CONFLICT, TAKEN = frozenset({408, 429, 500, 502, 503, 504}), 409, frozenset({200, 202})


@dataclass
class Sent:
    """What a campaign sent, and what it was told."""

    acknowledged: set[str] = field(default_factory=set)
    unanswered: set[str] = field(default_factory=set)
    conflicts: set[str] = field(default_factory=set)
    garbage: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


class Shops:
    """Sends orders at a steady mean rate until told to stop."""

    def __init__(self, bootstrap: str, api: str | None, dice: random.Random) -> None:
        self.sent = Sent()
        self._bootstrap = bootstrap
        self._api = api
        self._dice = dice
        self._changed: deque[str] = deque(maxlen=SUBSCRIPTIONS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._number = 0
        self._template = document()

    async def run(self, rate: float, seconds: float) -> None:
        """Sends for so many seconds; returns when everything sent is answered or given up."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True
        )
        await self._producer.start()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as self._http:
            due = loop.time()
            while loop.time() < until:
                due += self._dice.expovariate(rate)
                await asyncio.sleep(max(0.0, due - loop.time()))
                self._one()
            while self._tasks:
                await asyncio.wait(self._tasks)
        await self._producer.stop()

    def _one(self) -> None:
        if self._dice.random() < SHARE_OF_GARBAGE:
            self._go(self._garbage())
            return
        order = self._order()
        self._go(self._submit(order))
        if self._dice.random() < SHARE_SENT_TWICE:
            self._go(self._submit(order, self._dice.uniform(0, REPEAT_WITHIN_S)))
        if self._dice.random() < SHARE_OF_CONFLICTS:
            other = {**order, "total": {"currency": "GBP", "amount": 1}}
            self._go(self._contradict(other, self._dice.uniform(0, REPEAT_WITHIN_S)))

    def _go(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _order(self) -> dict[str, Any]:
        self._number += 1
        external_id = f"soak-{self._number:07d}"
        order = {
            **self._template,
            "external_id": external_id,
            "customerDetails": {
                "firstName": "Ada",
                "lastName": f"Byron{self._number}",
                "email": f"ada.{self._number}@example.test",
            },
        }
        if self._changed and self._dice.random() < SHARE_OF_CHANGES:
            order["order_type"] = self._dice.choice(CHANGES)
            order["forSubscription"] = self._dice.choice(self._changed)
            self.sent.counts["changes"] += 1
        else:
            self._changed.append(ids.subscription_reference(TENANT, external_id))
            self.sent.counts["new"] += 1
        return order

    async def _submit(self, order: dict[str, Any], pause: float = 0.0) -> None:
        await asyncio.sleep(pause)
        external_id = str(order["external_id"])
        value = json.dumps(order, separators=(",", ":")).encode()
        way: Callable[[bytes, str], Awaitable[bool]] = self._by_kafka
        if self._api is not None and self._dice.random() < 1 / 2:
            way = self._by_rest
        if await self._patiently(way, value, external_id):
            self.sent.acknowledged.add(external_id)
        else:
            self.sent.unanswered.add(external_id)

    async def _patiently(
        self, way: Callable[[bytes, str], Awaitable[bool]], value: bytes, external_id: str
    ) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while loop.time() < until:
            try:
                if await way(value, external_id):
                    return True
            except (aiohttp.ClientError, TimeoutError, KafkaError, OSError):
                pass
            self.sent.counts["sent again"] += 1
            await asyncio.sleep(PAUSE_S)
        return False

    async def _by_kafka(self, value: bytes, external_id: str) -> bool:
        await self._producer.send_and_wait("orders", value, key=external_id.encode())
        self.sent.counts["acknowledged by kafka"] += 1
        return True

    async def _by_rest(self, value: bytes, external_id: str) -> bool:
        headers = {"content-type": "application/json"}
        async with self._http.post(f"{self._api}/api/order", data=value, headers=headers) as reply:
            answer = await reply.read()
        if reply.status in TAKEN:
            self.sent.counts["acknowledged by rest"] += 1
            return True
        if reply.status == CONFLICT and external_id in self.sent.conflicts:
            return True
        if reply.status not in REPEATED:
            self.sent.refused.append(f"{external_id}: {reply.status} {answer[:300]!r}")
        return False

    async def _contradict(self, order: dict[str, Any], pause: float) -> None:
        """The same `external_id` with another body: one of the two is refused."""
        self.sent.conflicts.add(str(order["external_id"]))
        await self._submit(order, pause)

    async def _garbage(self) -> None:
        value = self._dice.randbytes(self._dice.randrange(1, 200))
        try:
            at = await self._producer.send_and_wait("orders", value)
        except KafkaError:
            return
        self.sent.garbage.add(f"orders/{at.partition}/{at.offset}")
