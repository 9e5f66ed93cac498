"""Renew: one more term, another term or offer, for ever, early, or anew when it is over."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from plugins.api import Conversation, Reply, Request, Step
from plugins.connectors.zuora import foretelling, new_order
from plugins.connectors.zuora.change_offer import changed_terms, new_offers, own_method
from plugins.connectors.zuora.changing import (
    Change,
    action,
    adopted,
    billed,
    billing,
    carried_out,
)
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.effective import Effective, taken, wanted
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.payment_methods import apm_fields, method_of, taken_over
from plugins.connectors.zuora.previewing import foretold
from plugins.connectors.zuora.rate_plans import RatePlan, resolved
from plugins.connectors.zuora.reactivation import clears_cancel, reactivated
from plugins.connectors.zuora.replacing import added, original_plans, own_plan, removed, updated
from plugins.connectors.zuora.subscription import (
    SubscribedPlan,
    Subscription,
    overtaken,
    read,
    today_of,
)
from plugins.connectors.zuora.terms import has_term
from plugins.limio import items, part
from schemas.steps import ErrorKind

_FOR_EVER = {"renewalSetting": "RENEW_TO_EVERGREEN"}


@dataclass(frozen=True, slots=True)
class _Offered:
    """What the order renews with, on which plans of the subscription, and from when."""

    offers: Sequence[Mapping[str, Any]]
    plans: Sequence[tuple[RatePlan, ...]]
    old: Sequence[SubscribedPlan]
    at: Effective

    @property
    def is_the_same(self) -> bool:
        """Whether the subscription has every one of its rate plans already."""
        return all(own_plan(self.old, plan) for plans in self.plans for plan in plans)


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """One order on the subscription; where that is over, an order for a new one."""
    try:
        return (yield from carried_out(step, planned, _prepared))
    except OverError as over:
        return (yield from new_order.perform(over.anew))


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """By our order number, whichever of the two it was."""
    subscription = yield from read(step)
    if subscription.is_over(today_of(step)):
        return (yield from new_order.look_up(_anew(step, subscription)))
    return (yield from adopted(step))


def preview(step: Step[ZuoraOptions]) -> Conversation:
    """What the term to come would cost."""
    try:
        return (yield from foretold(step, planned, reactivates=True))
    except OverError as over:
        return (yield from foretelling.new(over.anew))


class OverError(Exception):
    """There is nothing left to renew; `anew` is the step that sells it once more."""

    def __init__(self, anew: Step[ZuoraOptions]) -> None:
        super().__init__("the subscription is over")
        self.anew = anew


def planned(
    step: Step[ZuoraOptions], subscription: Subscription
) -> Generator[Request, Reply, Change]:
    """Which of the renewals it is: the order's offer and date tell."""
    if subscription.is_over(today_of(step)):
        raise OverError(_anew(step, subscription))
    if subscription.term_end is None:
        number = subscription.number
        message = f"the subscription {number} runs until it is cancelled: nothing to renew"
        words = "This subscription has no end, so it need not be renewed."
        raise overtaken("subscription_evergreen", message, words)
    switched = part(step.order, "data").get("autoRenew")
    if isinstance(switched, bool) and not items(step.order):
        return _switched(step, subscription, on=switched)
    offered = yield from _offered(step, subscription, subscription.term_end)
    if offered.at.day < subscription.term_end:
        actions = _early(step, subscription, offered)
    else:
        actions = _at_the_end(step, subscription, offered)
    return Change(
        actions=actions,
        effective=offered.at,
        processing=_billing(step, offered.at),
        fields=apm_fields(step, method_of(step)),
    )


def _offered(
    step: Step[ZuoraOptions], subscription: Subscription, end: date
) -> Generator[Request, Reply, _Offered]:
    offers = new_offers(step) if items(step.order) else []
    plans = yield from resolved(step, offers)
    rule = wanted(step, next(iter(offers), None))
    at = Effective(end) if rule is None else taken(step, subscription, rule)
    return _Offered(offers, plans, _old(step, subscription, plans, early=at.day < end), at)


def _old(
    step: Step[ZuoraOptions],
    subscription: Subscription,
    plans: Sequence[tuple[RatePlan, ...]],
    *,
    early: bool,
) -> tuple[SubscribedPlan, ...]:
    """Which plans the renewal is about: those of the offer, if they are there, else the old one.

    Without an offer all of them begin anew when it is early, and none is touched when it is not.
    """
    active = subscription.active_plans
    wanted_plans = [plan for of_item in plans for plan in of_item]
    if not wanted_plans:
        return tuple(plan for plan in active if early and not plan.is_discount)
    own = [found for plan in wanted_plans if (found := own_plan(active, plan)) is not None]
    return tuple(own) if len(own) == len(wanted_plans) else original_plans(step, subscription)


def _at_the_end(
    step: Step[ZuoraOptions], subscription: Subscription, offered: _Offered
) -> list[dict[str, Any]]:
    """The next term follows the present one, as the subscription or the offer has it."""
    on, terms = offered.at.iso, _terms(step, subscription, offered)
    actions = [action(step, "TermsAndConditions", on, termsAndConditions=terms)] if terms else []
    actions.append({**action(step, "RenewSubscription", on), "renewSubscription": {}})
    if not offered.offers:
        return actions
    sold = zip(offered.offers, offered.plans, strict=True)
    if offered.is_the_same:
        return actions + [
            act for item, plans in sold for act in updated(step, item, plans, offered.old, on)
        ]
    gone = [removed(step, plan, on) for plan in offered.old]
    return actions + gone + [act for item, plans in sold for act in added(step, item, plans, on)]


