"""The embedded broker: it answers, keeps its data, and neither outlives nor disturbs anybody."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from streams.kafka.admin import Cluster, check_topics, ensure_topics
from streams.topics import Topics
from waybill.embedded.broker import EmbeddedBroker
from waybill.embedded.errors import EmbeddedError

PARENT = """
import sys, time
from pathlib import Path
from waybill.embedded.broker import EmbeddedBroker
broker = EmbeddedBroker(Path(sys.argv[1]))
bootstrap = broker.start()
print(bootstrap, broker.pid, flush=True)
time.sleep(600)
"""


async def produce(bootstrap: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        await producer.send_and_wait(topic, value, key=b"lane", partition=0)


async def read(bootstrap: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id="reader"
    )
    async with consumer:
        record = await consumer.getone()
        await consumer.commit()
        assert record.value is not None
        return record.value


def parent_with_broker(data: Path) -> tuple[subprocess.Popen[str], str, int]:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, str(data)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    bootstrap, pid = parent.stdout.readline().split()
    return parent, bootstrap, int(pid)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def until_gone(pid: int, seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_alive(pid)


async def test_a_restart_finds_the_earlier_data_on_the_earlier_port(tmp_path: Path) -> None:
    topics = Topics()
    with EmbeddedBroker(tmp_path) as bootstrap:
        await ensure_topics(Cluster(bootstrap, embedded=True), topics)
        await produce(bootstrap, topics.order_events, b"accepted")
    with EmbeddedBroker(tmp_path) as again:
        assert again == bootstrap
        report = await ensure_topics(Cluster(again, embedded=True), topics)
        assert (report.created, report.findings) == ((), ())
        assert await read(again, topics.order_events) == b"accepted"


async def test_a_port_that_somebody_else_took_is_changed_and_the_data_stays(
    tmp_path: Path,
) -> None:
    topics = Topics()
    with EmbeddedBroker(tmp_path) as bootstrap:
        await ensure_topics(Cluster(bootstrap, embedded=True), topics)
        await produce(bootstrap, topics.order_events, b"accepted")
    taken = json.loads((tmp_path / "kafka" / "ports.json").read_text())
    with (
        socket.create_server(("127.0.0.1", taken["clients"])),
        socket.create_server(("127.0.0.1", taken["controller"])),
        EmbeddedBroker(tmp_path) as other,
    ):
        assert other != bootstrap
        assert await read(other, topics.order_events) == b"accepted"


async def test_a_broker_dies_with_its_killed_parent_and_the_next_run_finds_the_data(
    tmp_path: Path,
) -> None:
    parent, bootstrap, pid = parent_with_broker(tmp_path)
    topics = Topics()
    await ensure_topics(Cluster(bootstrap, embedded=True), topics)
    await produce(bootstrap, topics.order_events, b"accepted")
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert until_gone(pid)
    with EmbeddedBroker(tmp_path) as again:
        assert await read(again, topics.order_events) == b"accepted"


def test_two_brokers_never_share_a_data_directory(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path), pytest.raises(EmbeddedError) as error:
        EmbeddedBroker(tmp_path).start()
    assert error.value.code == "data_in_use"
    assert str(os.getpid()) in error.value.message


def test_what_kafka_complains_of_reaches_the_user(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path):
        pass
    (tmp_path / "kafka" / "data" / "meta.properties").write_text("version=1\nnode.id=7\n")
    with pytest.raises(EmbeddedError) as error:
        EmbeddedBroker(tmp_path).start()
    assert error.value.code == "kafka_failed"
    assert "kafka.log" in error.value.remedy


async def test_every_topic_of_the_table_is_made_as_the_table_says(kafka: str) -> None:
    topics = Topics("made.")
    report = await ensure_topics(Cluster(kafka), topics)
    assert report.refusals == ()
    again = await check_topics(Cluster(kafka), topics)
    assert again.facts == report.facts
    for name, topic in topics.named():
        fact = again.facts[name]
        assert (fact.partitions, fact.cleanup) == (topic.partitions, topic.cleanup)
        assert fact.retention_ms == topic.retention_ms
        assert fact.max_message_bytes == topic.max_message_bytes


async def test_a_topic_that_is_missing_is_found(kafka: str) -> None:
    report = await check_topics(Cluster(kafka), Topics("absent."))
    assert {finding.code for finding in report.refusals} == {"topic_missing"}
    assert len(report.refusals) == len(Topics().named())


async def test_the_topics_of_one_test_are_empty_and_its_own(kafka: str, topics: Topics) -> None:
    await produce(kafka, topics.orders, b"order")
    assert await read(kafka, topics.orders) == b"order"
    assert topics.prefix
