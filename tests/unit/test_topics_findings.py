"""Under which topics nothing may start, and what is worth a warning."""

from dataclasses import replace

import pytest

from streams.kafka.admin import Finding, TopicFacts, offsets_findings, topic_findings
from streams.topics import Topics

TOPICS = Topics()


def facts() -> dict[str, TopicFacts]:
    return {
        name: TopicFacts(
            name=name,
            partitions=topic.partitions,
            replicas=1,
            cleanup=topic.cleanup,
            retention_ms=topic.retention_ms,
            retention_bytes=-1,
            max_message_bytes=topic.max_message_bytes,
            min_insync_replicas=1,
        )
        for name, topic in TOPICS.named()
    }


def found(name: str, **changed: object) -> list[Finding]:
    given = facts()
    given[name] = replace(given[name], **changed)
    return list(topic_findings(TOPICS, given))


def test_topics_as_in_the_table_are_fine() -> None:
    assert list(topic_findings(TOPICS, facts())) == []


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"cleanup": "compact"}, "topic_compacted"),
        ({"cleanup": "compact,delete"}, "topic_compacted"),
        ({"retention_ms": 604_800_000}, "topic_expires"),
        ({"retention_bytes": 1_000_000}, "topic_expires"),
        ({"partitions": 12}, "topic_partitions"),
        ({"max_message_bytes": 1_048_588}, "topic_message_limit"),
    ],
)
def test_order_events_that_could_lose_an_event_are_refused(
    changed: dict[str, object], code: str
) -> None:
    (finding,) = found("order-events", **changed)
    assert (finding.severity, finding.code, finding.topic) == ("refusal", code, "order-events")
    assert finding.remedy


def test_settings_that_would_be_lost_are_refused() -> None:
    (finding,) = found("webhook-endpoints", cleanup="delete")
    assert finding.code == "topic_cleanup"


def test_orders_may_be_kept_longer_than_the_table_says() -> None:
    assert found("orders", retention_ms=-1) == []


def test_positions_kept_below_90_days_are_a_warning() -> None:
    (finding,) = offsets_findings(7 * 24 * 60)
    assert (finding.severity, finding.code) == ("warning", "offsets_retention_short")
    assert list(offsets_findings(90 * 24 * 60)) == []
    (unknown,) = offsets_findings(None)
    assert unknown.severity == "warning"
