"""Which rate plans an item subscribes to, and how its prices override their charges."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from plugins.api import Reply, Request, Step
from plugins.connectors.zuora.envelope import StoppedError, headers, refusal, unfit
from plugins.connectors.zuora.options import RatePlanIds, ZuoraOptions
from plugins.limio import items, offer_attributes, parts, text

_PAGE = "99"
_NOT_IN_LIST = frozenset(",[]")


@dataclass(frozen=True, slots=True)
class Charge:
    """A charge of the catalogue. Type and model None: nobody said."""

    id: str
    name: str | None = None
    type: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class RatePlan:
    """A rate plan as the offer names it, by id once that is known.

    Without charges the catalogue's own prices stand.
    """

    name: str | None = None
    id: str | None = None
    number: str | None = None
    charges: tuple[Charge, ...] = ()

    @property
    def reference(self) -> dict[str, str]:
        """How an order refers to it."""
        if self.id is not None:
            return {"productRatePlanId": self.id}
        return {"productRatePlanNumber": self.number or ""}


Plans: TypeAlias = list[tuple[RatePlan, ...]]
"""The rate plans of each item of the order."""


def resolved(step: Step[ZuoraOptions]) -> Generator[Request, Reply, Plans]:
    """All items' rate plans, with at most one request for those that only have a name."""
    wanted = [_named_by(item, index) for index, item in enumerate(items(step.order))]
    known = [tuple(_from_options(step.options, plan) for plan in plans) for plans in wanted]
    unknown = sorted(
        {p.name for plans in known for p in plans if not (p.id or p.number) and p.name}
    )
    if not unknown:
        return known
    found = yield from _looked_up(step, unknown)
    return [
        tuple(found[p.name] if p.name in found and not p.id else p for p in plans)
        for plans in known
    ]


def _named_by(item: Mapping[str, Any], index: int) -> tuple[RatePlan, ...]:
    """Newer offers list product bundles, older ones name one rate plan."""
    attributes = offer_attributes(item)
    bundles = parts(item, "offer", "data", "productBundles")
    bundles = bundles or parts(attributes, "productBundles")
    named = [RatePlan(name=name) for b in bundles if (name := text(b, "rate_plan"))]
    plan = RatePlan(
        name=text(attributes, "rate_plan__zuora"),
        id=text(attributes, "productRatePlanId"),
        number=text(attributes, "productRatePlanNumber"),
    )
    if named or plan != RatePlan():
        return tuple(named or [plan])
    place = f"orderItems[{index}].offer.data.attributes.rate_plan__zuora"
    raise unfit("rate_plan_missing", f"{place} is missing: the offer names no rate plan")


def _from_options(options: ZuoraOptions, plan: RatePlan) -> RatePlan:
    ids = options.rate_plans.get(plan.name or "")
    if plan.id or plan.number or ids is None:
        return plan
    if isinstance(ids, RatePlanIds):
        charges = tuple(Charge(id=known, name=name) for name, known in ids.charges.items())
        return replace(plan, id=ids.id, charges=charges)
    return replace(plan, id=ids)


def _looked_up(
    step: Step[ZuoraOptions], names: Sequence[str]
) -> Generator[Request, Reply, dict[str, RatePlan]]:
    # Commas and brackets delimit a list of values, and nothing escapes them.
    if len(names) > 1 and any(_NOT_IN_LIST & set(name) for name in names):
        message = f"give the ids of {', '.join(names)} in the option ratePlans"
        raise unfit("rate_plan_name", message)
    wanted = f"name.EQ:{names[0]}" if len(names) == 1 else f"name.IN:[{','.join(names)}]"
    query = {"filter[]": wanted, "expand[]": "productrateplancharges", "pageSize": _PAGE}
    reply = yield Request(
        "GET", "/object-query/product-rate-plans", query=query, headers=headers(step)
    )
    problem = refusal(reply)
    if problem is not None:
        raise StoppedError(problem)
    return {name: _only(step, name, reply["data"]) for name in names}


def _only(step: Step[ZuoraOptions], name: str, data: Any) -> RatePlan:
    """The plan of that name that is sold on the day; names are not unique in Zuora."""
    on = str(step.order["effective_date"])
    plans = [plan for plan in parts({"data": data}, "data") if text(plan, "name") == name]
    sold = [plan for plan in plans if _sold(plan, on)] or plans
    if len(sold) != 1:
        many = f"has {len(sold)} rate plans" if sold else "has no rate plan"
        message = f"Zuora {many} named {name!r}; give its id in the option ratePlans"
        raise unfit("rate_plan_unknown", message)
    charges = tuple(
        Charge(found, text(c, "name"), text(c, "chargeType"), text(c, "chargeModel"))
        for c in parts(sold[0], "productRatePlanCharges")
        if (found := text(c, "id"))
    )
    return RatePlan(name=name, id=str(sold[0]["id"]), charges=charges)


def _sold(plan: Mapping[str, Any], on: str) -> bool:
    start, end = text(plan, "effectiveStartDate"), text(plan, "effectiveEndDate")
    return (start or on) <= on <= (end or on)