def _terms(
    step: Step[ZuoraOptions], subscription: Subscription, offered: _Offered
) -> dict[str, Any]:
    more = {**clears_cancel(step, subscription), **own_method(step, method_of(step))}
    if offered.offers:
        terms = changed_terms(offered.offers, offered.at.iso)
        if not has_term(offered.offers[0]):
            return {**_FOR_EVER, **more}
        period = {name: terms["lastTerm"][name] for name in ("period", "periodType")}
        fixed = {"renewalSetting": "RENEW_WITH_SPECIFIC_TERM", "renewalTerms": [period]}
        return {"autoRenew": terms.get("autoRenew", False), **fixed, **more}
    if subscription.renewal_term == 0 and subscription.renewal_setting != "RENEW_TO_EVERGREEN":
        message = (
            f"the subscription {subscription.number} has no renewal term; send the offer in "
            "orderItems, with its term__limio"
        )
        raise unfit("renewal_term_missing", message, ErrorKind.PERMANENT)
    return more


def _early(
    step: Step[ZuoraOptions], subscription: Subscription, offered: _Offered
) -> list[dict[str, Any]]:
    """A new term begins before the present one ends: Zuora has the plans come off and on again."""
    on = offered.at.iso
    sold = list(zip(offered.offers, offered.plans, strict=True))
    if sold:
        terms = changed_terms(offered.offers, on)
        again = [act for item, plans in sold for act in added(step, item, plans, on)]
    else:
        terms = {"lastTerm": {"termType": "TERMED", **_same_term(subscription), "startDate": on}}
        again = [action(step, "AddProduct", on, addProduct=plan.reference) for plan in offered.old]
    more = {**clears_cancel(step, subscription), **own_method(step, method_of(step))}
    return [
        *(removed(step, plan, on) for plan in offered.old),
        action(step, "TermsAndConditions", on, termsAndConditions={**terms, **more}),
        *again,
    ]


def _switched(step: Step[ZuoraOptions], subscription: Subscription, *, on: bool) -> Change:
    """No renewal now: only whether there will be one of its own accord."""
    ends = subscription.pending_cancel(today_of(step))
    if ends is not None and not on:
        message = f"the subscription {subscription.number} is cancelled as of {ends} anyway"
        words = f"This subscription is already cancelled and ends on {ends}."
        raise overtaken("subscription_cancelled", message, words)
    at = taken(step, subscription, "immediately")
    terms = {"autoRenew": on, **(clears_cancel(step, subscription) if on else {})}
    actions = [action(step, "TermsAndConditions", at.iso, termsAndConditions=terms)]
    return Change(actions=actions, effective=at, processing={"runBilling": False})


def _billing(step: Step[ZuoraOptions], at: Effective) -> dict[str, Any]:
    """Who renews and pays with it is billed at once for the term to come."""
    method, today = method_of(step), today_of(step)
    if step.options.collect_payment and method is not None:
        return billed(step, max(at.day, today), method)
    return billing(step, at)


def _prepared(
    step: Step[ZuoraOptions], subscription: Subscription, change: Change
) -> Generator[Request, Reply, Change]:
    yield from taken_over(step, subscription.account_number, method_of(step))
    return (yield from reactivated(step, subscription, change, planned))


def _same_term(subscription: Subscription) -> dict[str, Any]:
    period = subscription.period
    if period is None:
        message = (
            f"Zuora does not say how long the subscription {subscription.number} runs; send the "
            "offer in orderItems, with its term__limio"
        )
        raise unfit("term_missing", message, ErrorKind.PERMANENT)
    return period


def _anew(step: Step[ZuoraOptions], subscription: Subscription) -> Step[ZuoraOptions]:
    """The same order as a sale to the same account, under a number of its own."""
    order = {
        **step.order,
        "subscriptionReference": f"S-{step.order['order_reference']}",
        "total": {**given(currency=subscription.currency), **part(step.order, "total")},
    }
    if not items(step.order):
        order["orderItems"] = [_as_before(step, subscription)]
    account = {"accountNumber": subscription.account_number}
    return replace(step, order=order, mapped={**step.mapped, **account})


def _as_before(step: Step[ZuoraOptions], subscription: Subscription) -> dict[str, Any]:
    """What the subscription was: its rate plan and term, at today's catalogue price."""
    [plan, *others] = original_plans(step, subscription)
    if others:
        message = f"the subscription {subscription.number} had several plans; send orderItems"
        raise unfit("original_offer_missing", message, ErrorKind.PERMANENT)
    period = _same_term(subscription)
    attributes = {
        "productRatePlanId": plan.product_rate_plan,
        "rate_plan__zuora": plan.name,
        "term__limio": {"length": period["period"], "type": period["periodType"]},
        "autoRenew__limio": subscription.auto_renew,
    }
    return {"quantity": 1, "offer": {"data": {"attributes": given(**attributes)}}}
