"""Webhooks at work in a test: everything but Kafka is real, and the receiver checks signatures."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks import Webhook

from projections.snapshots import Snapshots
from projections.store import Store
from projections.vault import Vault
from projections.webhooks.deliveries import Deliveries, DeliveryFilters
from projections.webhooks.queue import DeliveryQueue
from projections.webhooks.standings import Standings
from streams.agents.webhooks.consumer import Inlet, UpdateReader
from streams.agents.webhooks.dispatcher import Dispatcher, Means
from streams.agents.webhooks.egress import guarded_connector
from streams.agents.webhooks.endpoints import EndpointBook
from streams.agents.webhooks.making import Maker
from streams.agents.webhooks.personal import PersonalSections
from streams.agents.webhooks.sender import Sender
from streams.core.sealing import TenantKeys
from streams.core.webhooks.changing import Sealer
from streams.core.webhooks.egress import AllowList
from streams.core.webhooks.endpoint import Deleted, Endpoint, endpoint_bytes
from streams.kafka.admin import Cluster
from waybill.clock import random_bytes

KEYS = {"acme": TenantKeys.derived_from(b"acme" * 8)}
PARTITIONS = 2
PATIENCE_S = 10.0
EXAMPLES = orjson.loads(
    (Path(__file__).parents[1] / "waybill" / "defaults" / "webhook-examples.json").read_bytes()
)


@dataclass(frozen=True)
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]
    timestamp: int


@dataclass
class Request:
    at: float
    message: str
    type: str
    body: dict[str, Any]
    headers: Mapping[str, str]


Answering = Callable[[int], web.Response]
"""From the number of the request at its endpoint, counted from 1."""


class Subscriber:
    """Takes deliveries at /NAME, and answers as it is told to."""

    def __init__(self) -> None:
        self.base = ""
        self.taken: defaultdict[str, list[Request]] = defaultdict(list)
        self.answers: dict[str, Answering] = {}
        self.secrets: dict[str, Webhook] = {}
        self.changed = asyncio.Condition()
        self.delay_s = 0.0
        self.under_way: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        """By endpoint, and by order: how many were under way at once, now and at most."""

    async def hook(self, request: web.Request) -> web.Response:
        name, body = request.match_info["name"], await request.read()
        self.secrets[name].verify(body, dict(request.headers))
        told = request.headers
        self.taken[name].append(
            Request(
                monotonic(),
                told["webhook-id"],
                told["waybill-event-type"],
                orjson.loads(body),
                dict(told),
            )
        )
        async with self.changed:
            self.changed.notify_all()
        await self._linger(name, self.taken[name][-1].body["data"].get("id", ""))
        answer = self.answers.get(name, lambda _: web.Response(text="thanks"))
        return answer(len(self.taken[name]))

    async def _linger(self, *under_way: str) -> None:
        self.under_way.update(under_way)
        self.most |= self.under_way
        await asyncio.sleep(self.delay_s)
        self.under_way.subtract(under_way)

    async def has(self, name: str, count: int) -> list[Request]:
        async with asyncio.timeout(PATIENCE_S), self.changed:
            await self.changed.wait_for(lambda: len(self.taken[name]) >= count)
        return self.taken[name]


@dataclass
class Clock:
    """The real time, and what a test adds to it."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Delivering:
    store: Store
    subscriber: Subscriber
    clock: Clock = field(default_factory=Clock)
    failures: list[BaseException] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.book = EndpointBook(Cluster("127.0.0.1:9"), "webhook-endpoints", KEYS)
        self.api = Deliveries(self.store)
        self.vault = Vault(self.store, KEYS, random_bytes, self.clock)
        self.ends = dict.fromkeys(range(PARTITIONS), 0)
        host = self.subscriber.base.split("//")[1]
        allow = AllowList.parsed(host)
        # Receivers refuse signatures of another day.
        self.sender = Sender(guarded_connector(allow), self.book, Clock(), monotonic)
        queue, writing = DeliveryQueue(self.store), asyncio.Lock()
        personal = PersonalSections(Snapshots(self.store), self.vault)
        self.dispatcher = Dispatcher(
            Means(
                queue=queue,
                standings=Standings(self.store),
                book=self.book,
                sender=self.sender,
                opened=personal.opened,
                writing=writing,
                partitions=PARTITIONS,
                now=self.clock,
                monotonic=monotonic,
                jitter=lambda: 0.5,
            )
        )
        self.reader = UpdateReader(
            Inlet(
                queue=queue,
                maker=Maker(self.book, personal, random_bytes),
                dispatcher=self.dispatcher,
                writing=writing,
                known=_known,
                now=self.clock,
            ),
            self.failures.append,
        )

    async def begin(self) -> None:
        self.dispatcher.start(self.failures.append)
        self.reader.start()
        await self.reader.assigned(dict.fromkeys(self.ends, 0), self.ends)

    async def end(self) -> None:
        await self.dispatcher.stop(2.0)
        await self.sender.close()
        for loop in self.reader._loops:
            loop.cancel()
        assert not self.failures

    def endpoint(self, name: str, **more: Any) -> Endpoint:
        """An endpoint whose deliveries arrive under that name; `secret` and `headers` are its."""
        sealer, now = Sealer(KEYS["acme"], random_bytes), self.clock()
        endpoint_id = f"whe_{name}"
        secret, key = sealer.secret(endpoint_id, "v1", now)
        made = Endpoint(
            id=endpoint_id,
            tenant="acme",
            url=more.pop("url", f"{self.subscriber.base}/{name}"),
            headers=sealer.headers(endpoint_id, (), more.pop("headers", {})),
            secrets=(secret,),
            created=now,
            updated=now,
            **more,
        )
        self.subscriber.secrets[name] = Webhook(key.shown())
        self.put(made)
        return made

    def put(self, record: Endpoint | Deleted) -> None:
        self.book.take(endpoint_bytes(record))

    def change(self, endpoint: Endpoint, **changes: Any) -> Endpoint:
        changed = replace(endpoint, revision=endpoint.revision + 1, **changes)
        self.put(changed)
        return changed

    def publish(self, order: str, *kinds: str) -> None:
        """Updates of an order, as the outlet writes them."""
        for kind in kinds:
            example = EXAMPLES[f"order.{kind}"]["full"]["data"]
            self.write(f"{order}-{kind}", order, kind, {**example, "id": order})

    def write(self, update: str, order: str, kind: str, data: Any) -> None:
        """One record, behind the others of its partition."""
        at, partition = self.clock(), int(order[-1], 16) % PARTITIONS
        headers = {
            "ce_specversion": "1.0",
            "ce_id": update,
            "ce_type": f"waybill.order.{kind}.v1",
            "ce_source": "/tenants/acme",
            "ce_subject": order,
            "ce_time": at.isoformat(),
        }
        named = [(name, text.encode()) for name, text in headers.items()]
        offset, self.ends[partition] = self.ends[partition], self.ends[partition] + 1
        milliseconds = int(at.timestamp() * 1000)
        record = Record(offset, b"k", orjson.dumps(data), named, milliseconds)
        self.reader.take(partition, [record])

    def deliveries(self, **filters: Any) -> list[dict[str, Any]]:
        """Oldest first."""
        found = self.api.listed("acme", DeliveryFilters(**filters), limit=500)["items"]
        return sorted(found, key=lambda one: (one["created"], one["type"]))

    def state(self, endpoint: Endpoint) -> Mapping[str, Any]:
        """What is known of the endpoint."""
        return defaultdict(lambda: None, self.api.states("acme").get(endpoint.id, {}))

    def store_bytes(self) -> bytes:
        """All that lies on the disk."""
        folder = Path(str(self.store.reader.url.database)).parent
        return b"".join(path.read_bytes() for path in folder.glob("store.sqlite*"))

    async def until(self, holds: Callable[[], Any]) -> Any:
        async with asyncio.timeout(PATIENCE_S):
            while not (found := holds()):  # noqa: ASYNC110 (the store tells nobody)
                await asyncio.sleep(0.02)
        return found


async def _known() -> None:
    """All endpoints are there already."""


@asynccontextmanager
async def delivering(folder: Path) -> AsyncIterator[Delivering]:
    """Webhooks on an empty store, and their subscriber."""
    subscriber = Subscriber()
    app = web.Application()
    app.router.add_post("/{name}", subscriber.hook)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    subscriber.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    store = Store.open(f"sqlite:///{folder / 'store.sqlite'}")
    at_work = Delivering(store, subscriber)
    await at_work.begin()
    try:
        yield at_work
    finally:
        await at_work.end()
        await runner.cleanup()
        store.close()
