"""Stripe: a second billing system, for new orders, cancellations and changed addresses."""

from plugins.connectors.stripe.connector import stripe
from plugins.connectors.stripe.examples import EXAMPLES
from plugins.connectors.stripe.options import StripeOptions

__all__ = ["EXAMPLES", "StripeOptions", "stripe"]
