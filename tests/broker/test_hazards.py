"""What Faust and its clients do to a careless user, shown on them, and why it cannot happen here.

The names are those of docs/explanation/hazards.md, which says where each is covered.
"""

import asyncio
import os
import pickle
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiokafka.client
import faust
import pytest
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError, KafkaError
from faust.types import TP

from schemas.problems import RefusedError
from streams import app as ours
from streams.agents.rejections import _read, _written
from streams.app import ReaderSettings, build_app
from streams.kafka import broken
from streams.kafka.transport import ChunkConsumer
from streams.kafka.writer import LogWriter
from streams.topics import Topics
from tests.unit.core.taking import taken

ACKED = """
import asyncio, gc, sys, faust
from faust.types import TP
from faust.types.tuples import ConsumerMessage
noack, how, stale = sys.argv[1] == "noack", sys.argv[2], sys.argv[3] == "stale"

async def main():
    app = faust.App("x", broker="kafka://localhost:9", store="memory://")
    app.flow_control.resume()
    app.topics.acks_enabled_for = lambda topic: True
    tp = TP("orders", 0)
    message = ConsumerMessage("orders", 0, 5, 0.0, 0, {}, None, b"v", None, 0, 0, tp=tp,
                              generation_id=app.consumer_generation_id + (99 if stale else 0))
    message.incref(); message.tracked = True
    stream, started = app.stream(app.channel()), asyncio.Event()
    async def body():
        async for _ in (stream.noack().events() if noack else stream):
            started.set()
            if how == "raise": raise ValueError
            await asyncio.sleep(100)
    task = asyncio.ensure_future(body()); await asyncio.sleep(0.2)
    event = faust.Event(app, key=None, value="o", headers={}, message=message)
    await stream.channel.put(event)
    try: await asyncio.wait_for(started.wait(), 0.5)
    except asyncio.TimeoutError: pass
    if how == "cancel": task.cancel()
    try: await asyncio.wait_for(task, 0.5)
    except BaseException: pass
    del task; gc.collect(); await asyncio.sleep(0.1)
    print(5 in app.consumer._acked_index[tp], started.is_set())
asyncio.run(main())
"""


