"""The settings of the Stripe plugin."""

from typing import Literal

from pydantic import Field

from plugins.api import Options
from plugins.hooks import HookName


class StripeOptions(Options):
    """Under the names of what they set in Stripe, as far as there are any."""

    match_by_email: bool = Field(default=True, alias="matchByEmail")
    """A customer with the buyer's e-mail address is the buyer."""
    days_until_due: int = Field(default=30, alias="daysUntilDue", ge=1, le=365)
    """Days to pay within, of those who pay by invoice."""
    cancel: Literal["end_of_period", "now"] = "end_of_period"
    """When a cancellation counts whose order names no day."""
    before_stripe_subscription: HookName | None = Field(
        default=None, alias="beforeStripeSubscription"
    )
    """A hook of the tenant's that may change the request for a subscription."""
    api_version: str = Field(
        default="2024-06-20", alias="apiVersion", pattern=r"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$"
    )
    """Version of Stripe's API."""
