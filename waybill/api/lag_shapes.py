"""The shapes of lag: how far each reader of a topic is."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class PartitionLag(_Shape):
    """A reader's place in one partition, as Kafka counts: both are the offset that comes next."""

    partition: int
    end: int = Field(description="The offset that is written next")
    position: int = Field(description="The offset that is read next")
    behind: int
    waiting_s: float | None = Field(
        description="How long the record at `position` waits; null where there is none"
    )


class ReaderLag(_Shape):
    """One reader of a topic, its partitions added up."""

    name: Literal["intake", "commands", "worker", "views", "outlet", "webhooks"]
    topic: str
    group: str | None = Field(description="The consumer group; null: the store has the place")
    behind: int
    waiting_s: float | None = Field(description="Of the record that waits the longest")
    partitions: list[PartitionLag]


class LagPage(_Shape):
    """All readers, in the way of an order."""

    at: AwareDatetime
    items: list[ReaderLag]
    next: None
