"""Follows `stage-controls`, so that the API can say who holds which stage."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Protocol

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from streams.kafka.admin import Cluster

_AGAIN_S = 1.0

log = logging.getLogger(__name__)


class Controls(Protocol):
    """Who holds which stage."""

    @property
    def known(self) -> bool:
        """Whether all that was ever said is known."""

    def holds(self, tenant: str) -> Mapping[str, Mapping[str, str]]:
        """Actor, reason and moment, by stage that is held."""


class FollowedControls:
    """Reads the topic from its beginning and stays at its end."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self._topic = topic
        self._held: dict[str, dict[str, dict[str, str]]] = {}
        self._known = False
        self._following: asyncio.Task[None] | None = None

    @property
    def known(self) -> bool:
        """Whether the end of the topic was seen."""
        return self._known

    def holds(self, tenant: str) -> Mapping[str, Mapping[str, str]]:
        """Actor, reason and moment, by stage that is held."""
        return self._held.get(tenant, {})

    def start(self) -> None:
        """Begins, and begins again whenever Kafka goes away."""
        self._following = asyncio.create_task(self._follow(), name="stage-controls")

    async def close(self) -> None:
        """Ends it."""
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait([self._following])

    async def _follow(self) -> None:
        while True:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._cluster.bootstrap,
                enable_auto_commit=False,
                **self._cluster.security.client_options(),
            )
            try:
                await consumer.start()
                await self._read(consumer)
            except (KafkaError, TimeoutError) as problem:
                log.debug("stage-controls cannot be read: %s", type(problem).__name__)
            finally:
                await consumer.stop()
            await asyncio.sleep(_AGAIN_S)

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        place = TopicPartition(self._topic, 0)
        consumer.assign([place])
        await consumer.seek_to_beginning(place)
        end = (await consumer.end_offsets([place]))[place]
        self._held = {}
        while True:
            self._known = self._known or await consumer.position(place) >= end
            for records in (await consumer.getmany(timeout_ms=500)).values():
                for record in records:
                    self._take(record.value)

    def _take(self, value: bytes | None) -> None:
        try:
            record: dict[str, Any] = orjson.loads(value or b"")
            held = self._held.setdefault(str(record["tenant"]), {})
            stage = str(record["stage"])
            if record["held"]:
                held[stage] = {name: str(record[name]) for name in ("actor", "reason", "at")}
            else:
                held.pop(stage, None)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            log.warning("a record of stage-controls says nothing that can be read")
