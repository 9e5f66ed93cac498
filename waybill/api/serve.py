"""The process `waybill api`: puts the API together and serves it until it is told to stop."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from aiohttp import web

from plugins.addressing import Addressing
from plugins.perform import Performer
from plugins.registry import Registry
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from projections.audit import Audit
from projections.order_book import OrderBook
from projections.replaying import Replaying
from projections.store import Store
from projections.vault import Vault
from projections.webhooks.deliveries import Deliveries
from streams.agents.fate import guarded
from streams.agents.previewing import Previewing
from streams.agents.webhooks.endpoints import EndpointBook
from streams.agents.webhooks.names import Names
from streams.core.intake import Intake
from streams.core.sealing import TenantKeys
from streams.kafka.admin import Cluster
from streams.kafka.lag import LagProbe
from streams.topics import Topics
from waybill import clock, rules
from waybill.api.app import Addition, build_api
from waybill.api.auth import ApiKey, ApiKeysError, Gate, load_api_keys
from waybill.api.call import ApiServices
from waybill.api.checking import CommandChecks
from waybill.api.configuring import version_setting
from waybill.api.controls import FollowedControls
from waybill.api.key_keeping import keep_keys
from waybill.api.partners import PartnerSecrets
from waybill.api.producing import KafkaProducing
from waybill.api.sessions import Sessions
from waybill.api.settings_topics import KeyedTopic, keep_settled
from waybill.api.store import StoreReading
from waybill.api.webhook_services import WebhookServices
from waybill.api.webhook_writing import endpoints_topic
from waybill.configuration import load_connections
from waybill.configuring.book import ConfigurationBook
from waybill.configuring.keeping import ConfigurationKeeping
from waybill.configuring.replays import Replays
from waybill.connection_checks import ConnectionChecker
from waybill.core import once_there
from waybill.egress import allow_list
from waybill.embedded.broker import running_bootstrap
from waybill.keys import load_keys
from waybill.partner_connections import PartnerConnections
from waybill.rejected_pages import RejectedRecords
from waybill.running import REFUSALS, REFUSED, Ending, run
from waybill.settings import Settings, SettingsError

_SETTLER = "waybill"
"""Who writes once more what holds."""

log = logging.getLogger(__name__)

PREVIEW_SHARE = 0.1
"""Previews may use so much of what a connection allows, beside what the workers use."""

LONGEST_LINE = 1 << 16
"""Bytes of a path with its query: what is too long is refused by name, not by the parser."""

STOP_S = 4.0
"""Seconds that open requests get when the process is told to stop."""


def run_api(settings: Settings, add: Addition | None = None) -> int:
    """Serves until SIGTERM or SIGINT; the exit code.

    What is refused (settings, keys, configuration, the store's shape) ends it with `REFUSED`; a
    database that is not there yet is waited for, and so is a Kafka, of which /readyz tells.
    """
    try:
        settings.check_exposure()
        opening = once_there(
            "the database", lambda: asyncio.to_thread(Store.open, settings.database)
        )
        store = asyncio.run(opening)
        parts = _parts(settings, store)
    except (*REFUSALS, ApiKeysError) as problem:
        log.error("refused: %s", problem)  # noqa: TRY400 (the message is the whole story)
        return REFUSED
    try:
        if parts.api_keys is not None:
            keep_keys(parts.audit, parts.api_keys, clock.utc_now())
        return run(lambda ending: _serve(settings, parts, add, ending))
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class _Parts:
    """What can be put together without an event loop."""

    cluster: Cluster
    topics: Topics
    lags: LagProbe
    api_keys: tuple[ApiKey, ...] | None
    gate: Gate
    intake: Intake
    checks: CommandChecks
    registry: Registry
    transport: Transport
    connections: PartnerConnections
    reading: StoreReading
    configurations: ConfigurationBook
    replays: Replays
    addressing: Addressing
    secrets: SecretValues
    deliveries: Deliveries
    rejected: RejectedRecords
    audit: Audit
    tenant_keys: Mapping[str, TenantKeys]


def _parts(settings: Settings, store: Store) -> _Parts:
    registry = Registry.found()
    tenant_keys = load_keys(settings.keys, create=settings.keys_are_ours)
    addressing = rules.addressing(settings, registry)
    configurations = rules.configurations(settings, registry, store)
    taking = rules.intake(configurations, tenant_keys, addressing)
    vault = Vault(store, tenant_keys, clock.random_bytes, clock.utc_now)
    secrets, transport = SecretValues(os.environ), Transport.over_aiohttp()
    connections = load_connections(settings)
    checker = ConnectionChecker(transport, secrets, clock.utc_now, clock.monotonic)
    cluster, topics = _cluster(settings), Topics(settings.topic_prefix)
    api_keys = None if settings.api_keys is None else load_api_keys(settings.api_keys)
    sessions = Sessions(tenant_keys, clock.utc_now, clock.random_bytes)
    return _Parts(
        cluster=cluster,
        lags=LagProbe(cluster),
        topics=topics,
        api_keys=api_keys,
        gate=Gate(api_keys, clock.utc_now, PartnerSecrets(connections, secrets), sessions),
        intake=taking,
        checks=CommandChecks(
            rules.commanding(taking, registry),
            configurations.pinned,
            OrderBook(store),
            vault,
        ),
        registry=registry,
        transport=transport,
        connections=PartnerConnections(connections, registry, checker),
        reading=StoreReading(store),
        configurations=configurations,
        replays=Replays(Replaying(store), vault, taking.examine),
        addressing=addressing,
        secrets=secrets,
        deliveries=Deliveries(store),
        rejected=RejectedRecords(cluster, topics.orders_rejected, tenant_keys),
        audit=Audit(store),
        tenant_keys=tenant_keys,
    )


def _cluster(settings: Settings) -> Cluster:
    bootstrap = settings.kafka or running_bootstrap(settings.data)
    if bootstrap is None:
        raise SettingsError(
            "setting_missing",
            "WAYBILL_KAFKA",
            "there is no Kafka to write orders to",
            "Set it to host:port, or run `waybill up`, which brings one",
        )
    return Cluster(bootstrap, settings.kafka_security, embedded=settings.kafka is None)


async def _serve(settings: Settings, parts: _Parts, add: Addition | None, ending: Ending) -> None:
    kafka = KafkaProducing(parts.cluster, parts.topics)
    performer = Performer(parts.transport, parts.secrets, clock.utc_now, clock.monotonic)
    performer.stages.share(PREVIEW_SHARE)
    controls = FollowedControls(
        parts.cluster, parts.topics.stage_controls, performer.stages, parts.audit
    )
    webhooks = _webhooks(settings, parts)
    previewing = Previewing(parts.addressing, performer, clock.utc_now, clock.monotonic)
    kafka.start()
    controls.start()
    webhooks.endpoints.start()
    try:
        services = _services(parts, kafka, controls, previewing, webhooks)
        async with (
            ConfigurationKeeping(
                parts.configurations,
                parts.cluster,
                parts.topics.processing_configs,
                ending.fatal,
            ),
            _settled(parts, kafka, webhooks.endpoints, ending),
            _listening(settings, build_api(services, add)),
        ):
            ending.begun()
            log.info("the API listens at %s", settings.http.url)
            await ending.wait()
    finally:
        await asyncio.gather(parts.lags.close(), parts.rejected.close())
        await controls.close()
        await webhooks.endpoints.close()
        await webhooks.resolver.close()
        await kafka.close()
        await parts.transport.aclose()


@asynccontextmanager
async def _settled(
    parts: _Parts, kafka: KafkaProducing, endpoints: EndpointBook, ending: Ending
) -> AsyncIterator[None]:
    """Writes settings, and keeps what holds last on their topics."""
    parts.configurations.writes(KeyedTopic(kafka, parts.topics.processing_configs, version_setting))
    topic = endpoints_topic(kafka, parts.topics, _SETTLER)
    books = (parts.configurations.settle, lambda: endpoints.settle(topic))
    settling = guarded(keep_settled(books), ending.fatal)
    try:
        yield
    finally:
        settling.cancel()


def _webhooks(settings: Settings, parts: _Parts) -> WebhookServices:
    ours = replace(settings, kafka=parts.cluster.bootstrap)
    return WebhookServices(
        endpoints=EndpointBook(parts.cluster, parts.topics.webhook_endpoints, parts.tenant_keys),
        deliveries=parts.deliveries,
        allow=allow_list(ours),
        resolver=Names(),
        keys=parts.tenant_keys,
    )


def _services(
    parts: _Parts,
    kafka: KafkaProducing,
    controls: FollowedControls,
    previewing: Previewing,
    webhooks: WebhookServices,
) -> ApiServices:
    return ApiServices(
        reading=parts.reading,
        prepare=parts.intake.prepare,
        previewing=previewing,
        checks=parts.checks,
        controls=controls,
        webhooks=webhooks,
        plugins=parts.registry.names(),
        registry=parts.registry,
        connections=parts.connections,
        kafka=kafka,
        rejected=parts.rejected,
        audit=parts.audit,
        lags=parts.lags,
        configurations=parts.configurations,
        replays=parts.replays,
        gate=parts.gate,
        topics=parts.topics,
        now=clock.utc_now,
        monotonic=clock.monotonic,
        random_bytes=clock.random_bytes,
    )


@asynccontextmanager
async def _listening(settings: Settings, app: web.Application) -> AsyncIterator[None]:
    runner = web.AppRunner(
        app,
        access_log=None,
        handle_signals=False,
        shutdown_timeout=STOP_S,
        max_line_size=LONGEST_LINE,
    )
    try:
        await runner.setup()
        await web.TCPSite(runner, settings.http.host, settings.http.port).start()
        yield
    finally:
        await runner.cleanup()
