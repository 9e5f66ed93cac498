"""The processing configuration: which plugins an order passes, as tenants write it."""

from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    model_validator,
)

from schemas.expressions import compiled
from schemas.steps import OnUnknown


def _expression(text: str) -> str:
    compiled(text)
    return text


Expression: TypeAlias = Annotated[str, AfterValidator(_expression)]
"""A JMESPath expression."""


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


Values: TypeAlias = Annotated[list[str], BeforeValidator(_as_list), Field(min_length=1)]
"""One value or a list of them."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class RetryPolicy(_Part):
    """When a failed attempt is followed by another one; what is left out is the default.

    `attempts` counts the first one too. Pauses double from `first_s` to `longest_s` seconds, each
    with full jitter; none begins later than `age_s` after the first failure.
    """

    attempts: int | None = Field(default=None, ge=1, le=1000)
    first_s: float | None = Field(default=None, gt=0, le=86_400)
    longest_s: float | None = Field(default=None, gt=0, le=86_400)
    age_s: float | None = Field(default=None, gt=0, le=30 * 86_400)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        first, longest = self.first_s, self.longest_s
        if first is not None and longest is not None and first > longest:
            raise ValueError("first_s must not be longer than longest_s")
        return self


def _retrying(value: Any) -> str:
    return "policy" if isinstance(value, dict | RetryPolicy) else "none"


Retrying: TypeAlias = Annotated[
    Annotated[Literal["none"], Tag("none")] | Annotated[RetryPolicy, Tag("policy")],
    Discriminator(_retrying),
]
"""`none`, or a policy."""


class PluginEntry(_Part):
    """One plugin of a sequence: Limio's four members, and ours.

    `id` is the step's id, by default the plugin's name, then `name-2` ... `when` decides whether
    the step runs, `items` which order items it gets (asked of each item), `map` picks values from
    `{order, context}` for the request. `retry` `none`: the first failure is the last; left out,
    critical steps are retried for a day, others for an hour. `timeout` is in seconds.
    `compensate`: what the step did is undone where the order is cancelled, or amended behind it.
    """

    name: str = Field(min_length=1)
    service: str | None = None
    critical: bool = True
    options: dict[str, Any] = {}
    id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    when: Expression | None = None
    items: Expression | None = None
    map: dict[str, Expression] | None = None
    retry: Retrying | None = None
    timeout: float | None = Field(default=None, gt=0, le=45)
    on_unknown: OnUnknown | None = None
    compensate: bool = False


class Axes(_Part):
    """How the three axes are read from an order (JMESPath)."""

    order_type: Expression = "order_type"
    processing_type: Expression = "processing_type || sourceDetails.processing_type || 'standard'"
    offer_type: Expression | None = None


class Override(_Part):
    """Another sequence, or a shorter one, for the orders that all named axes match."""

    order_type: Values | None = None
    processing_type: Values | None = None
    offer_type: Values | None = None
    sequence: list[PluginEntry] | None = None
    exclude: Values | None = None
    post: list[PluginEntry] | None = None


LaneBy: TypeAlias = Literal["subscription", "customer"]
"""What parts orders into lanes, whose orders never overtake each other."""


class Configuration(_Part):
    """A tenant's processing configuration, one version of it.

    `lane_by` says whose orders run one at a time and in order: those of one subscription, or of
    one customer (see lanes). `strictTotals` refuses an order whose `total` is not what its items
    cost, less its `orderDiscount`; otherwise that is a warning in its process event.
    """

    version: int = Field(ge=1, le=2**31 - 1)
    axes: Axes = Axes()
    lane_by: LaneBy = "subscription"
    strict_totals: bool = Field(default=False, alias="strictTotals")
    order_types: list[str] = []
    sequence: list[PluginEntry]
    post: list[PluginEntry] = []
    overrides: list[Override] = []
