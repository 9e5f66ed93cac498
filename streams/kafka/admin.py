"""Creates the topics, and says what is wrong with those that are there."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, for_code

from streams.kafka.security import KafkaSecurity
from streams.topics import MESSAGE_LIMIT, ORDER_EVENTS, Topic, Topics

LEAST_OFFSETS_RETENTION_DAYS = 90

_ALREADY_EXISTS = 36
_VISIBLE_SECONDS = 15.0
_MINUTES_A_DAY = 24 * 60
_REPLICAS_FOR_A_QUORUM = 3


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """What the broker says about one topic; `retention_*` -1 is for ever."""

    name: str
    partitions: int
    replicas: int
    cleanup: str
    retention_ms: int
    retention_bytes: int
    max_message_bytes: int
    min_insync_replicas: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong: start-up goes on after a warning, and ends at a refusal."""

    severity: Literal["refusal", "warning"]
    code: str
    topic: str | None
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class TopicsReport:
    """The topics as they are (by real name), what was created, and what is wrong."""

    facts: dict[str, TopicFacts]
    findings: tuple[Finding, ...]
    created: tuple[str, ...] = ()

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """Those findings under which nothing may start."""
        return tuple(finding for finding in self.findings if finding.severity == "refusal")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Kafka and how to reach it; `embedded` is the one that we run ourselves."""

    bootstrap: str
    security: KafkaSecurity = field(default_factory=KafkaSecurity)
    embedded: bool = False


async def ensure_topics(
    cluster: Cluster, topics: Topics, replicas: int | None = None
) -> TopicsReport:
    """Creates what is missing, then checks all; `replicas` by default 3, or as many as there are.

    KafkaError where the broker refuses or cannot be reached.
    """
    async with _admin(cluster) as admin:
        existing = set(await admin.list_topics())
        missing = [(name, topic) for name, topic in topics.named() if name not in existing]
        if missing:
            brokers = len((await admin.describe_cluster())["brokers"])
            await _create(admin, missing, replicas or min(_REPLICAS_FOR_A_QUORUM, brokers))
            await _visible(admin, missing)
        report = await _check(admin, cluster, topics)
    created = tuple(name for name, _ in missing)
    return TopicsReport(report.facts, report.findings, created)


async def check_topics(cluster: Cluster, topics: Topics) -> TopicsReport:
    """What is there and what is wrong with it, changing nothing."""
    async with _admin(cluster) as admin:
        return await _check(admin, cluster, topics)


@asynccontextmanager
async def _admin(cluster: Cluster) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(
        bootstrap_servers=cluster.bootstrap, **cluster.security.client_options()
    )
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def _create(
    admin: AIOKafkaAdminClient, missing: Iterable[tuple[str, Topic]], replicas: int
) -> None:
    in_sync = str(2 if replicas >= _REPLICAS_FOR_A_QUORUM else 1)
    new = [
        NewTopic(
            name,
            topic.partitions,
            replicas,
            topic_configs={**topic.config(), "min.insync.replicas": in_sync},
        )
        for name, topic in missing
    ]
    answer = await admin.create_topics(new)
    for name, code, message in answer.topic_errors:
        if code not in {0, _ALREADY_EXISTS}:
            raise for_code(code)(f"{name}: {message}")


async def _visible(admin: AIOKafkaAdminClient, missing: Iterable[tuple[str, Topic]]) -> None:
    """Until every new partition has a leader: a producer that comes earlier would have to wait."""
    wanted = {name: topic.partitions for name, topic in missing}
    async with asyncio.timeout(_VISIBLE_SECONDS):
        while True:
            described = await admin.describe_topics(list(wanted))
            led = {
                entry["topic"]: sum(part["leader"] >= 0 for part in entry["partitions"])
                for entry in described
            }
            if led == wanted:
                return
            await asyncio.sleep(0.02)


async def _check(admin: AIOKafkaAdminClient, cluster: Cluster, topics: Topics) -> TopicsReport:
    facts = await _facts(admin, [name for name, _ in topics.named()])
    findings = list(topic_findings(topics, facts))
    if not cluster.embedded:
        findings += offsets_findings(await _offsets_retention(admin))
    return TopicsReport(facts, tuple(findings))


async def _facts(admin: AIOKafkaAdminClient, names: list[str]) -> dict[str, TopicFacts]:
    existing = set(await admin.list_topics())
    present = [name for name in names if name in existing]
    if not present:
        return {}
    described = {entry["topic"]: entry for entry in await admin.describe_topics(present)}
    configs = await _configs(admin, ConfigResourceType.TOPIC, present)
    return {name: _fact(name, described[name], configs[name]) for name in present}


def _fact(name: str, described: dict[str, Any], config: dict[str, str]) -> TopicFacts:
    return TopicFacts(
        name=name,
        partitions=len(described["partitions"]),
        replicas=min(len(part["replicas"]) for part in described["partitions"]),
        cleanup=config["cleanup.policy"],
        retention_ms=int(config["retention.ms"]),
        retention_bytes=int(config["retention.bytes"]),
        max_message_bytes=int(config["max.message.bytes"]),
        min_insync_replicas=int(config["min.insync.replicas"]),
    )


async def _configs(
    admin: AIOKafkaAdminClient, kind: ConfigResourceType, names: list[str]
) -> dict[str, dict[str, str]]:
    """The configuration of each resource; KafkaError where we may not read it."""
    found = {}
    answers = await admin.describe_configs([ConfigResource(kind, name) for name in names])
    for answer in answers:
        for code, message, _kind, name, entries in answer.resources:
            if code:
                raise for_code(code)(f"{name}: {message}")
            found[name] = {entry[0]: entry[1] for entry in entries}
    return found


async def _offsets_retention(admin: AIOKafkaAdminClient) -> int | None:
    """Minutes that the cluster keeps a group's positions; None where we may not know."""
    node = str((await admin.describe_cluster())["brokers"][0]["node_id"])
    try:
        config = (await _configs(admin, ConfigResourceType.BROKER, [node]))[node]
    except KafkaError:
        return None
    text = config.get("offsets.retention.minutes")
    return None if text is None else int(text)


