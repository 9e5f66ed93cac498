"""The topics: one table of names, keys, partitions and retention, and their real names."""

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

MESSAGE_LIMIT = 4 * 1024 * 1024
"""Bytes. The least limit under which the largest event (order, waybill and outputs) fits."""

SEALED_LIMIT = 2 * MESSAGE_LIMIT
"""Bytes. A rejected order is kept sealed, which makes it longer than it was."""

PARTITIONER = "murmur2"
"""How a key chooses its partition: recorded with the partition count of `order-events`."""

PARTITIONS = 8


@dataclass(frozen=True, slots=True)
class Topic:
    """What one topic is: `retention` None means for ever, `max_message_bytes` counts bytes."""

    name: str
    key: str
    cleanup: Literal["delete", "compact"] = "delete"
    retention: timedelta | None = None
    partitions: int = PARTITIONS
    max_message_bytes: int = MESSAGE_LIMIT
    append_time: bool = False

    @property
    def retention_ms(self) -> int:
        """Milliseconds as Kafka writes them: -1 is for ever."""
        return -1 if self.retention is None else self.retention // timedelta(milliseconds=1)

    def config(self) -> dict[str, str]:
        """The topic's settings on the broker, replication left out."""
        config = {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(self.retention_ms),
            "retention.bytes": "-1",
            "max.message.bytes": str(self.max_message_bytes),
        }
        if self.cleanup == "compact":
            config["min.compaction.lag.ms"] = str(_COMPACTED_AFTER // timedelta(milliseconds=1))
        if self.append_time:
            # A producer's clock must not decide how long an accepted order is kept.
            config["message.timestamp.type"] = "LogAppendTime"
        return config


_COMPACTED_AFTER = timedelta(days=1)
"""Until then somebody has restated what holds behind what does not, even if all were down."""
_INBOX = timedelta(days=14)
_OUTBOX = timedelta(days=30)

ORDERS = Topic("orders", "any; intake re-keys", retention=_INBOX, append_time=True)
ORDER_COMMANDS = Topic("order-commands", "any; intake re-keys", retention=_INBOX, append_time=True)
ORDER_EVENTS = Topic("order-events", "lane id")
ORDER_UPDATES = Topic("order-updates", "lane id", retention=_OUTBOX)
ORDER_COMPLETED = Topic("order-completed", "lane id", retention=_OUTBOX)
ORDER_FAILED = Topic("order-failed", "lane id", retention=_OUTBOX)
ORDERS_REJECTED = Topic(
    "orders-rejected", "original key", retention=_OUTBOX, max_message_bytes=SEALED_LIMIT
)
PROCESSING_CONFIGS = Topic("processing-configs", "tenant", cleanup="compact", partitions=1)
WEBHOOK_ENDPOINTS = Topic("webhook-endpoints", "endpoint id", cleanup="compact", partitions=1)
STAGE_CONTROLS = Topic("stage-controls", "tenant and stage", cleanup="compact", partitions=1)

TOPICS: tuple[Topic, ...] = (
    ORDERS,
    ORDER_COMMANDS,
    ORDER_EVENTS,
    ORDER_UPDATES,
    ORDER_COMPLETED,
    ORDER_FAILED,
    ORDERS_REJECTED,
    PROCESSING_CONFIGS,
    WEBHOOK_ENDPOINTS,
    STAGE_CONTROLS,
)


@dataclass(frozen=True, slots=True)
class Topics:
    """The real names of the topics; `prefix` tells installations on one Kafka apart."""

    prefix: str = ""
    orders: str = field(init=False)
    order_commands: str = field(init=False)
    order_events: str = field(init=False)
    order_updates: str = field(init=False)
    order_completed: str = field(init=False)
    order_failed: str = field(init=False)
    orders_rejected: str = field(init=False)
    processing_configs: str = field(init=False)
    webhook_endpoints: str = field(init=False)
    stage_controls: str = field(init=False)

    def __post_init__(self) -> None:
        for name, topic in self.named():
            object.__setattr__(self, topic.name.replace("-", "_"), name)

    def named(self) -> tuple[tuple[str, Topic], ...]:
        """Each topic of the table with its real name."""
        return tuple((self.prefix + topic.name, topic) for topic in TOPICS)
