"""Puts the processes together: worker, projector, outlet, rebuild. The composition root."""

import asyncio
import logging
import os
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from plugins.perform import Performer
from plugins.registry import Registry
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from projections.snapshots import Snapshots
from projections.store import Birth, Store
from projections.vault import Vault
from schemas.codec import Memo
from streams.agents.intake import Desk, IntakeAgent
from streams.agents.journal import Journal
from streams.agents.keyring import KeyRing
from streams.agents.orchestrator import Means, Orchestrator
from streams.agents.projecting import ProjectingReader
from streams.agents.projector import Projector
from streams.agents.rejections import Rejections
from streams.agents.stages import Equipment, Stages
from streams.app import SESSION_S, ReaderSettings, build_app
from streams.core.intake import Intake
from streams.core.sealing import TenantKeys
from streams.core.sequence import Sequencer
from streams.kafka.admin import Cluster, check_topics
from streams.kafka.security import faust_credentials
from streams.kafka.writer import LogWriter, producer_factory
from streams.topics import PARTITIONER, Topics
from waybill import clock
from waybill.configuration import (
    connection_of,
    load_configurations,
    load_connections,
    plugin_facts,
)
from waybill.keys import load_keys
from waybill.running import Ending, run, settle_memory
from waybill.serving import serve_probes
from waybill.settings import Settings

log = logging.getLogger(__name__)

WORKERS = "waybill-worker"
PROJECTORS = "waybill-projector"
DRAIN_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What every process of the write side needs."""

    settings: Settings
    topics: Topics
    store: Store
    keys: Mapping[str, TenantKeys]
    vault: Vault


def process_name() -> str:
    """Names this process among all workers, across restarts and machines."""
    return f"{socket.gethostname()}-{os.getpid()}-{clock.random_bytes(3).hex()}"


def run_worker(settings: Settings) -> int:
    """Intake, orchestrator and stages, until a signal."""
    return run(lambda ending: _worker(settings, ending))


def run_projector(settings: Settings) -> int:
    """From the log to the views, until a signal."""
    return run(lambda ending: _projector(settings, ending))


def cluster(settings: Settings) -> Cluster:
    """The Kafka of the settings."""
    assert settings.kafka is not None, "processes are started with WAYBILL_KAFKA"
    return Cluster(settings.kafka, settings.kafka_security)


def open_core(settings: Settings) -> Core:
    """The store with its vault; refuses keys that do not open what the store holds."""
    store = Store.open(settings.database)
    keys = load_keys(settings.keys, create=settings.keys == settings.data / "keys.json")
    vault = Vault(store, keys, clock.random_bytes, clock.utc_now)
    vault.check()
    return Core(
        settings=settings,
        topics=Topics(settings.topic_prefix),
        store=store,
        keys=keys,
        vault=vault,
    )


async def checked_topics(core: Core) -> None:
    """Refuses topics that would lose or part orders; records how `order-events` was made."""
    report = await check_topics(cluster(core.settings), core.topics)
    for finding in report.refusals:
        raise RuntimeError(f"{finding.message}. {finding.remedy}. [{finding.code}]")
    events = report.facts[core.topics.order_events]
    await asyncio.to_thread(core.store.certify, Birth(events.partitions, PARTITIONER))


def reader_settings(core: Core, group: str) -> ReaderSettings:
    """How the process takes part in its group."""
    settings = core.settings
    return ReaderSettings(
        group=f"{settings.topic_prefix}{group}",
        bootstrap=cluster(settings).bootstrap,
        data=Path(tempfile.mkdtemp(prefix="waybill-faust-")),
        credentials=faust_credentials(settings.kafka_security),
    )


async def _worker(settings: Settings, ending: Ending) -> None:
    core = open_core(settings)
    await checked_topics(core)
    name = process_name()
    writer = LogWriter(
        producer_factory(
            cluster(settings).bootstrap, name, settings.kafka_security.client_options()
        )
    )
    await writer.start()
    transport = Transport.over_aiohttp()
    orchestrator, intake = _agents(core, name, writer, transport, ending)
    topics = core.topics
    app = build_app(
        reader_settings(core, WORKERS),
        {topics.orders: intake, topics.order_events: orchestrator},
    )
    probes = await serve_probes(settings.metrics, lambda: orchestrator.ready)
    orchestrator.start()
    intake.start()
    app.finalize()
    await app.start()
    settle_memory()
    log.info("worker %s started", name)
    await ending.wait()
    await orchestrator.drain(DRAIN_S)
    await writer.stop()
    await app.stop()
    await transport.aclose()
    if probes is not None:
        await probes.cleanup()
    core.store.close()


def _agents(
    core: Core, name: str, writer: LogWriter, transport: Transport, ending: Ending
) -> tuple[Orchestrator, IntakeAgent]:
    settings, topics = core.settings, core.topics
    registry = Registry.found()
    connections = load_connections(settings)
    ring = KeyRing(core.vault)
    journal = Journal(
        worker=name, topic=topics.order_events, writer=writer, memo=Memo(), now=clock.utc_now
    )
    rejections = Rejections(
        topic=topics.orders_rejected,
        writer=writer,
        keys=core.keys,
        ring=ring,
        random_bytes=clock.random_bytes,
    )
    performer = Performer(transport, SecretValues(os.environ), clock.utc_now, clock.monotonic)
    stages = Stages(
        Equipment(
            registry=registry,
            performer=performer,
            connections=connections,
            keys=ring,
            now=clock.utc_now,
            monotonic=clock.monotonic,
            random_bytes=clock.random_bytes,
            jitter=clock.jitter,
            session_s=SESSION_S,
        )
    )
    orchestrator = Orchestrator(
        Means(
            journal=journal,
            snapshots=Snapshots(core.store),
            perform=stages,
            reject=rejections.contradiction,
            monotonic=clock.monotonic,
            fatal=ending.fatal,
        )
    )
    intake = IntakeAgent(
        Desk(
            topic=topics.orders,
            intake=taking(core, registry),
            journal=journal,
            rejections=rejections,
            ring=ring,
            now=clock.utc_now,
            random_bytes=clock.random_bytes,
            held=lambda: orchestrator.held,
            fatal=ending.fatal,
        )
    )
    return orchestrator, intake


def taking(core: Core, registry: Registry) -> Intake:
    """The rules by which orders are taken, under the configurations and keys in use."""
    plugins = plugin_facts(registry)
    configurations = load_configurations(core.settings, registry)
    connections = load_connections(core.settings)
    return Intake(
        {name: Sequencer(found, plugins) for name, found in configurations.items()},
        core.keys,
        lambda tenant, mode, wanted: connections.find(tenant, mode, wanted) is not None,
        lambda plugin: connection_of(registry, plugin),
    )


async def _projector(settings: Settings, ending: Ending) -> None:
    core = open_core(settings)
    await checked_topics(core)
    reader = ProjectingReader(Projector(core.store), ending.fatal)
    app = build_app(reader_settings(core, PROJECTORS), {core.topics.order_events: reader})
    probes = await serve_probes(settings.metrics, lambda: reader.ready)
    reader.start()
    app.finalize()
    await app.start()
    settle_memory()
    log.info("projector started")
    await ending.wait()
    await app.stop()
    if probes is not None:
        await probes.cleanup()
    core.store.close()