def acked(stream: str, how: str, generation: str = "own", **environment: str) -> list[str]:
    """Whether Faust would commit an event past such an end, and whether it was shown at all."""
    done = subprocess.run(
        [sys.executable, "-c", ACKED, stream, how, generation],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


class Remembering:
    """A reader that remembers what it was given."""

    has_room = True

    def __init__(self) -> None:
        self.taken: list[tuple[int, int]] = []
        self.allowed: int | None = None

    async def assigned(
        self, committed: Mapping[int, int], _ends: Mapping[int, int]
    ) -> Mapping[int, int]:
        return committed

    def revoked(self) -> None:
        self.taken.clear()

    def take(self, partition: int, records: Any) -> None:
        self.taken += [(partition, record.offset) for record in records]

    def committable(self, _partition: int) -> int | None:
        return self.allowed


def our_app(tmp_path: Path, reader: Remembering, topic: str = "orders") -> ours.ReaderApp:
    settings = ReaderSettings(group="hazards", bootstrap="127.0.0.1:9", data=tmp_path)
    built = build_app(settings, {topic: reader})
    built.finalize()
    return built


@pytest.mark.parametrize("how", ["raise", "cancel"])
def test_h1_faust_acks_what_was_not_handled(how: str) -> None:
    assert acked("plain", how) == ["True", "True"]


async def test_h1_nothing_is_committed_but_what_a_reader_allows(tmp_path: Path) -> None:
    reader = Remembering()
    app = our_app(tmp_path, reader)
    consumer = app.consumer
    assert isinstance(consumer, ChunkConsumer)
    place = TP("orders", 0)
    consumer._acked[place] = [5, 6, 7]
    assert consumer._new_offset(place) is None, "acks are not asked"
    reader.allowed = 4
    assert consumer._new_offset(place) == 4


class Link:
    """A wire to Kafka that can be cut."""

    def __init__(self, bootstrap: str) -> None:
        host, port = bootstrap.split(",", maxsplit=1)[0].rsplit(":", 1)
        self._target = (host, int(port))
        self.is_cut = False

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(*self._target)
        await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.is_cut:
                writer.write(data)
        writer.close()


@pytest.fixture
async def link(topics: Topics, kafka: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Everything that talks to Kafka goes through it, whatever address Kafka tells."""
    assert topics  # made before, past the link
    wire = Link(kafka)
    server = await asyncio.start_server(wire.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    create = aiokafka.client.create_conn

    async def by_link(_host: str, _port: int, *args: Any, **more: Any) -> Any:
        return await create("127.0.0.1", port, *args, **more)

    monkeypatch.setattr(aiokafka.client, "create_conn", by_link)
    yield wire, f"127.0.0.1:{port}"
    server.close()


async def test_h2_flush_is_silent_about_what_was_not_written(link: Any, topics: Topics) -> None:
    wire, bootstrap = link
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, request_timeout_ms=1000)
    await producer.start()
    try:
        await producer.send_and_wait(topics.orders, b"there")
        wire.is_cut = True
        lost = await producer.send(topics.orders, b"lost")
        await producer.flush()  # returns as if all were well: whoever commits now, loses it
        assert isinstance(lost.exception(), KafkaError)
    finally:
        wire.is_cut = False
        await producer.stop()


async def test_h2_our_writer_tells_every_append_how_it_ended(link: Any, topics: Topics) -> None:
    wire, bootstrap = link

    def factory() -> AIOKafkaProducer:
        return AIOKafkaProducer(
            bootstrap_servers=bootstrap, request_timeout_ms=1000, enable_idempotence=True
        )

    writer = LogWriter(factory)
    await writer.start()
    await writer.append(topics.orders, b"k", b"there")
    wire.is_cut = True
    lost = [writer.append(topics.orders, b"k", b"lost") for _ in range(3)]
    done, _ = await asyncio.wait(lost, timeout=8)
    wire.is_cut = False
    told = [one for one in done if isinstance(one.exception(), KafkaError)]
    if not told:  # an idempotent producer repeats until it is there: then it is there
        places = await asyncio.wait_for(asyncio.gather(*lost), 20)
        assert len(set(places)) == 3
    await asyncio.wait_for(writer.append(topics.orders, b"k", b"again"), 30)
    await writer.stop()


def test_h3_a_pure_python_stream_acks_what_it_never_showed() -> None:
    assert acked("noack", "stay", "stale", NO_CYTHON="1") == ["True", "False"]
    assert acked("noack", "stay", "stale") == ["False", "False"]


async def test_h4_h7_no_transactions_and_no_tables(tmp_path: Path) -> None:
    app = our_app(tmp_path, Remembering())
    assert not app.in_transaction
    assert len(app.tables) == 0
    assert app.conf.processing_guarantee.name == "AT_LEAST_ONCE"


async def test_h6_fausts_unsafe_defaults_are_not_ours(tmp_path: Path) -> None:
    naive, conf = faust.App("naive").conf, our_app(tmp_path, Remembering()).conf
    assert (naive.topic_allow_declare, conf.topic_allow_declare) == (True, False)
    assert (naive.web_enabled, conf.web_enabled) == (True, False)
    assert (naive.broker_session_timeout, conf.broker_session_timeout) == (60.0, ours.SESSION_S)
    assert naive.producer_request_timeout == 1200.0  # ours: DELIVERY_MS of the writer
    assert conf.broker_commit_interval <= 1.0 < naive.broker_commit_interval


async def test_h8_a_rebalance_does_not_wait_for_handlers(tmp_path: Path) -> None:
    assert faust.App("naive").conf.stream_wait_empty
    assert not our_app(tmp_path, Remembering()).conf.stream_wait_empty


HOSTILE = {
    "a pickle": None,
    "brackets 100 deep": b"[" * 100 + b"]" * 100,
    "an object 100 deep": b'{"orderItems":' * 100 + b"[]" + b"}" * 100,
    "ten megabytes": b'{"x":"' + b"y" * (10 << 20) + b'"}',
    "an infinite number": b'{"total": 1e999}',
    "half an object": b'{"external_id": "A',
    "Avro of nothing we know": b"\x00\xff\xff\xff\xff",
}


class Boom:
    """Unpickled, it does something."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> Any:
        return (os.mkdir, (str(self._path),))


@pytest.mark.parametrize("name", HOSTILE)
def test_h12_hostile_records_are_refused_and_never_unpickled(name: str, tmp_path: Path) -> None:
    owned = tmp_path / "owned"
    value = HOSTILE[name] or pickle.dumps(Boom(owned))
    with pytest.raises(RefusedError) as refused:
        taken(value)
    assert refused.value.problem.code in {"malformed", "oversize", "unknown_schema"}
    assert not owned.exists()


def test_h12_a_flood_of_headers_is_kept_for_a_replay() -> None:
    flood = [(f"x-{number}", os.urandom(40)) for number in range(20_000)]
    assert _read(_written(flood)) == flood


def test_h13_a_connection_that_uvloop_calls_broken_is_one_to_aiokafka() -> None:
    async def told(send: Any) -> Exception | None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        connection = AIOKafkaConnection("127.0.0.1", port)
        _, connection._writer = await asyncio.open_connection("127.0.0.1", port)
        connection._writer.transport.abort()
        await asyncio.sleep(0.05)
        try:
            await send(connection, b"token")
        except Exception as problem:  # noqa: BLE001 - it is what is looked at
            return problem
        finally:
            server.close()
        return None

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        # Who expects OSError and KafkaError, as aiokafka does, dies of this one.
        assert isinstance(runner.run(told(broken._send_sasl_token)), RuntimeError)
        ours = runner.run(told(AIOKafkaConnection._send_sasl_token))
        assert isinstance(ours, KafkaConnectionError)
