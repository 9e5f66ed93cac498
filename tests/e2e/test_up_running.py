"""`waybill up` as a person runs it: first order, Ctrl-C, again, and what goes wrong meanwhile."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.stack import an_order, clean_environment
from waybill.ports import free_port

STOP_S = 15.0


class Up:
    """`waybill up` on a directory, and what it said so far."""

    def __init__(self, data: Path, **more: str) -> None:
        self.api, self.sandbox = (f"127.0.0.1:{free_port()}" for _ in range(2))
        self.data = data
        self.environment = clean_environment(
            WAYBILL_DATA=str(data),
            WAYBILL_HTTP=self.api,
            WAYBILL_SANDBOX=self.sandbox,
            COLUMNS="160",
            **more,
        )
        self.said: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "waybill", "up"],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    @property
    def output(self) -> str:
        """Everything so far."""
        return "".join(self.said)

    def until(self, wanted: Callable[[], object], seconds: float = 60.0) -> None:
        """Waits until it is so."""
        deadline = time.monotonic() + seconds
        while not wanted():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def is_shown(self, text: str) -> bool:
        """Whether it was said; the process must not have ended without."""
        assert self.process.poll() is None or text in self.output, self.output
        return text in self.output

    def children(self) -> dict[int, str]:
        """Process id and command of everything that it started."""
        found = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
                command = stat.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode()
            except OSError:
                continue
            if parent == self.process.pid:
                found[int(stat.parent.name)] = command.strip()
        return found

    def child(self, name: str) -> int | None:
        """The process id of one of them."""
        of = [pid for pid, command in self.children().items() if command.endswith(f" {name}")]
        return of[0] if of else None

    def cli(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command on the same settings."""
        return subprocess.run(
            [sys.executable, "-m", "waybill", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def ended(self, seconds: float = STOP_S) -> int:
        """Its exit code."""
        code = self.process.wait(seconds)
        self._reader.join()
        return code

    def interrupted(self) -> int:
        """Its exit code after Ctrl-C, when nothing that it started is left."""
        started = self.children()
        self.process.send_signal(signal.SIGINT)
        code = self.ended()
        assert [name for pid, name in started.items() if Path(f"/proc/{pid}").exists()] == []
        return code

    def close(self) -> None:
        """Whatever happened: nothing stays."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Up]]:
    """Runs `up`, once or again, on one directory."""
    started: list[Up] = []

    def run(**more: str) -> Up:
        started.append(Up(tmp_path, **more))
        return started[-1]

    yield run
    for up in started:
        up.close()


def test_up_shows_a_first_order_and_finds_it_again_after_ctrl_c(start: Callable[..., Up]) -> None:
    up = start()
    up.until(lambda: up.is_shown("Ctrl-C stops everything"))
    order_id = re.search(r"Submitted order (order-\S+?)\.", up.output)
    assert order_id is not None
    assert f"{order_id[1]}: complete" in up.output
    for shown in ("OrderAccepted", "OrderCompleted", "From start to finished order", up.api):
        assert shown in up.output
    assert f"{up.sandbox}/_journal" in up.output
    journal = httpx.get(f"http://{up.sandbox}/_journal").json()["items"]
    assert {entry["partner"] for entry in journal} == {"zuora", "salesforce", "entitlements"}
    assert len(up.children()) == 7
    assert up.interrupted() == 0
    assert "Traceback" not in up.output

    again = start()
    again.until(lambda: again.is_shown("Ctrl-C stops everything"))
    assert f"{order_id[1]} complete" in again.output
    listed = json.loads(again.cli("orders", "--json").stdout)["items"]
    assert {"id": order_id[1], "status": "complete"}.items() <= listed[-1].items()
    assert len(listed) == 2
    mine = f"http://{again.sandbox}/webhooks/mine"
    body = {"url": mine, "events": ["order.accepted", "order.completed"]}
    assert httpx.post(f"http://{again.api}/api/webhook-endpoints", json=body).status_code == 201
    _comes_back_when_killed(again, "worker")
    again.until(lambda: "order.completed" in httpx.get(mine).text)
    assert again.interrupted() == 0


def _comes_back_when_killed(up: Up, name: str) -> None:
    before = up.child(name)
    assert before is not None
    os.kill(before, signal.SIGKILL)
    up.until(lambda: up.child(name) not in {None, before})
    # Taken at once, and finished by the new process, once Kafka has missed the old one.
    answer = httpx.post(f"http://{up.api}/api/order", json=an_order()).json()
    url = f"http://{up.api}/api/orders/{answer['id']}"
    up.until(lambda: httpx.get(url).json().get("status") == "complete")


def test_up_stops_where_a_process_refuses_its_configuration(
    kafka: str, start: Callable[..., Up], tmp_path: Path
) -> None:
    config = tmp_path / "config.json"
    config.write_text('{"version": 1, "sequence": [{"name": "zuoar", "service": "zuora"}]}')
    up = start(
        WAYBILL_CONFIG=str(config), WAYBILL_KAFKA=kafka, WAYBILL_TOPIC_PREFIX=f"{tmp_path.name}."
    )
    assert up.ended(40) == 1
    assert "refuses to run" in up.output
    assert "zuoar" in up.output
    assert "Traceback" not in up.output
    assert "Stopping." in up.output
