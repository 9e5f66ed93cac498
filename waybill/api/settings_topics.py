"""Putting settings on their compacted topics, and keeping what holds last there."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from streams.agents.contested import SETTLE_EVERY_S
from streams.core.first_holds import restated
from waybill.api.producing import KafkaUnavailableError, Outgoing, Producer

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
    setting: Callable[[_Record], Setting]

    async def add(self, record: _Record) -> None:
        """Returns when the record is there; KafkaUnavailableError where nobody can tell."""
        setting = self.setting(record)
        await self._send(setting, setting.value)

    async def restate(self, record: _Record) -> None:
        """Writes once more what holds; without Kafka it has to be asked for again."""
        setting = self.setting(record)
        with contextlib.suppress(KafkaUnavailableError):
            await self._send(setting, restated(setting.value))

    async def _send(self, setting: Setting, value: bytes) -> None:
        await self.kafka.send(
            Outgoing(
                topic=self.topic,
                key=setting.name.encode(),
                value=value,
                headers=[
                    ("waybill-tenant", setting.tenant.encode()),
                    ("waybill-actor", setting.actor.encode()),
                ],
            )
        )


async def keep_settled(settling: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Settles each topic every other second; runs until it is cancelled."""
    while True:
        await asyncio.sleep(SETTLE_EVERY_S)
        for settle in settling:
            await settle()
