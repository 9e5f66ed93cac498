"""The API over a real store that the real projector fills; only Kafka is stood in for."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from aiohttp import ThreadedResolver
from aiohttp.test_utils import TestClient, TestServer

from plugins.registry import Registry
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from projections.audit import Audit
from projections.config_versions import ConfigVersions
from projections.order_book import OrderBook
from projections.replaying import Replaying
from projections.store import Store
from projections.vault import Vault
from projections.webhooks.deliveries import Deliveries
from projections.writing import Record
from schemas.codec import encode
from schemas.configuration import Configuration
from schemas.connections import Connections
from schemas.envelope import Envelope
from schemas.events import Event, Fact
from schemas.steps import OnUnknown
from streams.agents.previewing import Foreseen, UnforeseenError
from streams.agents.projector import Projector
from streams.agents.webhooks.endpoints import EndpointBook
from streams.core import ids
from streams.core.commanding import Commanding
from streams.core.config_versions import FROM_FILE, Version
from streams.core.intake import Intake, Prepared, Submission, acceptance
from streams.core.sealing import TenantKeys
from streams.core.sequence import PluginFacts, Sequencer
from streams.core.webhooks.egress import AllowList
from streams.kafka.admin import Cluster
from streams.kafka.lag import LagUnknownError, Standing, TopicReader
from streams.topics import Topics
from waybill.api import ApiServices, build_api
from waybill.api.auth import ApiKey, Gate
from waybill.api.checking import CommandChecks
from waybill.api.configuring import version_setting
from waybill.api.partners import PartnerSecrets
from waybill.api.producing import KafkaUnavailableError, Outgoing
from waybill.api.sessions import Sessions
from waybill.api.settings_topics import KeyedTopic
from waybill.api.store import StoreReading
from waybill.api.webhook_services import WebhookServices
from waybill.clock import monotonic, random_bytes
from waybill.configuring.book import ConfigurationBook
from waybill.configuring.drafts import Drafting
from waybill.configuring.replays import Replays
from waybill.connection_checks import ConnectionChecker
from waybill.console import add_console
from waybill.partner_connections import PartnerConnections
from waybill.rejected_pages import RejectedRecords

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
TENANTS = ("default", "acme", "other")
REGISTRY = Registry.found()
PARTITION = 3
TLS = httpx.create_ssl_context(trust_env=False)


def _facts(name: str) -> PluginFacts:
    return PluginFacts(name=name, service=name, on_unknown=OnUnknown.REPEAT, connection=None)


CONFIGURATION = Configuration.model_validate(
    {"version": 7, "sequence": [{"name": "salesforceV3"}, {"name": "zuora"}]}
)


@dataclass
class Orders:
    """Stands in for Kafka's topic `orders`."""

    records: list[Outgoing] = field(default_factory=list)
    reachable: bool = True
    end: Mapping[int, int] = field(default_factory=dict)
    then: Callable[[Outgoing], Awaitable[None]] | None = None

    async def send(self, record: Outgoing) -> None:
        if not self.reachable:
            raise KafkaUnavailableError(sent=False)
        self.records.append(record)
        if self.then is not None:
            await self.then(record)

    async def answers(self) -> bool:
        return self.reachable

    async def log_end(self) -> Mapping[int, int]:
        return self.end


@dataclass
class Controls:
    """Stands in for what is read of `stage-controls`."""

    known: bool = True
    held: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)

    def holds(self, tenant: str) -> Mapping[str, Mapping[str, str]]:
        return self.held.get(tenant, {})


@dataclass
class Lags:
    """Stands in for Kafka where it is asked how far its readers are."""

    answers: dict[str, list[Standing]] = field(default_factory=dict)
    asked: list[TopicReader] = field(default_factory=list)
    reachable: bool = True

    async def look(self, readers: Sequence[TopicReader]) -> dict[str, list[Standing]]:
        if not self.reachable:
            raise LagUnknownError("TimeoutError")
        self.asked = list(readers)
        return {reader.name: self.answers.get(reader.name, []) for reader in readers}


def ticking() -> Callable[[], datetime]:
    """A clock that gives no moment twice, for what is told in the order in which it came."""
    ticks = count()
    return lambda: NOW + timedelta(microseconds=next(ticks))


