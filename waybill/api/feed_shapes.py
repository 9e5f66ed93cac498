"""What a stream of events can be asked for."""

from pydantic import BaseModel, ConfigDict, Field

from waybill.api.tokens import ORDER_ID


class FeedQuery(BaseModel):
    """Which events; all of the tenant's by default."""

    model_config = ConfigDict(extra="forbid")

    order: str | None = Field(
        default=None, pattern=f"^{ORDER_ID}$", description="Those of one order, by its id"
    )
    type: str | None = Field(
        default=None,
        max_length=1000,
        description="Those of these types, by commas, for instance `OrderCompleted,OrderFailed`",
    )
    stage: str | None = Field(
        default=None, max_length=255, description="Those about steps of this plugin"
    )
