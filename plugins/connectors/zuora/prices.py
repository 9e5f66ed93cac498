"""The price that the buyer saw: it overrides the catalogue's for the initial term."""

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.rate_plans import Charge, RatePlan
from plugins.limio import number, offer_attributes, parts, text

_ONE_TIME, _RECURRING = "OneTime", "Recurring"


def subscribed(item: Mapping[str, Any], plans: Sequence[RatePlan]) -> list[dict[str, Any]]:
    """The rate plans as an order lists them, each with the prices that are for its charges."""
    overrides = list(_overrides(item, plans))
    entries: list[dict[str, Any]] = []
    for plan in plans:
        own = [override for holder, override in overrides if holder is plan]
        entries.append({**plan.reference, **({"chargeOverrides": own} if own else {})})
    return entries


def _overrides(
    item: Mapping[str, Any], plans: Sequence[RatePlan]
) -> Iterator[tuple[RatePlan, dict[str, Any]]]:
    quantity = _quantity(item)
    prices = [p for p in parts(offer_attributes(item), "price__limio") if p.get("value") != ""]
    for price in prices:
        found = _charge_of(price, plans, alone=len(prices) == 1)
        if found is not None:
            plan, charge = found
            pricing = _pricing(price, charge, quantity)
            yield plan, {"productRatePlanChargeId": charge.id, "pricing": pricing}


def _charge_of(
    price: Mapping[str, Any], plans: Sequence[RatePlan], *, alone: bool
) -> tuple[RatePlan, Charge] | None:
    """By its id, else by its name, else because there is no other.

    A price that could be for several charges fails the step: the buyer would pay another one.
    """
    given = text(price, "productRatePlanChargeId")
    every = [(plan, charge) for plan in plans for charge in plan.charges]
    if given is not None:
        known = (found for found in every if found[1].id == given)
        return next(known, (plans[0], Charge(given)))
    if not every:
        return None
    fitting = [found for found in every if _fits(price, found[1])]
    names = {text(price, "name"), text(price, "label")} - {None}
    named = [found for found in fitting if found[1].name in names]
    if len(named) == 1:
        return named[0]
    if alone and len(fitting) == 1:
        return fitting[0]
    label, plan = text(price, "label") or text(price, "name"), plans[0].name
    message = (
        f"the price {label!r} fits {len(fitting)} charges of the rate plan {plan!r}; name it like "
        "its charge in Zuora, or put productRatePlanChargeId on it"
    )
    raise unfit("charge_unknown", message)


def _fits(price: Mapping[str, Any], charge: Charge) -> bool:
    discount = (charge.model or "").startswith("Discount")
    return not discount and charge.type in (None, _type(price))


def _type(price: Mapping[str, Any]) -> str:
    return _ONE_TIME if (text(price, "type") or "").startswith("one") else _RECURRING


def _pricing(price: Mapping[str, Any], charge: Charge, quantity: Decimal) -> dict[str, Any]:
    amount = number(price.get("value"))
    if amount is None:
        raise unfit("price", f"the price {price.get('value')!r} in price__limio is no number")
    family = "oneTime" if _type(price) == _ONE_TIME else "recurring"
    per_unit = "PerUnit" in (charge.model or "").replace(" ", "")
    if per_unit or (charge.model is None and quantity > 1):
        return {f"{family}PerUnit": {"listPrice": _json(amount), "quantity": _json(quantity)}}
    if quantity > 1:
        message = (
            f"quantity {quantity} of a flat fee ({charge.name!r}): charge it per unit in Zuora"
        )
        raise unfit("quantity", message)
    return {f"{family}FlatFee": {"listPrice": _json(amount)}}


def _quantity(item: Mapping[str, Any]) -> Decimal:
    found = number(item.get("quantity", 1))
    return found if found is not None and found > 0 else Decimal(1)


def _json(amount: Decimal) -> int | float:
    """Zuora takes numbers, not texts; a double holds any price to the cent exactly enough."""
    return int(amount) if amount == int(amount) else float(amount)
