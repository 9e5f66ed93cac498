"""The webhooks process on a real Kafka: killed without a word, then two of them at once."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from benchmarks.webhook_traffic import Receiver, Traffic, endpoints, faults, receiver, register
from streams.topics import Topics

NAMES = ("one", "two")
PATIENCE_S = 60.0


@pytest.fixture
def to() -> Iterator[Receiver]:
    with receiver() as running:
        yield running


class Processes:
    """`waybill webhooks`, several times on one store."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {**os.environ, **environment, "WAYBILL_DATA": str(folder)}
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        log = (self.folder / f"{len(self.running)}.log").open("wb")
        command = [sys.executable, "-m", "waybill", "webhooks"]
        self.running.append(subprocess.Popen(command, env=self.environment, stdout=log, stderr=log))

    def end(self, number: signal.Signals) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(number)
                process.wait(30)


def wait_for(to: Receiver, count: int) -> None:
    until = time.monotonic() + PATIENCE_S
    while len({(one.endpoint, one.message) for one in to.arrivals()}) < count:
        assert time.monotonic() < until, "not everything has arrived"
        time.sleep(0.05)


def test_a_kill_loses_nothing_and_two_processes_share_the_work(
    kafka: str, topics: Topics, to: Receiver, tmp_path: Path
) -> None:
    traffic = Traffic(kafka, topics.prefix)
    made = endpoints(NAMES, to, tmp_path)
    asyncio.run(register(kafka, made, topics.prefix))
    asyncio.run(traffic.publish(40))
    processes = Processes(
        tmp_path,
        {
            "WAYBILL_KAFKA": kafka,
            "WAYBILL_TOPIC_PREFIX": topics.prefix,
            "WAYBILL_WEBHOOK_ALLOW": to.base.split("//")[1],
        },
    )
    with ExitStack() as at_the_end:
        at_the_end.callback(processes.end, signal.SIGKILL)
        processes.start()
        wait_for(to, 60)
        processes.end(signal.SIGKILL)
        processes.start()
        processes.start()
        asyncio.run(traffic.publish(10))
        wait_for(to, len(traffic.durable) * len(NAMES))
        processes.end(signal.SIGTERM)
        assert [process.returncode for process in processes.running[1:]] == [0, 0]
    assert faults(traffic, to.arrivals(), NAMES)._replace(repeated=0) == (0, 0, 0, 0, 0)
