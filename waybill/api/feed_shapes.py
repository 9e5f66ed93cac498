"""What a stream of events can be asked for."""

from typing import get_args

from pydantic import BaseModel, ConfigDict, Field

from schemas.events import CommandReceived, Decision, OrderAccepted, Result
from waybill.api.tokens import ORDER_ID

TYPES = tuple(
    kind.__name__
    for kind in (OrderAccepted, CommandReceived, *get_args(Result), *get_args(Decision))
)
_SOME = f"({'|'.join(TYPES)})"


class FeedQuery(BaseModel):
    """Which events; all of the tenant's by default."""

    model_config = ConfigDict(extra="forbid")

    order: str | None = Field(
        default=None, pattern=f"^{ORDER_ID}$", description="Those of one order, by its id"
    )
    type: str | None = Field(
        default=None,
        min_length=1,
        max_length=1000,
        description="Those of these types, by commas, for instance `OrderCompleted,OrderFailed`",
        json_schema_extra={"pattern": f"^{_SOME}(,{_SOME})*$"},
    )
    stage: str | None = Field(
        default=None, max_length=255, description="Those about steps of this plugin"
    )
