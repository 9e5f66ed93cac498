"""Add an offer, or a discount that keeps a subscriber: the rate plans come on beside the others."""

from collections.abc import Generator

from plugins.api import Conversation, Reply, Request, Step
from plugins.connectors.zuora.changing import Change, billing, carried_out
from plugins.connectors.zuora.effective import Effective, effective
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.previewing import foretold
from plugins.connectors.zuora.rate_plans import resolved
from plugins.connectors.zuora.reference_fields import reason_fields
from plugins.connectors.zuora.replacing import added
from plugins.connectors.zuora.subscription import (
    Subscription,
    overtaken,
    require_active,
    today_of,
)
from plugins.limio import items
from schemas.steps import ErrorKind


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """One order."""
    return (yield from carried_out(step, planned))


def preview(step: Step[ZuoraOptions]) -> Conversation:
    """What it would cost, and from when."""
    return (yield from foretold(step, planned))


def planned(
    step: Step[ZuoraOptions], subscription: Subscription
) -> Generator[Request, Reply, Change]:
    """Each offer counts from the day that it says, by default from the end of the term."""
    require_active(step, subscription)
    offers = items(step.order)
    if not offers:
        message = "the order has no orderItems for zuora, so nothing says which offer it adds"
        raise unfit("items_missing", message, ErrorKind.PERMANENT)
    plans = yield from resolved(step, offers)
    dated = [
        (effective(step, subscription, offer), offer, wanted)
        for offer, wanted in zip(offers, plans, strict=True)
    ]
    # Zuora wants the actions of an order in the order of their days.
    dated.sort(key=lambda one: one[0].day)
    for at, _, _ in dated:
        _require_time(step, subscription, at)
    first = dated[0][0]
    warnings = tuple(dict.fromkeys(said for at, _, _ in dated for said in at.warnings))
    return Change(
        actions=[act for at, offer, on in dated for act in added(step, offer, on, at.iso)],
        effective=Effective(first.day, warnings),
        processing=billing(step, first),
        fields=reason_fields(step),
    )


def _require_time(step: Step[ZuoraOptions], subscription: Subscription, at: Effective) -> None:
    """What would begin when the subscription is over never begins."""
    end = subscription.pending_cancel(today_of(step))
    if end is not None and at.day >= end:
        message = (
            f"the subscription {subscription.number} is cancelled as of {end}, so an offer from "
            f"{at.iso} on would never begin; send change_offer to take the cancellation back"
        )
        words = f"This subscription ends on {end}, so nothing can be added after that."
        raise overtaken("subscription_cancelled", message, words)
