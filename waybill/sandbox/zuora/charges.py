"""Rate plans of a subscription: what the catalogue says, what the order overrides, what follows."""

from collections.abc import Iterator
from copy import copy
from datetime import date
from decimal import Decimal

from waybill.sandbox.zuora.amounts import decimal, rounded
from waybill.sandbox.zuora.catalog import (
    FIXED_AMOUNT,
    LATEST_PRICE,
    ONE_TIME,
    PER_UNIT,
    PERCENTAGE,
    RECURRING,
    Catalog,
    hex_id,
    list_price,
)
from waybill.sandbox.zuora.periods import moved, parsed
from waybill.sandbox.zuora.refusals import BAD_VALUE, BUSINESS_RULE, MISSING, RefusedError
from waybill.sandbox.zuora.state import Charge, RatePlan, Record, Subscription

NO_CHANGE, BY_PERCENTAGE = "NoChange", "SpecificPercentageValue"
_MEMBERS = {
    (RECURRING, "FlatFee"): ("recurringFlatFee",),
    (RECURRING, PER_UNIT): ("recurringPerUnit",),
    (ONE_TIME, "FlatFee"): ("oneTimeFlatFee",),
    (ONE_TIME, PER_UNIT): ("oneTimePerUnit",),
    (RECURRING, PERCENTAGE): ("discount",),
    (RECURRING, FIXED_AMOUNT): ("discount",),
}
_HUNDRED = Decimal(100)


def subscribed(
    catalog: Catalog, subscription: Subscription, entry: Record, begins: date | None, change: str
) -> RatePlan:
    """The rate plan that an entry of an order makes."""
    named = entry.get("productRatePlanId") or entry.get("productRatePlanNumber")
    if named is None:
        raise RefusedError(MISSING, "'productRatePlanId' is required")
    plan = catalog.plan(named)
    if plan is None:
        raise RefusedError(BAD_VALUE, f"The product rate plan {named} does not exist.")
    overrides = {one["productRatePlanChargeId"]: one for one in entry.get("chargeOverrides", ())}
    catalog.adopt(plan, overrides)
    for unknown in overrides.keys() - {one["id"] for one in plan["productRatePlanCharges"]}:
        raise RefusedError(BAD_VALUE, f"The rate plan {plan['id']} has no charge {unknown}.")
    position = len(subscription.rate_plans) + 1
    place = f"{subscription.number}/{position}/{subscription.version}"
    return RatePlan(
        id=hex_id("rate-plan", place),
        number=entry.get("subscriptionRatePlanNumber") or f"SRP-{place.replace('/', '-')}",
        product_plan=plan["id"],
        name=entry.get("ratePlanName") or plan["name"],
        change=change,
        token=entry.get("uniqueToken"),
        custom=entry.get("customFields", {}),
        charges=[
            _charge(known, overrides.get(known["id"], {}), f"C-{place}-{index}", begins)
            for index, known in enumerate(plan["productRatePlanCharges"], start=1)
        ],
    )


def _charge(known: Record, override: Record, number: str, begins: date | None) -> Charge:
    charge = Charge(
        number=number.replace("/", "-"),
        product_charge=known["id"],
        name=override.get("name") or known["name"],
        kind=known["type"],
        model=known["model"],
        price=list_price(known),
        quantity=Decimal(1),
        period=override.get("billing", {}).get("billingPeriod") or known["billingPeriod"] or "",
        begins=parsed(override.get("startDate", {}).get("specificTriggerDate")) or begins,
        change=known["priceChangeOption"] or NO_CHANGE,
        custom=override.get("customFields", {}),
    )
    _price(charge, override.get("pricing", {}))
    _end(charge, override.get("endDate", {}))
    return charge


def _price(charge: Charge, pricing: Record) -> None:
    """Put the price of an override or an update on the charge."""
    for member, model in pricing.items():
        if member not in _MEMBERS[charge.kind, charge.model]:
            message = f"'{member}' does not fit the {charge.kind} {charge.model} {charge.name}."
            raise RefusedError(BAD_VALUE, message)
        given = (model.get(name) for name in ("listPrice", "discountPercentage", "discountAmount"))
        price = next((value for value in given if value is not None), None)
        charge.price = charge.price if price is None else decimal(price)
        charge.quantity = decimal(model.get("quantity", charge.quantity))
        charge.change = model.get("priceChangeOption", charge.change)
        charge.increase = decimal(model.get("priceIncreasePercentage", charge.increase))
        charge.level = model.get("discountLevel", charge.level)
        if charge.price < 0 or charge.quantity < 0:
            raise RefusedError(BAD_VALUE, f"The price of {charge.name} must not be negative.")


