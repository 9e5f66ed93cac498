"""The price that the buyer saw: it overrides the catalogue's for the initial term."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from plugins.api import Step
from plugins.connectors.zuora.amounts import json_amount
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.rate_plans import Charge, RatePlan, prices_of
from plugins.connectors.zuora.terms import later, period_of
from plugins.limio import number, offer_attributes, offer_type, part, text

_ONE_TIME, _RECURRING, _DISCOUNT = "OneTime", "Recurring", "discount"
_PERIODS = {"Day": "Days", "Week": "Weeks", "Month": "Months", "Year": "Years"}
_ALL = 100


def subscribed(
    step: Step[ZuoraOptions],
    item: Mapping[str, Any],
    plans: Sequence[RatePlan],
    start: date | None = None,
    *,
    free: bool = False,
) -> list[dict[str, Any]]:
    """The rate plans as an order lists them, each with the prices that are for its charges.

    `start` is the day from which a price with a delay counts, as after a free trial. `free`: what
    is paid already, as a gift that is redeemed, costs nothing.
    """
    sold = _given_away(item) if free else item
    overrides = list(_overrides(step.options, sold, plans, start))
    entries: list[dict[str, Any]] = []
    for plan in plans:
        own = [override for holder, override in overrides if holder is plan]
        entries.append({**plan.reference, **({"chargeOverrides": own} if own else {})})
    return entries


def _given_away(item: Mapping[str, Any]) -> dict[str, Any]:
    free = [{**price, "value": 0} for price in prices_of(item)]
    attributes = {**offer_attributes(item), "price__limio": free}
    data = {**part(item, "offer", "data"), "attributes": attributes}
    return {**item, "offer": {**part(item, "offer"), "data": data}}


def _overrides(
    options: ZuoraOptions, item: Mapping[str, Any], plans: Sequence[RatePlan], start: date | None
) -> Iterator[tuple[RatePlan, dict[str, Any]]]:
    quantity = _quantity(item)
    prices = prices_of(item)
    for price in prices:
        lowers = _lowers(item, price)
        plan, charge = _charge_of(price, plans, alone=len(prices) == 1, lowers=lowers)
        pricing = _lowered(price, charge) if lowers else _priced(price, charge, quantity)
        yield (
            plan,
            given(
                productRatePlanChargeId=charge.id,
                pricing=_renewed(pricing, options),
                startDate=_start(price, start),
                endDate=_end(price) if lowers else None,
            ),
        )


def one_off_charges(
    item: Mapping[str, Any], plans: Sequence[RatePlan]
) -> list[tuple[Charge, Decimal]]:
    """What a memo bills of an offer: each price once, for all of the quantity."""
    prices = prices_of(item)
    quantity, alone = _quantity(item), len(prices) == 1
    found = []
    for price in prices:
        kinds = [{**price, "type": kind} for kind in (text(price, "type") or "", "one_off", "")]
        every = [charge for plan in plans for charge in plan.charges]
        fits = next((k for k in kinds if any(_fits(k, c, lowers=False) for c in every)), price)
        _, charge = _charge_of(fits, plans, alone=alone, lowers=False)
        found.append((charge, _amount(price) * quantity))
    return found


def _charge_of(
    price: Mapping[str, Any], plans: Sequence[RatePlan], *, alone: bool, lowers: bool
) -> tuple[RatePlan, Charge]:
    """By its id, else by its name, else because there is no other.

    A price without a charge of its own fails the step: the buyer would pay another one.
    """
    known = text(price, "productRatePlanChargeId")
    every = [(plan, charge) for plan in plans for charge in plan.charges]
    if known is not None:
        return next((one for one in every if one[1].id == known), (plans[0], Charge(known)))
    fitting = [found for found in every if _fits(price, found[1], lowers=lowers)]
    names = {text(price, "name"), text(price, "label")} - {None}
    named = [found for found in fitting if found[1].name in names]
    if len(named) == 1:
        return named[0]
    if alone and len(fitting) == 1:
        return fitting[0]
    label, plan = text(price, "label") or text(price, "name"), plans[0].name or plans[0].reference
    message = (
        f"the price {label!r} fits {len(fitting)} charges of the rate plan {plan!r}; name it like "
        "its charge in Zuora, or put productRatePlanChargeId on it"
    )
    raise unfit("charge_unknown", message)


def _lowers(item: Mapping[str, Any], price: Mapping[str, Any]) -> bool:
    return _DISCOUNT in (text(price, "type"), offer_type(item))


def _fits(price: Mapping[str, Any], charge: Charge, *, lowers: bool) -> bool:
    discount = (charge.model or "").startswith("Discount")
    if lowers:
        return discount or charge.model is None
    return not discount and charge.type in (None, _type(price))


def _type(price: Mapping[str, Any]) -> str:
    return _ONE_TIME if (text(price, "type") or "").startswith("one") else _RECURRING


def _priced(price: Mapping[str, Any], charge: Charge, quantity: Decimal) -> dict[str, Any]:
    amount = json_amount(_amount(price))
    family = "oneTime" if _type(price) == _ONE_TIME else "recurring"
    per_unit = "PerUnit" in (charge.model or "").replace(" ", "")
    if per_unit or (charge.model is None and quantity > 1):
        return {f"{family}PerUnit": {"listPrice": amount, "quantity": json_amount(quantity)}}
    if quantity > 1:
        message = (
            f"quantity {quantity} of a flat fee ({charge.name!r}): charge it per unit in Zuora"
        )
        raise unfit("quantity", message)
    return {f"{family}FlatFee": {"listPrice": amount}}


def _lowered(price: Mapping[str, Any], charge: Charge) -> dict[str, Any]:
    """A discount charge of the catalogue says of what it is taken; here only how much."""
    amount = _amount(price)
    if "Fixed" in (charge.model or ""):
        return {"discount": {"discountAmount": json_amount(amount)}}
    if not 0 <= amount <= _ALL:
        message = f"the discount {amount} in price__limio is no percentage from 0 to 100"
        raise unfit("discount", message)
    return {"discount": {"discountPercentage": json_amount(amount)}}


def _renewed(pricing: dict[str, Any], options: ZuoraOptions) -> dict[str, Any]:
    """What is charged once the initial term is over; a one-off charge does not come again.

    Never left to the tenant's default: with another one the buyer's price would come or go.
    """
    [(model, price)] = pricing.items()
    option = options.price_change_option
    if model.startswith("oneTime"):
        return pricing
    if model == "discount":
        same = option == "SpecificPercentageValue"
        return {model: {**price, "priceChangeOption": "NoChange" if same else option}}
    more = options.price_increase_percentage
    return {model: {**price, **given(priceChangeOption=option, priceIncreasePercentage=more)}}


def _start(price: Mapping[str, Any], start: date | None) -> dict[str, str] | None:
    """After a free time the charge begins on a day of its own."""
    delay = number(price.get("delay_interval"))
    if start is None or delay is None or delay <= 0:
        return None
    period = period_of(delay, text(price, "delay_interval_type"), "delay_interval")
    begins = later(start, period).isoformat()
    return {"triggerEvent": "SpecificDate", "specificTriggerDate": begins}


def _end(price: Mapping[str, Any]) -> dict[str, Any] | None:
    """A discount lasts as long as its interval, so many times; else as the catalogue says."""
    interval = number(price.get("repeat_interval"))
    times = number(price.get("repeat_count"))
    if interval is None or times is None or interval * times <= 0:
        return None
    period = period_of(interval * times, text(price, "repeat_interval_type"), "repeat_interval")
    unit = _PERIODS[period["periodType"]]
    fixed = {"upToPeriods": period["period"], "upToPeriodsType": unit}
    return {"endDateCondition": "Fixed_Period", **fixed}


def _amount(price: Mapping[str, Any]) -> Decimal:
    amount = number(price.get("value"))
    if amount is None:
        raise unfit("price", f"the price {price.get('value')!r} in price__limio is no number")
    return amount


def _quantity(item: Mapping[str, Any]) -> Decimal:
    found = number(item.get("quantity", 1))
    return found if found is not None and found > 0 else Decimal(1)
