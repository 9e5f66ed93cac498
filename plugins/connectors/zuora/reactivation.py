"""A subscription whose cancellation is booked but has not come yet: that is taken back first."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from datetime import date
from functools import partial
from typing import Any

from plugins.api import Conversation, Failed, Reply, Request, Step
from plugins.connectors.zuora.asking import attempted, done, found, path_of
from plugins.connectors.zuora.changing import CREATE, Change, Planned
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.subscription import Subscription, read, today_of
from plugins.limio import parts, text
from plugins.zuora import triggers
from schemas.steps import ErrorKind

_LONGEST_NUMBER = 100
_IN_FORCE = frozenset({"Completed", "Pending", "Scheduled"})


def clears_cancel(step: Step[ZuoraOptions], subscription: Subscription) -> dict[str, bool]:
    """The member of the terms that takes a cancellation back that the terms have scheduled."""
    at = subscription.scheduled_cancel
    pending = at is not None and at > today_of(step)
    return {"clearingScheduledCancelDate": True} if pending else {}


def is_taken_back_first(step: Step[ZuoraOptions], subscription: Subscription) -> bool:
    """Whether an order that cancels it has to be deleted before anything else can be done."""
    pending = subscription.pending_cancel(today_of(step))
    return pending is not None and not clears_cancel(step, subscription)


def reactivated(
    step: Step[ZuoraOptions], subscription: Subscription, change: Change, planned: Planned
) -> Generator[Request, Reply, Change]:
    """Delete the order that cancels, then plan the change on what is there again.

    The change was planned before, so that what is wrong with it is known while the cancellation
    still stands. Where Zuora does not take the change after all, the cancellation is booked again.
    """
    end = subscription.pending_cancel(today_of(step))
    if end is None or not is_taken_back_first(step, subscription):
        return change
    number = yield from _cancelling_order(step, subscription)
    yield from done(step, "DELETE", path_of("orders", number), None, "delete-cancel-order")
    again = yield from planned(step, (yield from read(step)))
    return replace(again, refused=partial(_cancelled_again, step, subscription, number, end))


def _cancelled_again(
    step: Step[ZuoraOptions],
    subscription: Subscription,
    number: str,
    end: date,
    failed: Failed,
) -> Conversation:
    """Who had cancelled and could not come back has still cancelled.

    Every deleted order is followed by another one with a number of its own, however often the
    change is tried.
    """
    anew = f"{number}-R"[-_LONGEST_NUMBER:]
    body = _cancelling_again(step, subscription, anew, end)
    reply = yield from attempted(step, "POST", path_of("orders"), body, f"cancel-as-{anew}")
    said = f"the cancellation as of {end} is booked again as {anew}"
    if not isinstance(reply, Reply):
        said = f"its cancellation as of {end} is gone ({reply.message}): book it again in Zuora"
    return replace(failed, message=f"{failed.message}; {said}", call=CREATE)


def _cancelling_again(
    step: Step[ZuoraOptions], subscription: Subscription, number: str, end: date
) -> dict[str, Any]:
    action = {
        "type": "CancelSubscription",
        "triggerDates": triggers(min(today_of(step), end).isoformat()),
        "cancelSubscription": {
            "cancellationPolicy": "SpecificDate",
            "cancellationEffectiveDate": end.isoformat(),
        },
    }
    cancelled = {"subscriptionNumber": subscription.number, "orderActions": [action]}
    return {
        "orderDate": str(step.order["effective_date"]),
        "orderNumber": number,
        "category": "NewSales",
        "existingAccountNumber": subscription.account_number,
        "subscriptions": [cancelled],
        "processingOptions": {"runBilling": False},
    }


def _cancelling_order(
    step: Step[ZuoraOptions], subscription: Subscription
) -> Generator[Request, Reply, str]:
    """The latest of the subscription's orders; another one cannot be deleted."""
    reply = yield from found(step, path_of("orders", "subscription", subscription.number))
    orders = [one for one in parts(reply and reply.body, "orders") if _stands(one)]
    cancelling = [one for one in orders if _cancels(one, subscription.number)]
    latest = max(cancelling, key=lambda one: text(one, "createdDate") or "", default=None)
    number = text(latest, "orderNumber")
    if number is None:
        message = (
            f"the subscription {subscription.number} ends on a day to come, but none of its "
            "orders cancels it; take the cancellation back in Zuora, then retry the step"
        )
        raise unfit("cancel_order_unknown", message, ErrorKind.PERMANENT)
    return number


def _stands(order: Mapping[str, Any]) -> bool:
    return text(order, "status") in _IN_FORCE


def _cancels(order: Mapping[str, Any], subscription: str) -> bool:
    return any(
        text(act, "type") == "CancelSubscription"
        for one in parts(order, "subscriptions")
        if text(one, "subscriptionNumber") == subscription
        for act in parts(one, "orderActions")
    )