def topic_findings(topics: Topics, facts: dict[str, TopicFacts]) -> Iterable[Finding]:
    """What is wrong with the topics, as far as `facts` tell."""
    for name, topic in topics.named():
        fact = facts.get(name)
        if fact is None:
            yield _refusal("topic_missing", name, "the topic is not there", "Run `waybill topics`")
            continue
        if topic is ORDER_EVENTS:
            yield from _not_for_ever(fact)
        if fact.partitions != topic.partitions:
            message = f"{fact.partitions} partitions in place of {topic.partitions}"
            yield _refusal(
                "topic_partitions", name, message, "Use a new WAYBILL_TOPIC_PREFIX and copy"
            )
        if fact.max_message_bytes < MESSAGE_LIMIT:
            message = f"takes messages up to {fact.max_message_bytes} bytes"
            yield _refusal(
                "topic_message_limit", name, message, f"Set max.message.bytes={MESSAGE_LIMIT}"
            )
        if topic.cleanup == "compact" and fact.cleanup != "compact":
            message = f"cleanup.policy is {fact.cleanup}: settings would be lost"
            yield _refusal("topic_cleanup", name, message, "Set cleanup.policy=compact")


def _not_for_ever(fact: TopicFacts) -> Iterable[Finding]:
    """The log is the only record of the orders: it must lose nothing."""
    if "compact" in fact.cleanup:
        yield _refusal(
            "topic_compacted",
            fact.name,
            "the topic is compacted: events of orders would be lost",
            "Set cleanup.policy=delete, retention.ms=-1 and retention.bytes=-1",
        )
    if fact.retention_ms != -1 or fact.retention_bytes != -1:
        yield _refusal(
            "topic_expires",
            fact.name,
            f"events expire (retention.ms={fact.retention_ms},"
            f" retention.bytes={fact.retention_bytes})",
            "Set retention.ms=-1 and retention.bytes=-1",
        )


def offsets_findings(minutes: int | None) -> Iterable[Finding]:
    """Positions that expire make a stopped worker read everything anew."""
    if minutes is None:
        yield Finding(
            "warning",
            "offsets_retention_unknown",
            None,
            "the cluster does not let us read offsets.retention.minutes",
            f"Make sure that it is {LEAST_OFFSETS_RETENTION_DAYS} days or more",
        )
    elif minutes < LEAST_OFFSETS_RETENTION_DAYS * _MINUTES_A_DAY:
        yield Finding(
            "warning",
            "offsets_retention_short",
            None,
            f"the cluster forgets a group's positions after {minutes // _MINUTES_A_DAY} days",
            f"Set offsets.retention.minutes={LEAST_OFFSETS_RETENTION_DAYS * _MINUTES_A_DAY}",
        )


def _refusal(code: str, topic: str, message: str, remedy: str) -> Finding:
    return Finding("refusal", code, topic, message, remedy)
