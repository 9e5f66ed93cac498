"""Update: add-ons come on, come off or change in price and quantity; the base plan stays."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypeAlias

from plugins.api import Conversation, Reply, Request, Step
from plugins.connectors.zuora.amounts import json_amount
from plugins.connectors.zuora.changing import Change, action, billing, carried_out
from plugins.connectors.zuora.effective import Effective, Policy, effective
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.previewing import foretold
from plugins.connectors.zuora.rate_plans import RatePlan, offered, resolved
from plugins.connectors.zuora.reference_fields import reason_fields
from plugins.connectors.zuora.replacing import added, held, removed, updated
from plugins.connectors.zuora.subscription import (
    SubscribedPlan,
    Subscription,
    require_active,
)
from plugins.limio import items, number, text
from schemas.steps import ErrorKind

Kind: TypeAlias = Literal["add", "remove", "update"]
_KINDS: Final[Mapping[str, Kind]] = {"add": "add", "remove": "remove", "update": "update"}


@dataclass(frozen=True, slots=True)
class _Updated:
    """What one item does, and from when."""

    at: Effective
    actions: Sequence[Mapping[str, Any]]


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """One order for all items."""
    return (yield from carried_out(step, planned))


def preview(step: Step[ZuoraOptions]) -> Conversation:
    """What it would cost, and from when."""
    return (yield from foretold(step, planned))


def planned(
    step: Step[ZuoraOptions], subscription: Subscription
) -> Generator[Request, Reply, Change]:
    """More counts at once, less from the end of the term, unless order or offer say otherwise."""
    require_active(step, subscription)
    every = items(step.order)
    if not every:
        message = "the order has no orderItems for zuora, so nothing says what is updated"
        raise unfit("items_missing", message, ErrorKind.PERMANENT)
    kinds = [_kind(item, index) for index, item in enumerate(every)]
    # What comes off is on the subscription: the catalogue need not know it any more.
    asked = [item for item, kind in zip(every, kinds, strict=True) if kind != "remove"]
    plans = iter((yield from resolved(step, asked)))
    updates = [
        _removal(step, subscription, item)
        if kind == "remove"
        else _other(step, subscription, item, kind, next(plans))
        for item, kind in zip(every, kinds, strict=True)
    ]
    # Zuora wants the actions of an order in the order of their days.
    updates.sort(key=lambda one: one.at.day)
    actions = [act for one in updates for act in one.actions]
    if not actions:
        message = "none of the orderItems changes anything: give them a quantity or a price"
        raise unfit("nothing_to_update", message, ErrorKind.PERMANENT)
    first = updates[0].at
    warnings = tuple(dict.fromkeys(said for one in updates for said in one.at.warnings))
    return Change(
        actions=actions,
        effective=Effective(first.day, warnings),
        processing=billing(step, first),
        fields=reason_fields(step),
    )


def _removal(
    step: Step[ZuoraOptions], subscription: Subscription, item: Mapping[str, Any]
) -> _Updated:
    at = effective(step, subscription, item, "end_of_term")
    named = offered(step.options, item)
    if not named:
        message = "an item that is removed needs offer.data.attributes.rate_plan__zuora"
        raise unfit("rate_plan_missing", message, ErrorKind.PERMANENT)
    return _Updated(at, [removed(step, held(subscription, plan), at.iso) for plan in named])


def _other(
    step: Step[ZuoraOptions],
    subscription: Subscription,
    item: Mapping[str, Any],
    kind: Kind,
    plans: tuple[RatePlan, ...],
) -> _Updated:
    if kind == "add":
        at = effective(step, subscription, item, "immediately")
        return _Updated(at, added(step, item, plans, at.iso))
    own = [held(subscription, plan) for plan in plans]
    at = effective(step, subscription, item, _default(item, own))
    priced = updated(step, item, plans, own, at.iso)
    return _Updated(at, priced or _counted(step, item, own, at.iso))


def _default(item: Mapping[str, Any], own: Sequence[SubscribedPlan]) -> Policy:
    """Less is paid for to the end of the term; more is wanted now."""
    wanted = _quantity(item)
    held_now = [charge.quantity for plan in own for charge in plan.charges if charge.quantity]
    return "end_of_term" if wanted and held_now and wanted < max(held_now) else "immediately"


def _counted(
    step: Step[ZuoraOptions], item: Mapping[str, Any], own: Sequence[SubscribedPlan], on: str
) -> list[dict[str, Any]]:
    """An item without prices changes how many there are; they cost what they did."""
    quantity = _quantity(item)
    if quantity is None:
        return []
    actions = []
    for plan in own:
        updates = [
            {
                "chargeNumber": charge.number,
                "pricing": {"recurringPerUnit": {"quantity": json_amount(quantity)}},
            }
            for charge in plan.charges
            if charge.number and charge.is_per_unit
        ]
        if updates:
            member = {"ratePlanId": plan.id, "chargeUpdates": updates}
            actions.append(action(step, "UpdateProduct", on, updateProduct=member))
    return actions


def _quantity(item: Mapping[str, Any]) -> Decimal | None:
    found = number(item.get("quantity"))
    return found if found is not None and found > 0 else None


def _kind(item: Mapping[str, Any], index: int) -> Kind:
    said = (text(item, "orderItemActionType") or "add").lower()
    kind = _KINDS.get(said)
    if kind is None:
        message = f"orderItems[{index}].orderItemActionType {said!r} is not add, remove or update"
        raise unfit("action_type", message, ErrorKind.PERMANENT)
    return kind
