"""Builds the Faust app of a process: one agent per topic, in front of a reader."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import faust
from aiokafka import AIOKafkaConsumer
from faust.types import TP

from streams.agents.fate import Fatal, guarded
from streams.kafka.liveness import Pulse, watch
from streams.kafka.reader import Reader
from streams.kafka.transport import Transport

REQUEST_TIMEOUT_S = 90.0
SESSION_S = 6.0
COMMIT_INTERVAL_S = 0.5
COMMIT_ON_REVOKE_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReaderSettings:
    """How a process takes part in its consumer group. Seconds.

    `gathers`: while records flow, Kafka hands them over some 40 times a second, each time all that
    have come, and not each as it comes. A fetch costs both sides as much for one as for fifty.
    """

    group: str
    bootstrap: str
    data: Path
    session_s: float = SESSION_S
    heartbeat_s: float = 1.5
    rebalance_s: float = 20.0
    credentials: Any = None
    client_options: Mapping[str, Any] = field(default_factory=dict)
    gathers: bool = False


class _ChunkSchema(faust.Schema):
    """Hands the list of records on as it is: readers decode, and never raise for bad bytes."""

    def compile(self, app: Any, **_: Any) -> Any:
        create = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:
            del propagate
            return create(None, message.value, headers={}, message=message)

        return decode


class ReaderApp(faust.App):
    """A Faust app whose positions and commits belong to its readers."""

    readers: Mapping[str, Reader]
    reads_with: ReaderSettings
    pulse: Pulse
    _watching: Any

    async def begin(self, fatal: Fatal, monotonic: Callable[[], float]) -> None:
        """Starts; a consumer that is dead, which Faust itself would not tell, is `fatal`."""
        self.finalize()
        await self.start()
        self._watching = guarded(watch(self, monotonic), fatal)

    async def end(self) -> None:
        """Stops."""
        self._watching.cancel()
        await self.stop()

    def _new_transport(self) -> Any:
        return Transport(self.conf.broker_consumer, self)

    async def starts(self, committed: Mapping[TP, int], ends: Mapping[TP, int]) -> dict[TP, int]:
        """Where each assigned partition starts."""
        found: dict[TP, int] = {}
        self.pulse.placing = True
        try:
            for topic, reader in self.readers.items():
                starts = await reader.assigned(
                    {tp.partition: offset for tp, offset in committed.items() if tp.topic == topic},
                    {tp.partition: end for tp, end in ends.items() if tp.topic == topic},
                )
                found.update({TP(topic, part): offset for part, offset in starts.items()})
        finally:
            self.pulse.placing = False
        self.pulse.taken = dict(found)
        return found

    def lone_reader(self) -> AIOKafkaConsumer:
        """A consumer outside the group, not started yet."""
        settings = self.reads_with
        return AIOKafkaConsumer(bootstrap_servers=settings.bootstrap, **settings.client_options)

    def has_room(self, topic: str) -> bool:
        """Whether the topic's reader takes more."""
        return self.readers[topic].has_room

    def committable(self, tp: TP) -> int | None:
        """What the partition's reader allows to commit."""
        reader = self.readers.get(tp.topic)
        return reader.committable(tp.partition) if reader is not None else None

    async def _consumer_wait_empty(self, consumer: Any, _: Any) -> None:
        await self.wait(consumer.commit(), timeout=COMMIT_ON_REVOKE_S)


def build_app(settings: ReaderSettings, readers: Mapping[str, Reader]) -> ReaderApp:
    """The app that feeds `readers` (by topic). Call it inside the loop that it shall run in."""
    app = ReaderApp(
        settings.group,
        broker=f"kafka://{settings.bootstrap.replace(',', ';')}",
        broker_credentials=settings.credentials,
        autodiscover=False,
        web_enabled=False,
        web_tables_enabled=False,
        web_router_enabled=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        table_standby_replicas=0,
        processing_guarantee="at_least_once",
        stream_wait_empty=False,
        stream_buffer_maxsize=16384,
        consumer_auto_offset_reset="earliest",
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_session_timeout=settings.session_s,
        broker_heartbeat_interval=settings.heartbeat_s,
        broker_rebalance_timeout=settings.rebalance_s,
        broker_request_timeout=REQUEST_TIMEOUT_S,
        datadir=str(settings.data),
    )
    app.readers = readers
    app.reads_with = settings
    app.pulse = Pulse()
    for topic, reader in readers.items():
        _register(app, topic, reader)

    @app.on_partitions_revoked.connect
    async def revoked(*_: Any, **__: Any) -> None:
        for reader in readers.values():
            reader.revoked()

    return app


def _register(app: ReaderApp, topic: str, reader: Reader) -> None:
    source = app.topic(topic, key_type=bytes, value_type=bytes, schema=_ChunkSchema())

    async def read(stream: Any) -> None:
        async for event in stream.noack().events():
            message = event.message
            if message.generation_id == app.consumer_generation_id:
                reader.take(message.tp.partition, event.value)
                app.pulse.taken[message.tp] = event.value[-1].offset + 1

    app.agent(source, name=f"{app.conf.id}-{topic}")(read)
