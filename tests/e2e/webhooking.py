"""APIs in this process, on a real Kafka and a real store: as many as a test of webhooks needs."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, TypeAlias

import pytest
from aiohttp import ThreadedResolver
from aiohttp.test_utils import TestClient, TestServer

from projections.webhooks.deliveries import Deliveries
from streams.agents.webhooks.endpoints import EndpointBook
from streams.core.webhooks.egress import AllowList
from streams.kafka.admin import Cluster
from streams.topics import Topics
from tests.unit.api.conftest import NOW, World, assigned
from waybill.api import build_api
from waybill.api.app import Addition
from waybill.api.producing import KafkaProducing
from waybill.api.webhook_services import WebhookServices

BODY = {"url": "http://127.0.0.1:8490/hooks", "events": ["order.*"]}
PATH = "/api/webhook-endpoints"
ALLOW = AllowList.parsed("127.0.0.1:8490")

Client: TypeAlias = TestClient[Any, Any]


@dataclass
class Api:
    """One process's worth of API."""

    client: Client
    book: EndpointBook

    async def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.client.request(method, path, json=body, headers=named)
        answer = await response.json()
        if "ETag" in response.headers:
            assert response.headers["ETag"] == f'"{answer["revision"]}"'
        return response.status, answer

    async def made(self, body: Any = BODY, **headers: str) -> dict[str, Any]:
        status, answer = await self.ask("POST", PATH, body, **headers)
        assert status == 201, answer
        return answer

    async def reads(self, endpoint: str) -> None:
        """Waits until this API knows what another one wrote."""
        for _ in range(1000):
            if self.book.get(endpoint) is not None:
                return
            await asyncio.sleep(0.01)
        pytest.fail("the endpoint is not read")


@dataclass
class Apis:
    """Starts APIs; all of a test share the store and the topics."""

    cluster: Cluster
    topics: Topics
    world: World
    stack: AsyncExitStack

    async def start(
        self, add: Addition | None = None, now: Callable[[], datetime] = lambda: NOW
    ) -> Api:
        """One that has read all endpoints; `add` puts more beside it."""
        book = EndpointBook(self.cluster, self.topics.webhook_endpoints, self.world.tenant_keys)
        producing = KafkaProducing(self.cluster, self.topics)
        services = replace(
            self.world.services(self.topics),
            now=now,
            kafka=producing,
            webhooks=WebhookServices(
                endpoints=book,
                deliveries=Deliveries(self.world.store),
                allow=ALLOW,
                resolver=ThreadedResolver(),
                keys=self.world.tenant_keys,
            ),
        )
        producing.start()
        book.start()
        client = TestClient(TestServer(build_api(services, add)))
        await client.start_server()
        for closing in (producing.close, book.close, client.close):
            self.stack.push_async_callback(closing)
        await book.caught_up()
        return Api(client, book)


@asynccontextmanager
async def webhook_apis(kafka: str, topics: Topics, database_url: str) -> AsyncIterator[Apis]:
    """None of them started yet."""
    world = World(database_url)
    assigned(world.store)
    async with AsyncExitStack() as stack:
        yield Apis(Cluster(kafka), topics, world, stack)
    world.store.close()
