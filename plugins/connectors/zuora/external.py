"""External: something happened in Zuora itself; hand on what the subscription has become."""

from typing import Any

from plugins.api import Conversation, Done, Step
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.subscription import Subscription, read, today_of


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """Nothing is changed: it has happened already."""
    subscription = yield from read(step)
    return Done(**synchronised(step, subscription))


def synchronised(step: Step[ZuoraOptions], subscription: Subscription) -> dict[str, Any]:
    """The subscription as later steps and subscribers of events want to know it."""
    ends = subscription.pending_cancel(today_of(step))
    days = {
        "termStartDate": subscription.term_start,
        "termEndDate": subscription.term_end,
        "chargedThroughDate": subscription.charged_through,
        "cancelledFrom": ends,
    }
    return given(
        accountNumber=subscription.account_number,
        accountId=subscription.account_id,
        subscriptionNumber=subscription.number,
        subscriptionNumbers=[subscription.number],
        subscriptionId=subscription.id,
        status=subscription.status,
        version=subscription.version,
        currency=subscription.currency,
        autoRenew=subscription.auto_renew,
        ratePlans=[
            given(name=plan.name, productRatePlanId=plan.product_rate_plan)
            for plan in subscription.active_plans
        ],
        **{name: day.isoformat() for name, day in days.items() if day is not None},
    )
