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
    """A rate plan as the offer names it, by id once that is known."""

    name: str | None = None
    id: str | None = None
    number: str | None = None
    charges: tuple[Charge, ...] = ()

    @property
    def is_unknown(self) -> bool:
        """Whether there is nothing but a name."""
        return not (self.id or self.number)

    @property
    def reference(self) -> dict[str, str]:
        """How an order refers to it."""
        if self.id is not None:
            return {"productRatePlanId": self.id}
        return {"productRatePlanNumber": self.number or ""}


Plans: TypeAlias = list[tuple[RatePlan, ...]]
"""The rate plans of each item of the order."""


def resolved(
    step: Step[ZuoraOptions],
    among: Sequence[Mapping[str, Any]] | None = None,
    *,
    charged: bool = False,
) -> Generator[Request, Reply, Plans]:
    """The rate plans of all the order's items (or of those given), with what Zuora says of them.

    One request for those that only have a name, and one for those whose charges must be known
    because the item has prices for them (or in any case: `charged`).
    """
    sold = items(step.order) if among is None else among
    wanted = [_named_by(item, index) for index, item in enumerate(sold)]
    known = [tuple(_from_options(step.options, plan) for plan in plans) for plans in wanted]
    names = sorted({p.name for plans in known for p in plans if p.is_unknown and p.name})
    found = (yield from _looked_up(step, "name", names)) if names else {}
    known = [tuple(found.get(p.name or "", p) if p.is_unknown else p for p in ps) for ps in known]
    both = zip(sold, known, strict=True)
    priced = [plans for item, plans in both if charged or _asks_for_charges(item)]
    unread = [p for ps in priced for p in ps if not p.charges and p not in found.values()]
    ids = sorted({p.id for p in unread if p.id})
    more = (yield from _looked_up(step, "id", ids)) if ids else {}
    return [
        tuple(
            replace(p, charges=p.charges or more[p.id].charges) if p.id in more else p for p in ps
        )
        for ps in known
    ]


def offered(options: ZuoraOptions, item: Mapping[str, Any]) -> tuple[RatePlan, ...]:
    """What the item's offer names, without asking Zuora; nothing where it names no rate plan."""
    return tuple(_from_options(options, plan) for plan in _listed(item))


def prices_of(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the offer charges; one that is left blank is the catalogue's to say."""
    charges = parts(offer_attributes(item), "price__limio")
    return [price for price in charges if price.get("value") != ""]


def _asks_for_charges(item: Mapping[str, Any]) -> bool:
    return any(text(price, "productRatePlanChargeId") is None for price in prices_of(item))


def _named_by(item: Mapping[str, Any], index: int) -> tuple[RatePlan, ...]:
    found = _listed(item)
    if not found:
        place = f"orderItems[{index}].offer.data.attributes.rate_plan__zuora"
        raise unfit("rate_plan_missing", f"{place} is missing: the offer names no rate plan")
    return found


def _listed(item: Mapping[str, Any]) -> tuple[RatePlan, ...]:
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
    return tuple(named or ([] if plan == RatePlan() else [plan]))


def _from_options(options: ZuoraOptions, plan: RatePlan) -> RatePlan:
    ids = options.rate_plans.get(plan.name or "")
    if plan.id or plan.number or ids is None:
        return plan
    if isinstance(ids, RatePlanIds):
        charges = tuple(Charge(id=known, name=name) for name, known in ids.charges.items())
        return replace(plan, id=ids.id, charges=charges)
    return replace(plan, id=ids)


def _looked_up(
    step: Step[ZuoraOptions], field: str, wanted: Sequence[str]
) -> Generator[Request, Reply, dict[str, RatePlan]]:
    # Commas and brackets delimit a list of values, and nothing escapes them.
    if len(wanted) > 1 and any(_NOT_IN_LIST & set(name) for name in wanted):
        message = f"give the ids of {', '.join(wanted)} in the option ratePlans"
        raise unfit("rate_plan_name", message)
    one = len(wanted) == 1
    filtered = f"{field}.EQ:{wanted[0]}" if one else f"{field}.IN:[{','.join(wanted)}]"
    query = {"filter[]": filtered, "expand[]": "productrateplancharges", "pageSize": _PAGE}
    reply = yield Request(
        "GET", "/object-query/product-rate-plans", query=query, headers=headers(step)
    )
    problem = refusal(reply)
    if problem is not None:
        raise StoppedError(problem)
    return {value: _only(step, field, value, reply["data"]) for value in wanted}


def _only(step: Step[ZuoraOptions], field: str, value: str, data: Any) -> RatePlan:
    """The plan of that name that is sold on the day; names are not unique in Zuora."""
    on = str(step.order["effective_date"])
    plans = [plan for plan in parts({"data": data}, "data") if text(plan, field) == value]
    sold = [plan for plan in plans if _sold(plan, on)] or plans
    if len(sold) != 1:
        many = f"has {len(sold)} rate plans" if sold else "has no rate plan"
        message = f"Zuora {many} whose {field} is {value!r}; give its id in the option ratePlans"
        raise unfit("rate_plan_unknown", message)
    charges = tuple(
        Charge(found, text(c, "name"), text(c, "chargeType"), text(c, "chargeModel"))
        for c in parts(sold[0], "productRatePlanCharges")
        if (found := text(c, "id"))
    )
    return RatePlan(name=text(sold[0], "name"), id=str(sold[0]["id"]), charges=charges)


def _sold(plan: Mapping[str, Any], on: str) -> bool:
    start, end = text(plan, "effectiveStartDate"), text(plan, "effectiveEndDate")
    return (start or on) <= on <= (end or on)
