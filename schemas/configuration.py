"""The processing configuration: which plugins an order passes, as tenants write it."""

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

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


class PluginEntry(_Part):
    """One plugin of a sequence: Limio's four members, and ours.

    `id` is the step's id, by default the plugin's name, then `name-2` ... `when` decides whether
    the step runs, `items` which order items it gets (asked of each item), `map` picks values from
    `{order, context}` for the request. `timeout` is in seconds.
    """

    name: str = Field(min_length=1)
    service: str | None = None
    critical: bool = True
    options: dict[str, Any] = {}
    id: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")
    when: Expression | None = None
    items: Expression | None = None
    map: dict[str, Expression] | None = None
    retry: Literal["none"] = "none"
    timeout: float | None = Field(default=None, gt=0, le=45)
    on_unknown: OnUnknown | None = None


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


class Configuration(_Part):
    """A tenant's processing configuration, one version of it."""

    version: int = Field(ge=1, le=2**31 - 1)
    axes: Axes = Axes()
    order_types: list[str] = []
    sequence: list[PluginEntry]
    post: list[PluginEntry] = []
    overrides: list[Override] = []
