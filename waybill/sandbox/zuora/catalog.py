"""A small product catalogue; a rate plan that nobody made is made when it is asked for."""

from collections.abc import Mapping
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

from waybill.sandbox.zuora.amounts import decimal
from waybill.sandbox.zuora.periods import WHOLE_TERM
from waybill.sandbox.zuora.state import Record

RECURRING, ONE_TIME = "Recurring", "OneTime"
FLAT_FEE, PER_UNIT = "FlatFee", "PerUnit"
PERCENTAGE, FIXED_AMOUNT = "DiscountPercentage", "DiscountFixedAmount"
LATEST_PRICE = "UseLatestProductCatalogPricing"
NOWHERE = "ffffffff"
"""An id that begins like this belongs to nothing, and a name like this is no rate plan's."""
_NO_PLAN = "Unknown"
_QUERIED_MODELS = {
    FLAT_FEE: "Flat Fee Pricing",
    PER_UNIT: "Per Unit Pricing",
    PERCENTAGE: "Discount-Percentage",
    FIXED_AMOUNT: "Discount-Fixed Amount",
}


class Priced(NamedTuple):
    """A charge as the shelf below lists it; a discount's price is what it takes off."""

    price: float
    period: str = WHOLE_TERM
    kind: str = RECURRING
    model: str = FLAT_FEE
    name: str | None = None


_SHELF: dict[str, dict[str, tuple[Priced, ...]]] = {
    "Digital Premium": {
        "UK-UK A Quarterly": (Priced(25.0),),
        "UK-UK A Monthly": (Priced(9.0, "Month"),),
        "UK-UK A Annual": (Priced(90.0, "Annual"),),
    },
    "Print and Digital": {
        "UK-UK Bundle Quarterly": (Priced(55.0),),
        "UK-UK Bundle Annual": (Priced(199.0, "Annual"),),
        "UK-UK Bundle with Joining Fee": (
            Priced(20.0, "Month"),
            Priced(15.0, kind=ONE_TIME, name="Joining fee"),
        ),
    },
    "Add-ons": {
        "Crossword Monthly": (Priced(3.0, "Month"),),
        "Extra Readers Monthly": (Priced(5.0, "Month", model=PER_UNIT),),
    },
    "Gifts": {"UK-UK Gift Annual": (Priced(120.0, kind=ONE_TIME),)},
    "Discounts": {
        "20 Percent Off": (Priced(20.0, "Month", model=PERCENTAGE),),
        "5 Pounds Off": (Priced(5.0, "Month", model=FIXED_AMOUNT),),
    },
    "Refunds": {"Generic Refund": (Priced(0.0, kind=ONE_TIME),)},
}
_OTHERS = "Made to order"
_MADE_TO_ORDER = (
    ("discount", Priced(20.0, "Month", model=PERCENTAGE)),
    (" off", Priced(20.0, "Month", model=PERCENTAGE)),
    ("refund", Priced(0.0, kind=ONE_TIME)),
    ("gift", Priced(10.0, kind=ONE_TIME)),
    ("trial", Priced(0.0)),
    ("monthly", Priced(10.0, "Month")),
    ("annual", Priced(10.0, "Annual")),
)
"""What a name that the shelf lacks makes of a rate plan, by the first word that it has."""


def hex_id(kind: str, name: str) -> str:
    """A Zuora id, always the same for the same thing."""
    return blake2b(f"{kind}/{name}".encode(), digest_size=16).hexdigest()


