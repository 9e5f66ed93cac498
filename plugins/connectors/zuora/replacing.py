"""Which rate plans of a subscription an offer of the order means, and the actions on plans."""

from collections.abc import Mapping, Sequence
from typing import Any

from plugins.api import Step
from plugins.connectors.zuora.changing import action
from plugins.connectors.zuora.custom_fields import given, rate_plan_fields
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.prices import subscribed
from plugins.connectors.zuora.rate_plans import RatePlan, offered
from plugins.connectors.zuora.subscription import SubscribedPlan, Subscription, overtaken
from plugins.limio import part
from schemas.steps import ErrorKind


def original_plans(
    step: Step[ZuoraOptions], subscription: Subscription
) -> tuple[SubscribedPlan, ...]:
    """The rate plans of the order's `originalOffer`, else the only one that there is.

    Discounts stay: they were given for the subscription, or end with the plan that they lower.
    """
    original = part(step.order, "originalOffer")
    named = offered(step.options, {"offer": original}) if original else ()
    if named:
        return tuple(held(subscription, plan) for plan in named)
    plans = [plan for plan in subscription.active_plans if not plan.is_discount]
    if len(plans) == 1:
        return tuple(plans)
    message = (
        f"the subscription {subscription.number} has {len(plans)} rate plans; say in "
        "originalOffer.data.attributes.rate_plan__zuora which of them is replaced"
    )
    raise unfit("original_offer_missing", message, ErrorKind.PERMANENT)


def held(subscription: Subscription, plan: RatePlan) -> SubscribedPlan:
    """The subscription's own plan."""
    own = own_plan(subscription.active_plans, plan)
    if own is not None:
        return own
    name = plan.name or plan.id or plan.number
    message = f"the subscription {subscription.number} has no rate plan {name!r} that could change"
    words = "This offer is not part of the subscription any more."
    raise overtaken("rate_plan_not_on_subscription", message, words)


def own_plan(among: Sequence[SubscribedPlan], plan: RatePlan) -> SubscribedPlan | None:
    """The one that the offer means; by the catalogue's id where that is known, else by name."""
    found = [one for one in among if plan.id and one.product_rate_plan == plan.id]
    found = found or [one for one in among if plan.name and one.name == plan.name]
    return next(iter(found), None)


def removed(step: Step[ZuoraOptions], plan: SubscribedPlan, on: str) -> dict[str, Any]:
    """The action that takes a plan off."""
    return action(step, "RemoveProduct", on, removeProduct={"ratePlanId": plan.id})


def added(
    step: Step[ZuoraOptions], item: Mapping[str, Any], plans: Sequence[RatePlan], on: str
) -> list[dict[str, Any]]:
    """The actions that put the item's plans on, at the price that the buyer saw."""
    fields = rate_plan_fields(step, item)
    return [
        action(step, "AddProduct", on, addProduct=given(**entry, customFields=fields))
        for entry in subscribed(step, item, plans)
    ]


def updated(
    step: Step[ZuoraOptions],
    item: Mapping[str, Any],
    plans: Sequence[RatePlan],
    among: Sequence[SubscribedPlan],
    on: str,
) -> list[dict[str, Any]]:
    """The actions that give the subscription's own plans the item's price and quantity."""
    actions = []
    for plan, entry in zip(plans, subscribed(step, item, plans), strict=True):
        own = own_plan(among, plan)
        updates = [_update(own, override) for override in entry.get("chargeOverrides", ())]
        if own is not None and any(updates):
            member = {"ratePlanId": own.id, "chargeUpdates": [one for one in updates if one]}
            actions.append(action(step, "UpdateProduct", on, updateProduct=member))
    return actions


def _update(own: SubscribedPlan | None, override: Mapping[str, Any]) -> dict[str, Any] | None:
    """A charge that was made once cannot be made otherwise."""
    pricing = part(override, "pricing")
    if own is None or any(model.startswith("oneTime") for model in pricing):
        return None
    charge = override["productRatePlanChargeId"]
    number = next((one.number for one in own.charges if one.product_charge == charge), None)
    named = {"chargeNumber": number} if number else {"productRatePlanChargeId": charge}
    return {**named, "pricing": pricing}
