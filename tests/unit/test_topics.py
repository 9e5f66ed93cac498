"""The table of topics: what holds for ever, what expires, and the names under a prefix."""

from datetime import timedelta

from streams.topics import MESSAGE_LIMIT, ORDER_EVENTS, ORDERS, TOPICS, Topics


def test_order_events_are_kept_for_ever_and_never_compacted() -> None:
    config = ORDER_EVENTS.config()
    assert config["cleanup.policy"] == "delete"
    assert (config["retention.ms"], config["retention.bytes"]) == ("-1", "-1")
    assert ORDER_EVENTS.partitions == 8


def test_orders_expire_after_14_days_by_the_clock_of_the_broker() -> None:
    assert ORDERS.retention == timedelta(days=14)
    assert ORDERS.config()["retention.ms"] == "1209600000"
    assert ORDERS.config()["message.timestamp.type"] == "LogAppendTime"


def test_no_topic_takes_less_than_4_mib() -> None:
    assert MESSAGE_LIMIT == 4 * 1024 * 1024
    assert all(topic.max_message_bytes >= MESSAGE_LIMIT for topic in TOPICS)


def test_compacted_topics_never_expire() -> None:
    compacted = {topic.name for topic in TOPICS if topic.cleanup == "compact"}
    assert compacted == {"processing-configs", "webhook-endpoints", "stage-controls"}
    assert all(topic.retention is None for topic in TOPICS if topic.name in compacted)


def test_a_prefix_goes_before_every_name() -> None:
    topics = Topics("shop.")
    assert topics.orders == "shop.orders"
    assert topics.order_events == "shop.order-events"
    assert [name for name, _ in topics.named()] == ["shop." + topic.name for topic in TOPICS]


def test_without_a_prefix_the_names_are_those_of_the_table() -> None:
    assert Topics().orders_rejected == "orders-rejected"
    assert Topics() == Topics("")
