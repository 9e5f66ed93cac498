"""The settings of the one-node broker and of the JVM it runs in."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ports:
    """Where clients and the controller are reached, both on loopback."""

    clients: int
    controller: int


JVM = (
    "-Xms64m",
    "-Xmx512m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:-UsePerfData",
    "-Djava.awt.headless=true",
    "-Duser.timezone=UTC",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
)

_ONE_NODE = """\
process.roles=broker,controller
node.id=1
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
auto.create.topics.enable=false
auto.leader.rebalance.enable=false
num.partitions=8
message.max.bytes=8388608
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# Positions never expire: minutes, the largest number that Kafka takes.
offsets.retention.minutes=2147483647
# Few threads and few ticks: an idle broker should cost next to nothing.
num.network.threads=2
num.io.threads=2
background.threads=2
num.recovery.threads.per.data.dir=1
group.coordinator.threads=1
log.cleaner.dedupe.buffer.size=4194304
metadata.max.idle.interval.ms=0
controller.performance.sample.period.ms=3600000
# After a kill the next start waits for the end of the old session.
broker.heartbeat.interval.ms=1000
broker.session.timeout.ms=4000
"""


def server_properties(ports: Ports, log_directory: Path) -> str:
    """The text of `server.properties`."""
    clients = f"PLAINTEXT://127.0.0.1:{ports.clients}"
    controller = f"127.0.0.1:{ports.controller}"
    return (
        _ONE_NODE
        + f"controller.quorum.bootstrap.servers={controller}\n"
        + f"listeners={clients},CONTROLLER://{controller}\n"
        + f"advertised.listeners={clients}\n"
        + f"log.dirs={_escaped(log_directory)}\n"
    )


def _escaped(path: Path) -> str:
    if "," in str(path):
        raise ValueError(f"Kafka cannot keep its log below a path with a comma: {path}")
    return str(path).replace("\\", "\\\\")
