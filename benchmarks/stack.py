"""A whole Waybill in a temporary directory, process by process, for measurements."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.stub import free_port
from waybill.embedded.broker import EmbeddedBroker

READY_S = 180.0
"""A machine that has other things to do takes minutes to start a worker."""


@dataclass
class Stack:
    """Kafka, a data directory, and the processes started so far."""

    folder: Path
    bootstrap: str
    environment: dict[str, str]
    probes: dict[str, str] = field(default_factory=dict)
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    def start(self, program: str, name: str | None = None) -> str:
        """Starts `waybill PROGRAM` under `name`."""
        name = name or program
        port = free_port()
        self.probes[name] = f"http://127.0.0.1:{port}"
        environment = {**self.environment, "WAYBILL_METRICS": f"127.0.0.1:{port}"}
        log = (self.folder / f"{name}.log").open("ab")
        self.processes[name] = subprocess.Popen(
            [sys.executable, "-m", "waybill", program], env=environment, stdout=log, stderr=log
        )
        return name

    def ready(self, *names: str) -> None:
        """Waits until these processes are ready."""
        until = time.monotonic() + READY_S
        for name in names:
            while not _answers(f"{self.probes[name]}/readyz"):
                if time.monotonic() > until or self.processes[name].poll() is not None:
                    said = (self.folder / f"{name}.log").read_text(errors="replace")[-2000:]
                    sys.exit(f"{name} did not become ready; it has said:\n{said}")
                time.sleep(0.1)

    def answers(self, url: str) -> None:
        """Waits until something answers at a URL."""
        until = time.monotonic() + READY_S
        while not _answers(url):
            if time.monotonic() > until:
                sys.exit(f"{url} does not answer")
            time.sleep(0.05)

    def metric(self, name: str, metric: str) -> float:
        """A counter of a process, over all its labels."""
        with urllib.request.urlopen(f"{self.probes[name]}/metrics") as reply:
            lines = reply.read().decode().splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(metric))

    def cpu_s(self, name: str) -> float:
        """CPU seconds that a process has used."""
        stat = Path(f"/proc/{self.processes[name].pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mb(self, name: str) -> float:
        """Resident memory of a process, in MB."""
        status = Path(f"/proc/{self.processes[name].pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    def stop(self) -> None:
        """Ends all processes."""
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def stack(folder: Path, configuration: Mapping[str, object], **more: str) -> Iterator[Stack]:
    """Kafka with its topics, and the settings of the processes; nothing else is started yet."""
    with (
        EmbeddedBroker(folder / "data") as bootstrap,
        stack_on(bootstrap, folder, configuration, **more) as running,
    ):
        yield running


@contextmanager
def stack_on(
    bootstrap: str, folder: Path, configuration: Mapping[str, object], **more: str
) -> Iterator[Stack]:
    """The same on a Kafka that runs already."""
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(configuration))
    environment = {
        **{name: value for name, value in os.environ.items() if "WAYBILL" not in name},
        "WAYBILL_KAFKA": bootstrap,
        "WAYBILL_DATA": str(folder / "data"),
        "WAYBILL_CONFIG": str(folder / "config.json"),
        "PYTHONSAFEPATH": "1",
        **more,
    }
    subprocess.run(
        [sys.executable, "-m", "waybill", "topics"],
        env=environment,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    running = Stack(folder, bootstrap, environment)
    try:
        yield running
    finally:
        running.stop()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2):
            return True
    except OSError:
        return False
