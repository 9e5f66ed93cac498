"""Scripted steps for the contract suite, a module for each journey."""

from collections.abc import Sequence

from plugins.api import Example
from plugins.connectors.zuora.examples import (
    add_offer,
    cancel,
    change_offer,
    gift,
    new_order,
    people,
    refund,
    renew,
    synchronising,
    update_subscription,
)

EXAMPLES: Sequence[Example] = (
    *new_order.EXAMPLES,
    *gift.EXAMPLES,
    *change_offer.EXAMPLES,
    *add_offer.EXAMPLES,
    *cancel.EXAMPLES,
    *renew.EXAMPLES,
    *update_subscription.EXAMPLES,
    *refund.EXAMPLES,
    *people.EXAMPLES,
    *synchronising.EXAMPLES,
)
