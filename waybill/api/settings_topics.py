"""Putting settings on their compacted topics: each record once, under a key of its own."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from waybill.api.producing import KafkaUnavailableError, Outgoing, Producer

_KEY_BYTES = 8

_Record = TypeVar("_Record")


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting of that name as it is written, and by whom."""

    name: str
    value: bytes
    tenant: str
    actor: str


@dataclass(frozen=True, slots=True)
class KeyedTopic(Generic[_Record]):
    """A compacted topic for those who write it; `setting` says how a record is written."""

    kafka: Producer
    topic: str
    random_bytes: Callable[[int], bytes]
    setting: Callable[[_Record], Setting]

    async def add(self, record: _Record) -> None:
        """Returns when the record is there; KafkaUnavailableError where nobody can tell.

        Its key begins with its name.
        """
        setting = self.setting(record)
        await self.kafka.send(
            Outgoing(
                topic=self.topic,
                key=f"{setting.name}/{self.random_bytes(_KEY_BYTES).hex()}".encode(),
                value=setting.value,
                headers=[
                    ("waybill-tenant", setting.tenant.encode()),
                    ("waybill-actor", setting.actor.encode()),
                ],
                once=True,
            )
        )

    async def remove(self, key: bytes) -> None:
        """Writes a tombstone. Without Kafka the record stays until somebody writes again."""
        with contextlib.suppress(KafkaUnavailableError):
            await self.kafka.send(Outgoing(topic=self.topic, key=key, value=None, headers=[]))
