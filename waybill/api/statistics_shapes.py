"""The shapes of statistics: what stages did and what became of orders, over a span of time."""

from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from waybill.api.shapes import Moment, Reread


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StatisticsQuery(Reread):
    """What to sum up."""

    by: Literal["stage", "order_type"] = Field(
        default="stage", description="stage: what each plugin did; order_type: what became of them"
    )
    from_: Moment | None = Field(
        default=None, alias="from", description="Taken down to the whole hour; a day ago by default"
    )
    to: Moment | None = Field(
        default=None, description="Taken up to the whole hour; now by default"
    )
    interval: Literal["hour", "day"] | None = Field(
        default=None, description="One item per hour or day (UTC) instead of one for all"
    )
    name: str | None = Field(
        default=None, max_length=255, description="One plugin or order type; all by default"
    )
    mode: Literal["production", "test"] | None = None


class StageCounts(_Shape):
    """Steps of one plugin by outcome."""

    attempts: int = Field(description="Those that were sent")
    succeeded: int
    failed: int = Field(description="Attempts, also those that were followed by another one")
    in_doubt: int
    skipped: int
    deferred: int = Field(description="Not sent: the stage was held, busy, or its breaker open")
    compensated: int
    compensation_failed: int
    repeated: int = Field(description="Failures that another attempt followed")
    callouts: int


class TypeCounts(_Shape):
    """Orders of one type by what became of them."""

    accepted: int
    completed: int
    failed: int = Field(description="Runs: an order that is reopened may fail again")
    cancelled: int
    reopened: int


class Durations(_Shape):
    """Milliseconds: of a step's exchanges, or from acceptance to completion.

    Percentiles are middles of buckets, of which there are two for each doubling: at most a fifth
    off, but no closer than half a millisecond.
    """

    count: int
    mean: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class ErrorCause(_Shape):
    """A cause of failures, and how many it had."""

    plugin: str
    kind: Literal[
        "transient", "rate_limited", "contention", "permanent", "declined", "misconfigured"
    ]
    code: str
    count: int


class Statistic(_Shape):
    """One plugin or order type during one span."""

    name: str
    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime
    counts: StageCounts | TypeCounts
    per_hour: float = Field(description="Attempts, or accepted orders")
    success: float | None = Field(
        description="Share of attempts that succeeded, or of ended runs that were completed"
    )
    duration_ms: Durations
    errors: list[ErrorCause] = Field(description="The most frequent causes first, 20 at most")


class StatisticsPage(_Shape):
    """All of the span; what never happened is not there."""

    by: Literal["stage", "order_type"]
    from_: AwareDatetime = Field(alias="from")
    to: AwareDatetime
    interval: Literal["hour", "day"] | None
    items: list[Statistic]
    next: None
