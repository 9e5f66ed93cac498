"""Switch: new terms, the old offer's rate plans off, the new one's on, in one order."""

from collections.abc import Generator, Mapping, Sequence
from typing import Any

from plugins.api import Conversation, Reply, Request, Step
from plugins.connectors.zuora.changing import Change, action, billing, carried_out
from plugins.connectors.zuora.custom_fields import given, rate_plan_fields
from plugins.connectors.zuora.effective import effective
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.payment_methods import (
    Method,
    apm_fields,
    method_of,
    profile,
    taken_over,
)
from plugins.connectors.zuora.previewing import foretold
from plugins.connectors.zuora.prices import subscribed
from plugins.connectors.zuora.rate_plans import RatePlan, resolved
from plugins.connectors.zuora.reactivation import clears_cancel, reactivated
from plugins.connectors.zuora.reference_fields import reason_fields
from plugins.connectors.zuora.replacing import added, original_plans, removed
from plugins.connectors.zuora.subscription import (
    SubscribedPlan,
    Subscription,
    require_active,
)
from plugins.connectors.zuora.terms import terms_of
from plugins.limio import items, offer_attributes, offer_type, parts, text
from schemas.steps import ErrorKind

_NO_OFFER = "the order has no orderItems for zuora, so nothing says which offer it changes to"


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """One order; a cancellation that has not come yet is taken back, a new method attached."""
    return (yield from carried_out(step, planned, _prepared))


def preview(step: Step[ZuoraOptions]) -> Conversation:
    """What it would cost, and from when."""
    return (yield from foretold(step, planned, reactivates=True))


def planned(
    step: Step[ZuoraOptions], subscription: Subscription
) -> Generator[Request, Reply, Change]:
    """All actions count from the same day, which the new offer says."""
    require_active(step, subscription)
    offers = new_offers(step)
    _require_same_currency(subscription, offers)
    old = original_plans(step, subscription)
    plans = yield from resolved(step, offers)
    at, method = effective(step, subscription, offers[0]), method_of(step)
    terms = {
        **changed_terms(offers, at.iso),
        **clears_cancel(step, subscription),
        **own_method(step, method),
    }
    actions = [
        action(step, "TermsAndConditions", at.iso, termsAndConditions=given(**terms)),
        *_exchanged(step, old, list(zip(offers, plans, strict=True)), at.iso),
    ]
    return Change(
        actions=actions,
        effective=at,
        processing=billing(step, at, method),
        fields={**reason_fields(step), **apm_fields(step, method)},
    )


def new_offers(step: Step[ZuoraOptions]) -> list[Mapping[str, Any]]:
    """What the order changes to; a discount is added, not changed to."""
    offers = [item for item in items(step.order) if _is_added(item)]
    if not offers:
        raise unfit("items_missing", _NO_OFFER, ErrorKind.PERMANENT)
    if any(offer_type(item) == "discount" for item in offers):
        message = "a subscription cannot change to a discount offer; send it as add_offer"
        raise unfit("discount_offer", message, ErrorKind.PERMANENT)
    return offers


def changed_terms(offers: Sequence[Mapping[str, Any]], start: str) -> dict[str, Any]:
    """The term that begins with the change, and how it is renewed."""
    terms = [terms_of(item, start) for item in offers]
    if any(other != terms[0] for other in terms):
        message = "the offers of one subscription need the same term__limio and autoRenew__limio"
        raise unfit("terms_differ", message)
    renewal = {name: value for name, value in terms[0].items() if name != "initialTerm"}
    return {"lastTerm": terms[0]["initialTerm"], **renewal}


def own_method(step: Step[ZuoraOptions], method: Method | None) -> dict[str, Any]:
    """The subscription's payment profile, where the order names a method."""
    if method is None or not step.options.payment_profiles:
        return {}
    return {"paymentProfile": profile(step, method)}


def _prepared(
    step: Step[ZuoraOptions], subscription: Subscription, change: Change
) -> Generator[Request, Reply, Change]:
    yield from taken_over(step, subscription.account_number, method_of(step))
    return (yield from reactivated(step, subscription, change, planned))


def _exchanged(
    step: Step[ZuoraOptions],
    old: Sequence[SubscribedPlan],
    new: Sequence[tuple[Mapping[str, Any], tuple[RatePlan, ...]]],
    on: str,
) -> list[dict[str, Any]]:
    """Zuora's Change Plan reports upgrades, but knows one plan for one."""
    one_for_one = len(old) == 1 and len(new) == 1 and len(new[0][1]) == 1
    if step.options.change_plan and one_for_one:
        [(item, plans)] = new
        [entry] = subscribed(step, item, plans)
        wanted = given(**entry, customFields=rate_plan_fields(step, item))
        changed = {
            "ratePlanId": old[0].id,
            "effectivePolicy": "SpecificDate",
            "newProductRatePlan": wanted,
        }
        return [action(step, "ChangePlan", on, changePlan=changed)]
    gone = [removed(step, plan, on) for plan in old]
    return gone + [act for item, plans in new for act in added(step, item, plans, on)]


def _is_added(item: Mapping[str, Any]) -> bool:
    return (text(item, "orderItemActionType") or "add") == "add"


def _require_same_currency(subscription: Subscription, offers: Sequence[Mapping[str, Any]]) -> None:
    """Zuora bills a subscription in one currency for ever."""
    named = [text(item, "price", "currency") for item in offers]
    named += [
        text(price, "currencyCode")
        for item in offers
        for price in parts(offer_attributes(item), "price__limio")
    ]
    other = next((one for one in named if one and one != subscription.currency), None)
    if other is not None and subscription.currency is not None:
        message = (
            f"the subscription {subscription.number} is billed in {subscription.currency}, the "
            f"new offer in {other}; cancel it and sell a new one"
        )
        words = "This offer is sold in another currency than your subscription."
        raise unfit("currency_differs", message, ErrorKind.PERMANENT, words)