class Catalog:
    """Products with their rate plans and charges, found by name, number or id."""

    def __init__(self) -> None:
        self._plans: dict[str, Record] = {}
        self._by_id: dict[str, Record] = {}
        self._charges: dict[str, Record] = {}
        for product, plans in _SHELF.items():
            for name, charges in plans.items():
                self._make(product, name, charges)

    def plan_named(self, name: str) -> Record | None:
        """The rate plan of that name, made now if it is not there."""
        if name.startswith(_NO_PLAN):
            return None
        return self._plans.get(name) or self._make(_OTHERS, name, (_made_to_order(name),))

    def plan(self, key: str) -> Record | None:
        """The rate plan with that id or number; one from elsewhere is made now, for its order."""
        if key.startswith(NOWHERE):
            return None
        found = self._by_id.get(key)
        return found or self._make(_OTHERS, key, (_made_to_order(key),), key)

    def charge(self, charge_id: str) -> Record | None:
        """The charge with that id; one from elsewhere is made now, as a one-time fee."""
        if charge_id.startswith(NOWHERE):
            return None
        found = self._charges.get(charge_id)
        if found is None:
            found = _charge(charge_id, Priced(0.0, kind=ONE_TIME), charge_id)
            self._charges[charge_id] = found
        return found

    def adopt(self, plan: Record, overrides: Mapping[str, Record]) -> None:
        """A plan from elsewhere has the charges that orders name, as they price them."""
        known = {charge["id"] for charge in plan["productRatePlanCharges"]}
        if not plan["_elsewhere"] or overrides.keys() <= known:
            return
        named = [charge for charge in plan["productRatePlanCharges"] if charge["id"] in overrides]
        for key in overrides.keys() - known:
            charge = _charge(key, _priced_like(overrides[key].get("pricing", {})), key)
            self._charges[key] = charge
            named.append(charge)
        plan["productRatePlanCharges"] = named

    def products(self) -> list[Record]:
        """Products as the catalogue lists them."""
        found: dict[str, Record] = {}
        for plan in self._plans.values():
            name = plan["_product"]
            product = found.setdefault(
                name, {"id": plan["productId"], "sku": name, "name": name, "productRatePlans": []}
            )
            listed = {key: value for key, value in plan.items() if not key.startswith("_")}
            product["productRatePlans"].append(listed)
        return list(found.values())

    def plans(self) -> list[Record]:
        """All rate plans."""
        return list(self._plans.values())

    def _make(
        self, product: str, name: str, charges: tuple[Priced, ...], key: str | None = None
    ) -> Record:
        made = [_charge(name, priced) for priced in charges]
        plan = {
            "id": key or hex_id("plan", name),
            "name": name,
            "status": "Active",
            "productId": hex_id("product", product),
            "productRatePlanNumber": f"PRP-{hex_id('plan', name)[:8].upper()}",
            "productRatePlanCharges": made,
            "_product": product,
            "_elsewhere": key is not None,
        }
        self._plans[name] = plan
        self._by_id[str(plan["id"])] = plan
        self._by_id[str(plan["productRatePlanNumber"])] = plan
        self._charges.update({charge["id"]: charge for charge in made})
        return plan


def list_price(charge: Record) -> Decimal:
    """What the catalogue says now: a price, or what a discount takes off."""
    (priced,) = charge["pricing"]
    return decimal(next(value for name, value in priced.items() if name != "currency"))


def queried_charge(charge: Record) -> Record:
    """A charge under the names that Object Query has for its fields."""
    return {
        "id": charge["id"],
        "name": charge["name"],
        "chargeType": charge["type"],
        "chargeModel": _QUERIED_MODELS[charge["model"]],
        "billingPeriod": charge["billingPeriod"],
        "priceChangeOption": charge["priceChangeOption"],
    }


def _made_to_order(name: str) -> Priced:
    words = name.lower()
    return next((priced for word, priced in _MADE_TO_ORDER if word in words), Priced(10.0))


def _priced_like(pricing: Record) -> Priced:
    member = next(iter(pricing), "recurringFlatFee")
    if member == "discount":
        by_amount = "discountAmount" in pricing[member]
        return Priced(10.0, "Month", model=FIXED_AMOUNT if by_amount else PERCENTAGE)
    kind = ONE_TIME if member.startswith("oneTime") else RECURRING
    return Priced(10.0, kind=kind, model=PER_UNIT if member.endswith("PerUnit") else FLAT_FEE)


def _charge(plan: str, priced: Priced, key: str | None = None) -> Record:
    name = priced.name or f"{plan} charge"
    charge: dict[str, Any] = {
        "id": key or hex_id("charge", plan if priced.name is None else f"{plan}/{name}"),
        "name": name,
        "type": priced.kind,
        "model": priced.model,
        "billingPeriod": priced.period if priced.kind == RECURRING else None,
        "priceChangeOption": LATEST_PRICE if priced.kind == RECURRING else None,
    }
    return charge | {"pricing": [{"currency": "GBP", **_amounts(priced)}]}


def _amounts(priced: Priced) -> Record:
    if priced.model == PERCENTAGE:
        return {"discountPercentage": priced.price}
    if priced.model == FIXED_AMOUNT:
        return {"discountAmount": priced.price}
    return {"price": priced.price}
