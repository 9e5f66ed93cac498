"""A small product catalogue; a rate plan that nobody made is made when it is asked for."""

from hashlib import blake2b
from typing import Any, TypeAlias

Record: TypeAlias = dict[str, Any]

_SHELF = {
    "Digital Premium": {"UK-UK A Quarterly": 25.0, "UK-UK A Monthly": 9.0, "UK-UK A Annual": 90.0},
    "Print and Digital": {"UK-UK Bundle Quarterly": 55.0, "UK-UK Bundle Annual": 199.0},
}
_OTHERS = "Made to order"
_DEFAULT_PRICE = 10.0


def hex_id(kind: str, name: str) -> str:
    """A Zuora id, always the same for the same thing."""
    return blake2b(f"{kind}/{name}".encode(), digest_size=16).hexdigest()


class Catalog:
    """Products with their rate plans, each with one recurring flat-fee charge."""

    def __init__(self) -> None:
        self._plans: dict[str, Record] = {}
        self._by_id: dict[str, Record] = {}
        for product, plans in _SHELF.items():
            for name, price in plans.items():
                self._make(product, name, price)

    def plan_named(self, name: str) -> Record:
        """The rate plan of that name, made now if it is not there."""
        return self._plans.get(name) or self._make(_OTHERS, name, _DEFAULT_PRICE)

    def plan(self, plan_id: str) -> Record | None:
        """The rate plan with that id; ids from elsewhere are unknown here, not wrong."""
        return self._by_id.get(plan_id)

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

    def _make(self, product: str, name: str, price: float) -> Record:
        charge = {
            "id": hex_id("charge", name),
            "name": f"{name} charge",
            "type": "Recurring",
            "model": "FlatFee",
            "pricing": [{"currency": "GBP", "price": price}],
        }
        plan = {
            "id": hex_id("plan", name),
            "name": name,
            "status": "Active",
            "productId": hex_id("product", product),
            "productRatePlanCharges": [charge],
            "_product": product,
        }
        self._plans[name] = plan
        self._by_id[str(plan["id"])] = plan
        return plan
