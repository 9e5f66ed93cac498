"""Activation: the service of a subscription begins that was sold without a day for it."""

from typing import Any

from plugins.api import Conversation, Done, Step
from plugins.connectors.zuora.asking import done, path_of
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.effective import Effective, taken, wanted
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.external import synchronised
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.subscription import Subscription, read
from schemas.steps import ErrorKind

_WAITS, _ACTIVE = "Pending", "Active"
_MISSING = {
    "Pending Activation": ("ServiceActivation", "CustomerAcceptance"),
    "Pending Acceptance": ("CustomerAcceptance",),
}


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """Give the order that sold it its days, then hand on what the subscription has become."""
    subscription = yield from read(step)
    if subscription.status == _ACTIVE:
        return _activated(step, subscription)
    body, number = _body(step, subscription), subscription.order_number or ""
    path = path_of("orders", number, "triggerDates")
    yield from done(step, "PUT", path, body, "set-trigger-dates")
    return _activated(step, (yield from read(step)))


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """The subscription's status tells whether the days arrived."""
    subscription = yield from read(step)
    if (subscription.status or "").startswith(_WAITS):
        return step.not_done()
    return _activated(step, subscription)


def _body(step: Step[ZuoraOptions], subscription: Subscription) -> dict[str, Any]:
    """Acceptance never comes before activation, so whichever is missing gets the same day."""
    missing = _MISSING.get(subscription.status or "")
    if missing is None or subscription.order_number is None:
        status = (subscription.status or "unknown").lower()
        message = (
            f"the subscription {subscription.number} is {status}: only one that is Pending "
            "Activation or Pending Acceptance can be activated"
        )
        words = f"This subscription is {status}, so it cannot be activated."
        raise unfit("subscription_not_pending", message, ErrorKind.PERMANENT, words)
    on = _day(step, subscription).iso
    # A pending subscription takes no other order, so its latest is the one that sold it.
    dates = [{"name": name, "triggerDate": on} for name in missing]
    actions = [{"sequence": 0, "triggerDates": dates}]
    return {"subscriptions": [{"subscriptionNumber": subscription.number, "orderActions": actions}]}


def _day(step: Step[ZuoraOptions], subscription: Subscription) -> Effective:
    return taken(step, subscription, wanted(step, None) or "immediately")


def _activated(step: Step[ZuoraOptions], subscription: Subscription) -> Done:
    """What was moved into the term says so again, however often it is asked."""
    day = _day(step, subscription)
    return Done(
        **synchronised(step, subscription),
        **given(
            orderNumber=subscription.order_number,
            effectiveDate=day.iso,
            warnings=list(day.warnings) or None,
        ),
    )