class World:
    """The log of one partition, its projector, and what an API needs."""

    def __init__(self, url: str) -> None:
        self.store = Store.open(url)
        self.orders = Orders()
        self.keys: list[ApiKey] | None = None
        self.now = NOW
        self.tenant_keys = {t: TenantKeys.derived_from(t.encode() * 8) for t in TENANTS}
        self.intake = Intake(
            {t: Sequencer(CONFIGURATION, _plugins()) for t in TENANTS},
            self.tenant_keys,
            lambda *_: None,
        )
        self.vault = Vault(self.store, self.tenant_keys, random_bytes, lambda: NOW)
        self.checks = CommandChecks(
            Commanding(self.intake, lambda plugin: ("iban",) if plugin == "zuora" else ()),
            lambda *_: None,
            OrderBook(self.store),
            self.vault,
        )
        self.registry = REGISTRY
        self.connections = partner_connections({}, self.registry, {})
        self.configurations = ConfigurationBook(
            {tenant: _in_file(tenant) for tenant in ("default", "acme")},
            Drafting(self.registry, Connections({})),
            ConfigVersions(self.store),
            lambda: NOW,
        )
        self.configurations.writes(KeyedTopic(self.orders, "processing-configs", version_setting))
        self.controls = Controls()
        self.lags = Lags()
        cluster = Cluster("127.0.0.1:9")
        self.rejected = RejectedRecords(cluster, "orders-rejected", self.tenant_keys)
        self.endpoints = EndpointBook(cluster, "webhook-endpoints", self.tenant_keys)
        self.partners = PartnerSecrets(Connections({}), SecretValues({}))
        self.foreseen: list[Foreseen] | UnforeseenError = []
        self._projector: Projector | None = None
        self.partition = PARTITION
        self.offsets = {PARTITION: -1, PARTITION + 1: -1}

    def services(self, topics: Topics | None = None) -> ApiServices:
        return ApiServices(
            reading=StoreReading(self.store),
            prepare=self.intake.prepare,
            previewing=self._foretell,
            checks=self.checks,
            controls=self.controls,
            webhooks=WebhookServices(
                endpoints=self.endpoints,
                deliveries=Deliveries(self.store),
                allow=AllowList(),
                resolver=ThreadedResolver(),
                keys=self.tenant_keys,
            ),
            plugins=("salesforceV3", "zuora"),
            registry=self.registry,
            connections=self.connections,
            kafka=self.orders,
            rejected=self.rejected,
            audit=Audit(self.store),
            lags=self.lags,
            configurations=self.configurations,
            replays=Replays(Replaying(self.store), self.vault, self.intake.examine),
            gate=Gate(
                self.keys,
                lambda: self.now,
                self.partners,
                Sessions(self.tenant_keys, lambda: self.now, random_bytes),
            ),
            topics=topics or Topics(),
            now=lambda: NOW,
            monotonic=monotonic,
            random_bytes=random_bytes,
        )

    async def _foretell(self, prepared: Prepared) -> list[Foreseen]:
        assert prepared.resolution.waybill
        if isinstance(self.foreseen, UnforeseenError):
            raise self.foreseen
        return self.foreseen

    def prepared(self, document: Mapping[str, Any], tenant: str = "default") -> Prepared:
        value = orjson.dumps(document)
        return self.intake.prepare(
            Submission(tenant=tenant, value=value, identity="i", actor="test", origin="orders/0/0")
        )

    def accept(self, document: Mapping[str, Any], tenant: str = "default") -> Prepared:
        """The order as the worker takes it, in the store at once."""
        prepared = self.prepared(document, tenant)
        key = self.vault.made(tenant, [prepared.subject])[prepared.subject]
        self.apply(acceptance(prepared, key, random_bytes(12), NOW))
        return prepared

    def go_on(self, prepared: Prepared, *facts: Fact) -> None:
        """What becomes of the order."""
        for fact in facts:
            envelope = Envelope(
                event_id=ids.event_id(prepared.order_id, 1, fact),
                tenant=prepared.submission.tenant,
                lane=prepared.lane,
                order_id=prepared.order_id,
                run=1,
                occurred_at=NOW,
                actor="worker",
            )
            self.apply(Event(envelope, fact))

    def apply(self, event: Event) -> None:
        if self._projector is None:
            self._projector = assigned(self.store)
        self.offsets[self.partition] += 1
        record = Record(self.offsets[self.partition], encode(event))
        self._projector.apply(self.partition, [record])


def assigned(store: Store) -> Projector:
    """A projector of two partitions; nothing is in them yet."""
    projector = Projector(store)
    projector.assign([PARTITION, PARTITION + 1])
    return projector


def partner_connections(
    found: Mapping[str, Any], registry: Registry, environment: Mapping[str, str]
) -> PartnerConnections:
    """What the API checks, with secrets in an environment of its own."""
    transport, secrets = Transport.over_aiohttp(TLS), SecretValues(environment)
    checker = ConnectionChecker(transport, secrets, lambda: NOW, monotonic, TLS)
    return PartnerConnections(Connections.model_validate(found), registry, checker)


def _in_file(tenant: str) -> Version:
    document = CONFIGURATION.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Version(
        tenant=tenant,
        version=CONFIGURATION.version,
        base=None,
        author=FROM_FILE,
        reason="as written",
        at=NOW,
        document=document,
    )


def _plugins() -> dict[str, PluginFacts]:
    return {name: _facts(name) for name in ("salesforceV3", "zuora")}


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SQLite's file with all tables, to be copied: making them takes longer than most tests."""
    path = tmp_path_factory.mktemp("empty") / "waybill.sqlite"
    store = Store.open(f"sqlite:///{path}")
    assigned(store)
    store.close()
    return path


@pytest.fixture
def world(empty_store: Path, tmp_path: Path) -> Iterator[World]:
    """Over SQLite."""
    made = World(f"sqlite:///{shutil.copy(empty_store, tmp_path)}")
    yield made
    made.store.close()


@pytest.fixture
def world_on_each(database_url: str) -> Iterator[World]:
    """Over SQLite and over PostgreSQL."""
    made = World(database_url)
    assigned(made.store)
    yield made
    made.store.close()


@pytest.fixture
async def connect(world: World) -> AsyncIterator[Callable[..., Awaitable[TestClient[Any, Any]]]]:
    """Starts the API; keys and topics as the world has them by then."""
    clients: list[TestClient[Any, Any]] = []

    async def start(topics: Topics | None = None) -> TestClient[Any, Any]:
        client = TestClient(TestServer(build_api(world.services(topics), add_console)))
        await client.start_server()
        clients.append(client)
        return client

    yield start
    for client in clients:
        await client.close()


@pytest.fixture
async def client(
    connect: Callable[..., Awaitable[TestClient[Any, Any]]],
) -> TestClient[Any, Any]:
    """The API without keys, asked from this machine."""
    return await connect()
