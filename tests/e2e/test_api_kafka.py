"""Orders over HTTP into a real Kafka, and what callers are told without one."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import aiohttp
import aiokafka.client
import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from streams.kafka.admin import Cluster
from streams.topics import Topics
from waybill.api.producing import KafkaProducing, KafkaUnavailableError, Outgoing
from waybill.clock import random_bytes
from waybill.keys import load_keys
from waybill.ports import free_port

HEADERS = [("waybill-tenant", b"default")]


def a_record(topics: Topics) -> Outgoing:
    return Outgoing(topic=topics.orders, key=b"default/S-1", value=b"{}", headers=HEADERS)


@pytest.fixture
def serve(tmp_path: Path, topics: Topics) -> Iterator[Callable[[str], str]]:
    """Runs `waybill api` against a Kafka; its address."""
    started: list[subprocess.Popen[bytes]] = []

    def start(bootstrap: str) -> str:
        address = f"127.0.0.1:{free_port()}"
        environment = {
            **{name: v for name, v in os.environ.items() if not name.startswith("WAYBILL_")},
            "WAYBILL_KAFKA": bootstrap,
            "WAYBILL_HTTP": address,
            "WAYBILL_DATA": str(tmp_path),
            "WAYBILL_KEYS": str(_keys(tmp_path)),
            "WAYBILL_TOPIC_PREFIX": topics.prefix,
        }
        program = [sys.executable, "-c", _PROGRAM]
        started.append(subprocess.Popen(program, env=environment, stderr=subprocess.PIPE))
        return f"http://{address}"

    yield start
    for process in started:
        process.send_signal(signal.SIGTERM)
        began = monotonic()
        _, err = process.communicate(timeout=15)
        assert process.returncode == 0, err.decode()
        assert monotonic() - began < 8
        assert b"Traceback" not in err, err.decode()


_PROGRAM = """
from waybill.api import run_api
from waybill.settings import load_settings
run_api(load_settings())
"""


def _keys(folder: Path) -> Path:
    path = folder / "keys.json"
    load_keys(path, create=True)
    return path


async def answers(session: aiohttp.ClientSession, url: str) -> aiohttp.ClientResponse:
    for _ in range(300):
        try:
            return await session.get(url)
        except aiohttp.ClientConnectionError:
            await asyncio.sleep(0.05)
    pytest.fail(f"nobody answers at {url}")


async def ready(session: aiohttp.ClientSession, base: str) -> dict[str, Any]:
    for _ in range(200):
        response = await answers(session, f"{base}/readyz")
        if response.status == 200:
            break
        await asyncio.sleep(0.05)
    return dict(await response.json())


async def test_an_order_that_was_acknowledged_is_in_kafka(
    kafka: str, topics: Topics, serve: Callable[[str], str]
) -> None:
    base = serve(kafka)
    async with aiohttp.ClientSession() as session:
        assert (await ready(session, base))["status"] == "ready"
        body = b'{"external_id": "E-1", "orderItems": []}'
        response = await session.post(f"{base}/api/order", data=body)
        answer = await response.json()
        assert response.status == 202, answer
        lag = await (await session.get(f"{base}/api/lag")).json()
        assert "items" in lag, lag
        by_name = {one["name"]: one for one in lag["items"]}
        # No worker runs: the order waits.
        assert (by_name["intake"]["behind"], by_name["views"]["behind"]) == (1, 0)
        assert 0 <= by_name["intake"]["waiting_s"] < 60
    consumer = AIOKafkaConsumer(
        topics.orders, bootstrap_servers=kafka, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    try:
        record = await asyncio.wait_for(consumer.getone(), 10)
    finally:
        await consumer.stop()
    assert record.value == body
    assert record.key == f"default/{answer['subscriptionReference']}".encode()
    headers = dict(record.headers)
    assert headers["waybill-tenant"] == b"default"
    assert headers["traceparent"].startswith(b"00-")


async def test_without_kafka_a_caller_knows_within_five_seconds(
    serve: Callable[[str], str],
) -> None:
    base = serve(f"127.0.0.1:{free_port()}")
    async with aiohttp.ClientSession() as session:
        await answers(session, f"{base}/livez")
        began = monotonic()
        response = await session.post(f"{base}/api/order", json={"external_id": "E-1"})
        assert monotonic() - began < 5
        problem = await response.json()
        assert (response.status, problem["code"]) == (503, "kafka_unavailable")
        assert response.headers["Retry-After"]
        missing = (await (await session.get(f"{base}/readyz")).json())["missing"]
        assert missing == ["kafka", "views"]


async def test_a_kafka_without_our_topics_is_not_ready(kafka: str) -> None:
    orders = KafkaProducing(Cluster(kafka), Topics(f"none{random_bytes(4).hex()}."))
    orders.start()
    try:
        with pytest.raises(KafkaError):
            await orders.log_end()
        assert not await orders.answers()
    finally:
        await orders.close()


class Link:
    """A wire to Kafka that can be cut: what is under way then never arrives."""

    def __init__(self, bootstrap: str) -> None:
        host, port = bootstrap.split(",", maxsplit=1)[0].rsplit(":", 1)
        self._target = (host, int(port))
        self.open = asyncio.Event()
        self.open.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection(*self._target)
        await asyncio.gather(self._pump(reader, there[1]), self._pump(there[0], writer))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer):
            while data := await reader.read(65536):
                if not self.open.is_set():
                    return
                writer.write(data)


async def test_an_order_that_was_given_up_does_not_come_later(
    kafka: str, topics: Topics, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka's idempotent producer would repeat it for ever; callers were told 503."""
    link = Link(kafka)
    server = await asyncio.start_server(link.carry, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    _through(monkeypatch, port)
    orders = KafkaProducing(Cluster(f"127.0.0.1:{port}"), topics)
    orders.start()
    try:
        record = a_record(topics)
        await orders.send(record)
        link.open.clear()
        began = monotonic()
        given_up = [orders.send(record) for _ in range(20)]
        results = await asyncio.gather(*given_up, return_exceptions=True)
        assert monotonic() - began < 5
        assert {type(result) for result in results} == {KafkaUnavailableError}
        assert not await orders.answers()
        link.open.set()
        await _until_sent(orders, record)
        assert await _count(kafka, topics.orders) == 2
    finally:
        await orders.close()
        server.close()


def _through(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    """Kafka tells clients its own address; they shall come through the link all the same."""
    create = aiokafka.client.create_conn

    async def by_link(_host: str, _port: int, *args: Any, **more: Any) -> Any:
        return await create("127.0.0.1", port, *args, **more)

    monkeypatch.setattr(aiokafka.client, "create_conn", by_link)


async def _until_sent(orders: KafkaProducing, record: Outgoing) -> None:
    for _ in range(3):
        try:
            return await orders.send(record)
        except KafkaUnavailableError:
            continue
    pytest.fail("the connection does not come back")


async def _count(kafka: str, topic: str) -> int:
    """Records of the topic, those of the next seconds included."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=kafka, auto_offset_reset="earliest", group_id=None
    )
    await consumer.start()
    count = 0
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(4):
                while await consumer.getone():
                    count += 1
    finally:
        await consumer.stop()
    return count
