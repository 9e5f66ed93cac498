"""What every process of the write side opens first: store, keys, topics, Kafka."""

import asyncio
import logging
import os
import socket
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from aiokafka.errors import KafkaError
from sqlalchemy.exc import SQLAlchemyError

from projections.store import Birth, Store, StoreError
from projections.vault import Vault
from streams.app import ReaderSettings
from streams.core.sealing import TenantKeys
from streams.kafka.admin import Cluster, check_topics
from streams.kafka.security import faust_credentials
from streams.kafka.writer import LogWriter, producer_factory
from streams.topics import PARTITIONER, Topics
from waybill import clock
from waybill.keys import load_keys
from waybill.settings import Settings

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The parts that processes share. `name` tells this process from all others."""

    name: str
    settings: Settings
    cluster: Cluster
    topics: Topics
    store: Store
    keys: Mapping[str, TenantKeys]
    vault: Vault

    def writer(self) -> LogWriter:
        """A way to write to Kafka, not started yet."""
        security = self.cluster.security.client_options()
        return LogWriter(producer_factory(self.cluster.bootstrap, self.name, security))

    def reader_settings(self, group: str, *, gathers: bool = False) -> ReaderSettings:
        """How the process takes part in a consumer group."""
        return ReaderSettings(
            group=f"{self.settings.topic_prefix}{group}",
            bootstrap=self.cluster.bootstrap,
            data=Path(tempfile.mkdtemp(prefix="waybill-faust-")),
            credentials=faust_credentials(self.cluster.security),
            client_options=self.cluster.security.client_options(),
            gathers=gathers,
        )


async def open_core(settings: Settings) -> Core:
    """Opens the store and checks the keys and the topics; refuses what would lose orders.

    A database or a Kafka that is not there yet is waited for.
    """
    assert settings.kafka is not None, "processes are started with WAYBILL_KAFKA"
    store = await once_there(
        "the database", lambda: asyncio.to_thread(Store.open, settings.database)
    )
    keys = load_keys(settings.keys, create=settings.keys_are_ours)
    vault = Vault(store, keys, clock.random_bytes, clock.utc_now)
    await once_there("the database", lambda: asyncio.to_thread(vault.check))
    core = Core(
        name=f"{socket.gethostname()}-{os.getpid()}-{clock.random_bytes(3).hex()}",
        settings=settings,
        cluster=Cluster(settings.kafka, settings.kafka_security),
        topics=Topics(settings.topic_prefix),
        store=store,
        keys=keys,
        vault=vault,
    )
    await once_there("Kafka", lambda: _check_topics(core))
    return core


async def once_there(what: str, ask: Callable[[], Awaitable[T]]) -> T:
    """What `ask` answers once it does; starting anew would not make it come any sooner."""
    pause = FIRST_PAUSE_S
    while True:
        try:
            return await ask()
        except (SQLAlchemyError, KafkaError, OSError) as problem:
            log.warning("%s is not there yet: %r", what, problem)
            await asyncio.sleep(pause)
            pause = min(LONGEST_PAUSE_S, 2 * pause)


async def _check_topics(core: Core) -> None:
    report = await check_topics(core.cluster, core.topics)
    for finding in report.refusals:
        raise StoreError(finding.code, f"{finding.topic}: {finding.message}. {finding.remedy}.")
    events = report.facts[core.topics.order_events]
    await asyncio.to_thread(core.store.certify, Birth(events.partitions, PARTITIONER))
