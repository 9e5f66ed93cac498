"""Three Kafka brokers on this machine, of which one may be killed and its disk wiped."""

import base64
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.stub import free_port
from waybill.embedded.jars import kafka_jars
from waybill.embedded.java import find_java
from waybill.embedded.properties import JVM, Ports, server_properties
from waybill.settings import cache_directory
from waybill.tether import tethered

NODES = (1, 2, 3)
START_S = 120.0
STOP_S = 20.0

_CLUSTER = """\
node.id={node}
controller.quorum.voters={voters}
controller.quorum.bootstrap.servers={controllers}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
auto.leader.rebalance.enable=true
"""


@dataclass
class Cluster:
    """Nodes that are brokers and controllers at once; replication 3, at least 2 in sync."""

    folder: Path
    identity: str
    ports: dict[int, Ports]
    processes: dict[int, "subprocess.Popen[bytes]"] = field(default_factory=dict)

    @property
    def bootstrap(self) -> str:
        """All three addresses."""
        return ",".join(f"127.0.0.1:{ports.clients}" for ports in self.ports.values())

    def start(self, node: int) -> None:
        """Starts one node, on an empty disk if it has none."""
        java = [str(find_java(print)), *JVM, "-cp"]
        java.append(os.pathsep.join(map(str, kafka_jars(cache_directory(), print))))
        home = self.folder / f"kafka-{node}"
        home.mkdir(parents=True, exist_ok=True)
        properties = home / "server.properties"
        properties.write_text(self._properties(node, home / "data"))
        if not (home / "data").exists():
            tool = ["kafka.tools.StorageTool", "format", "-t", self.identity, "-c"]
            made = subprocess.run([*java, *tool, str(properties)], check=False, capture_output=True)
            if made.returncode:
                sys.exit(f"Kafka could not make its log: {made.stderr.decode()[-500:]}")
        with (home / "kafka.log").open("ab") as log:
            self.processes[node] = subprocess.Popen(
                tethered([*java, "kafka.Kafka", str(properties)]), stdout=log, stderr=log
            )

    def kill(self, node: int, *, wipe: bool) -> None:
        """Ends a node at once; `wipe` takes its disk away, too."""
        self.processes[node].kill()
        self.processes[node].wait()
        if wipe:
            shutil.rmtree(self.folder / f"kafka-{node}" / "data")

    def answers(self, node: int) -> None:
        """Waits until the node takes connections."""
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.ports[node].clients)) == 0:
                    return
            time.sleep(0.1)
        sys.exit(f"broker {node} did not start; see {self.folder / f'kafka-{node}'}")

    def stop(self) -> None:
        """Ends all nodes."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self.processes.values():
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()

    def _properties(self, node: int, data: Path) -> str:
        controllers = {n: f"127.0.0.1:{ports.controller}" for n, ports in self.ports.items()}
        return server_properties(self.ports[node], data) + _CLUSTER.format(
            node=node,
            voters=",".join(f"{n}@{address}" for n, address in controllers.items()),
            controllers=",".join(controllers.values()),
        )


@contextmanager
def three_brokers(folder: Path) -> Iterator[Cluster]:
    """A cluster that answers."""
    identity = "A" + base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=")[1:]
    cluster = Cluster(folder, identity, {n: Ports(free_port(), free_port()) for n in NODES})
    try:
        for node in NODES:
            cluster.start(node)
        for node in NODES:
            cluster.answers(node)
        yield cluster
    finally:
        cluster.stop()
