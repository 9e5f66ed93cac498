"""The settings of the Stripe plugin."""

from typing import Literal

from pydantic import Field

from plugins.api import Options
from plugins.hooks import HookName


class StripeOptions(Options):
    """Under the names of what they set in Stripe, as far as there are any.

    `matchByEmail`: a customer with the buyer's e-mail address is the buyer. `daysUntilDue` is for
    those who pay by invoice. `cancel` says when a cancellation counts whose order names no day.
    `beforeStripeSubscription` names a hook of the tenant's that may change the request for a
    subscription before it is sent.
    """

    match_by_email: bool = Field(default=True, alias="matchByEmail")
    days_until_due: int = Field(default=30, alias="daysUntilDue", ge=1, le=365)
    cancel: Literal["end_of_period", "now"] = "end_of_period"
    before_stripe_subscription: HookName | None = Field(
        default=None, alias="beforeStripeSubscription"
    )
    api_version: str = Field(
        default="2024-06-20", alias="apiVersion", pattern=r"^\d{4}-\d{2}-\d{2}(\.[a-z]+)?$"
    )
