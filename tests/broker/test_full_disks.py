"""A disk is full, or a store is locked: nothing is lost, it is said, and room is all it takes."""

import asyncio
import errno
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.kafka.admin import Cluster, ensure_topics
from streams.topics import Topics
from tests.broker.outages import Load
from tests.e2e.stack import Stack, an_order, running_stack
from waybill.embedded.broker import EmbeddedBroker

WAITED_S = 4.0


@dataclass
class Disk:
    """A small disk, which can be filled to the last byte."""

    folder: Path

    @property
    def _filler(self) -> Path:
        return self.folder / "filler"

    def fill(self) -> None:
        """Leaves no room."""
        with self._filler.open("ab", buffering=0) as filler:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        filler.write(bytes(size))
                except OSError as problem:
                    if problem.errno != errno.ENOSPC:
                        raise

    def make_room(self) -> None:
        """Gives it all back."""
        self._filler.unlink()


@contextmanager
def a_disk(folder: Path, size: str) -> Iterator[Disk]:
    """A tmpfs of that size."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount the small disk that this needs")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@dataclass
class Place:
    """A Waybill whose store and whose Kafka have a small disk each."""

    stack: Stack
    broker: EmbeddedBroker
    store: Disk
    log: Disk

    @property
    def database(self) -> Path:
        """SQLite's file."""
        return self.store.folder / "waybill.sqlite"

    def pids(self) -> dict[str, int]:
        """Which processes run."""
        return {name: process.pid for name, process in self.stack.processes.items()}

    def complete(self, order_ids: list[str]) -> bool:
        """Whether the views show the end of all of them."""
        return all(self.stack.order(one).get("status") == "complete" for one in order_ids)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("disks")
    (folder / "stack").mkdir()
    topics = Topics()
    with a_disk(folder / "log", "512m") as log, a_disk(folder / "store", "24m") as store:
        broker = EmbeddedBroker(log.folder)
        bootstrap = broker.start()
        try:
            asyncio.run(ensure_topics(Cluster(bootstrap, embedded=True), topics))
            database = f"sqlite:///{store.folder / 'waybill.sqlite'}"
            with running_stack(
                bootstrap, topics, folder / "stack", WAYBILL_DATABASE=database
            ) as stack:
                yield Place(stack, broker, store, log)
        finally:
            broker.stop()


def test_orders_wait_while_the_stores_disk_is_full(place: Place) -> None:
    stack, before = place.stack, place.pids()
    place.store.fill()
    taken = [stack.submit(an_order())["id"] for _ in range(5)]
    time.sleep(WAITED_S)
    assert not place.complete(taken)
    assert stack.orders() is not None, "what is there can be read"
    logs = "".join(stack.log_file(name).read_text() for name in ("worker", "projector"))
    assert "database or disk is full" in logs
    place.store.make_room()
    stack.until(lambda: place.complete(taken), 40)
    assert place.pids() == before


def test_orders_wait_while_somebody_holds_the_store_locked(place: Place) -> None:
    stack, before = place.stack, place.pids()
    other = sqlite3.connect(place.database, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        taken = [stack.submit(an_order())["id"] for _ in range(5)]
        time.sleep(WAITED_S)
        assert not place.complete(taken)
        other.execute("ROLLBACK")
    finally:
        other.close()
    stack.until(lambda: place.complete(taken), 40)
    assert place.pids() == before


def test_a_kafka_whose_disk_is_full_takes_nothing_that_it_loses(place: Place) -> None:
    stack, before = place.stack, place.pids()
    with Load(stack) as load:
        stack.until(lambda: len(load.taken) >= 5)
        place.log.fill()
        stack.until(lambda: load.refused, 40)
        place.log.make_room()
        answered = len(load.taken)
        # What `waybill up` does for its Kafka, which ends when it cannot write.
        stack.until(lambda: place.broker.revive() is None and len(load.taken) > answered, 60)
    assert {refused.status_code for refused in load.refused} == {503}
    assert all(refused.headers["Retry-After"] for refused in load.refused)
    assert load.slowest_s < 5.5
    stack.until(lambda: place.complete(load.taken), 60)
    assert place.pids() == before
