"""A tenant of the sandbox's Zuora without a server, and orders for it."""

from datetime import date
from typing import Any

import orjson

from waybill.sandbox.testing import zuora_change, zuora_order
from waybill.sandbox.zuora.booking import Booking
from waybill.sandbox.zuora.catalog import Catalog, hex_id
from waybill.sandbox.zuora.listing import booked
from waybill.sandbox.zuora.passing import advance
from waybill.sandbox.zuora.state import Books, Subscription
from waybill.sandbox.zuora.statement import statement

CARD = "8adca41e7c7cf49c017c84948c906d5e"
YEAR = {"termType": "TERMED", "period": 12, "periodType": "Month", "startDate": "2026-03-01"}
BILLED = {"runBilling": True, "billingOptions": {"targetDate": "2026-03-01"}}


def plan_id(name: str) -> str:
    return hex_id("plan", name)


def charge_id(name: str) -> str:
    return hex_id("charge", name)


class Tenant:
    """Books with one way in: orders as Zuora takes them."""

    def __init__(self) -> None:
        self.books = Books()
        self.catalog = Catalog()
        self.booking = Booking(self.books, self.catalog)

    def order(self, body: dict[str, Any]) -> dict[str, Any]:
        order = self.booking.book(body, orjson.dumps(body))
        return booked(self.books, order, ids=False)

    def buy(
        self,
        plan: str = "UK-UK A Monthly",
        price: float | None = None,
        *,
        term: dict[str, Any] = YEAR,
        auto_renew: bool = True,
        **changes: Any,
    ) -> dict[str, Any]:
        """The subscription S-1 of the account WB-1."""
        body = zuora_order(**{"processingOptions": BILLED, **changes})
        created = body["subscriptions"][0]["orderActions"][0]["createSubscription"]
        created["terms"] = {"initialTerm": term, "autoRenew": auto_renew}
        entry: dict[str, Any] = {"productRatePlanId": plan_id(plan)}
        if price is not None:
            override = {
                "productRatePlanChargeId": charge_id(plan),
                "pricing": {"recurringFlatFee": {"listPrice": price}},
            }
            entry["chargeOverrides"] = [override]
        created["subscribeToRatePlans"] = [entry]
        return self.order(body)

    def change(self, *actions: Any, **members: Any) -> dict[str, Any]:
        return self.order(zuora_change(*actions, **members))

    def advance(self, to: str) -> None:
        advance(self.books, self.catalog, date.fromisoformat(to))

    @property
    def held(self) -> Subscription:
        found = self.books.subscriptions.get("S-1")
        assert found is not None
        return found

    @property
    def state(self) -> Any:
        return statement(self.books, self.catalog)

    def billed(self) -> list[tuple[str, float]]:
        """The first day and the amount of each period that was billed."""
        return [
            (one["from"], one["amount"]) for one in self.state["subscriptions"]["S-1"]["billed"]
        ]