def _end(charge: Charge, ending: Record) -> None:
    """A discount for some billing periods counts them, everything else has a last day."""
    if ending.get("endDateCondition") == "Specific_End_Date":
        charge.ends = parsed(ending.get("specificEndDate"))
    if ending.get("endDateCondition") != "Fixed_Period":
        return
    count, unit = ending.get("upToPeriods"), ending.get("upToPeriodsType", "Billing_Periods")
    if count is None:
        raise RefusedError(MISSING, "'endDate.upToPeriods' is required with Fixed_Period")
    if unit == "Billing_Periods":
        charge.periods = count
    elif charge.begins is not None:
        charge.ends = moved(charge.begins, count, unit)


def selected(subscription: Subscription, selector: Record) -> RatePlan:
    """The rate plan that an action names; one that was removed can be named no more."""
    found = [plan for plan in subscription.rate_plans if _is_meant(plan, selector)]
    live = [plan for plan in found if plan.change != "Remove"]
    if not found:
        message = f"The rate plan {_named(selector)} is not in {subscription.number}."
        raise RefusedError(BAD_VALUE, message)
    if not live:
        message = f"The rate plan {_named(selector)} was removed from {subscription.number}."
        raise RefusedError(BUSINESS_RULE, message)
    return live[0]


def _is_meant(plan: RatePlan, selector: Record) -> bool:
    return (
        plan.id == selector.get("ratePlanId")
        or plan.number == selector.get("subscriptionRatePlanNumber")
        or plan.product_plan
        in (selector.get("productRatePlanId"), selector.get("productRatePlanNumber"))
        or (plan.token is not None and plan.token == selector.get("uniqueToken"))
    )


def _named(selector: Record) -> str:
    names = (
        "ratePlanId",
        "subscriptionRatePlanNumber",
        "productRatePlanId",
        "productRatePlanNumber",
        "uniqueToken",
    )
    return next((str(selector[name]) for name in names if name in selector), "(none named)")


def remove(plan: RatePlan, on: date) -> None:
    """Its charges end; what was billed beyond that day is for the next bill run to credit."""
    plan.change = "Remove"
    for charge in plan.charges:
        if charge.ends is None or charge.ends > on:
            charge.ends = on


def update(plan: RatePlan, changes: list[Record], on: date) -> None:
    """A new segment of each charge that changes, from that day on."""
    plan.change = "Update"
    for change in changes:
        new = _successor(plan, _current(plan, change), on)
        new.custom = change.get("customFields", new.custom)
        _price(new, change.get("pricing", {}))


def _successor(plan: RatePlan, old: Charge, on: date) -> Charge:
    """The next segment of a charge, which ends there."""
    new = copy(old)
    new.billed, new.segment, new.begins, new.through = [], old.segment + 1, on, None
    old.ends = on
    plan.charges.append(new)
    return new


def _current(plan: RatePlan, change: Record) -> Charge:
    numbers = (change.get("chargeNumber"), change.get("uniqueToken"))
    for charge in newest(plan):
        if charge.number in numbers or charge.product_charge == change.get(
            "productRatePlanChargeId"
        ):
            return charge
    raise RefusedError(BAD_VALUE, f"The rate plan {plan.id} has no such charge: {change}")


def newest(plan: RatePlan) -> Iterator[Charge]:
    """The last segment of each charge."""
    last = {charge.number: charge for charge in plan.charges}
    return iter([*last.values()])


def reprice(catalog: Catalog, subscription: Subscription, on: date) -> None:
    """A renewal: an override held for the term that ends, and each charge says what follows."""
    for plan in subscription.rate_plans:
        for charge in newest(plan):
            price = _next_price(catalog, charge, subscription.currency)
            ends = charge.ends is not None and charge.ends <= on
            if charge.kind == RECURRING and not ends and price != charge.price:
                _successor(plan, charge, on).price = price


def _next_price(catalog: Catalog, charge: Charge, currency: str) -> Decimal:
    if charge.change == LATEST_PRICE:
        known = catalog.charge(charge.product_charge)
        return list_price(known) if known else charge.price
    if charge.change == BY_PERCENTAGE:
        return rounded(charge.price * (1 + charge.increase / _HUNDRED), currency)
    return charge.price
