"""The stateful half of Zuora: accounts, subscriptions and orders, and the rules between them."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, NamedTuple

from waybill.sandbox.zuora_catalog import Catalog, Record, hex_id

BAD_VALUE = 20
MISSING = 22
BUSINESS_RULE = 30
NOT_FOUND = 40

_DAYS = {"Day": 1, "Week": 7}
_MONTHS = {"Month": 1, "Year": 12}


class Refusal(NamedTuple):
    """Why a well-formed body is not booked: Zuora's error category and the sentence."""

    category: int
    message: str


class Ledger:
    """Everything that was booked, by its number."""

    def __init__(self, catalog: Catalog) -> None:
        self.accounts: dict[str, Record] = {}
        self.subscriptions: dict[str, Record] = {}
        self.orders: dict[str, Record] = {}
        self._catalog = catalog
        self._account_ids: dict[str, str] = {}
        self._subscription_orders: dict[str, list[str]] = {}
        self._count = 0

    def account(self, key: str) -> Record | None:
        """An account by number or id."""
        return self.accounts.get(key) or self.accounts.get(self._account_ids.get(key, ""))

    def orders_of(self, subscription: str) -> list[Record]:
        """The orders that touched a subscription, newest first."""
        return [self.orders[n] for n in reversed(self._subscription_orders.get(subscription, []))]

    def objections_to_account(self, body: Record) -> Iterator[Refusal]:
        """Why a new account is refused."""
        number = body.get("accountNumber")
        if number in self.accounts:
            yield Refusal(BUSINESS_RULE, f"The account number {number} already exists.")
        method = ("hpmCreditCardPaymentMethodId", "creditCard", "paymentMethod")
        if body.get("autoPay") is True and not any(member in body for member in method):
            yield Refusal(BUSINESS_RULE, "autoPay needs a payment method in the same call.")

    def objections_to_order(self, body: Record) -> Iterator[Refusal]:
        """Why a well-formed order is refused; nothing is booked then."""
        if body.get("orderNumber") in self.orders:
            yield Refusal(BUSINESS_RULE, f"The order number {body['orderNumber']} already exists.")
        named = [
            member
            for member in ("existingAccountNumber", "existingAccountId", "newAccount")
            if member in body
        ]
        if len(named) != 1:
            yield Refusal(BAD_VALUE, "Give exactly one of existingAccountNumber and newAccount.")
        elif named == ["newAccount"]:
            yield from self.objections_to_account(body["newAccount"])
        elif self.account(body[named[0]]) is None:
            yield Refusal(NOT_FOUND, f"Cannot find the account {body[named[0]]}.")
        if not body.get("subscriptions") and not body.get("orderLineItems"):
            yield Refusal(MISSING, "'subscriptions' or 'orderLineItems' is required")
        yield from self._objections_to_options(body)
        fresh: set[str] = set()
        for subscription in body.get("subscriptions", ()):
            yield from self._objections_to_subscription(subscription, fresh)

    def _objections_to_options(self, body: Record) -> Iterator[Refusal]:
        options = body.get("processingOptions", {})
        if options.get("refund") and "refundAmount" not in options:
            yield Refusal(MISSING, "'processingOptions.refundAmount' is required with refund")
        if not options.get("collectPayment"):
            return
        if not options.get("runBilling"):
            yield Refusal(BUSINESS_RULE, "collectPayment needs runBilling.")
        if not self._can_pay(body, options):
            yield Refusal(BUSINESS_RULE, "collectPayment needs a payment method.")

    def _can_pay(self, body: Record, options: Record) -> bool:
        if "paymentMethodId" in options.get("electronicPaymentOptions", {}):
            return True
        new = body.get("newAccount")
        if new is not None:
            return _payment_method(new) is not None
        known = self.account(_account_key(body))
        return known is None or known["paymentMethodId"] is not None

    def _objections_to_subscription(
        self, subscription: Record, fresh: set[str]
    ) -> Iterator[Refusal]:
        existing = subscription.get("subscriptionNumber")
        if existing is not None and existing not in self.subscriptions:
            yield Refusal(NOT_FOUND, f"Cannot find the subscription {existing}.")
        if not subscription.get("orderActions"):
            yield Refusal(MISSING, "'orderActions' is required")
        for action in subscription.get("orderActions", ()):
            if action["type"] == "CreateSubscription":
                yield from self._objections_to_new(action["createSubscription"], fresh)
            elif existing is None:
                message = f"{action['type']} needs the number of an existing subscription."
                yield Refusal(MISSING, message)

    def _objections_to_new(self, created: Record, fresh: set[str]) -> Iterator[Refusal]:
        number = created.get("subscriptionNumber")
        if number is not None and (number in self.subscriptions or number in fresh):
            yield Refusal(BUSINESS_RULE, f"The subscription number {number} already exists.")
        if number is not None:
            fresh.add(number)
        term = created["terms"]["initialTerm"]
        if term["termType"] == "TERMED" and not {"period", "periodType"} <= term.keys():
            yield Refusal(MISSING, "A termed subscription needs 'period' and 'periodType'.")
        if not created.get("subscribeToRatePlans"):
            yield Refusal(MISSING, "'subscribeToRatePlans' is required")
        for plan in created.get("subscribeToRatePlans", ()):
            yield from self._objections_to_plan(plan)

    def _objections_to_plan(self, plan: Record) -> Iterator[Refusal]:
        if not {"productRatePlanId", "productRatePlanNumber"} & plan.keys():
            yield Refusal(MISSING, "'productRatePlanId' is required")
            return
        known = self._catalog.plan(plan.get("productRatePlanId", ""))
        if known is None:
            return
        charges = {charge["id"] for charge in known["productRatePlanCharges"]}
        for override in plan.get("chargeOverrides", ()):
            charge = override["productRatePlanChargeId"]
            if charge not in charges:
                yield Refusal(BAD_VALUE, f"The rate plan {known['id']} has no charge {charge}.")

    def open_account(self, body: Record) -> Record:
        """Book an account that met no objection."""
        number = body.get("accountNumber") or self._next("A")
        account: Record = {
            "id": hex_id("account", number),
            "accountNumber": number,
            "paymentMethodId": _payment_method(body),
            "body": body,
        }
        self.accounts[number] = account
        self._account_ids[account["id"]] = number
        return account

    def book(self, body: Record, raw: bytes) -> Record:
        """Book an order that met no objection, all of it; `raw` is its body as it came."""
        account = self.account(_account_key(body)) or self.open_account(body["newAccount"])
        options = body.get("processingOptions", {})
        chosen = options.get("electronicPaymentOptions", {}).get("paymentMethodId")
        account["paymentMethodId"] = account["paymentMethodId"] or chosen
        number = body.get("orderNumber") or self._next("O-")
        touched = [self._act(entry, account) for entry in body.get("subscriptions", ())]
        pending = any(found["status"].startswith("Pending") for found in touched)
        order = {
            "orderNumber": number,
            "accountNumber": account["accountNumber"],
            "status": "Pending" if pending else "Completed",
            "subscriptions": touched,
            "invoice": self._next("INV") if options.get("runBilling") else None,
            "payment": self._next("P-") if options.get("collectPayment") else None,
            "paid": sum(found["price"] for found in touched),
            "raw": raw,  # parsed again when asked for: bytes take a fifth of the memory
        }
        self.orders[number] = order
        for found in touched:
            self._subscription_orders.setdefault(found["subscriptionNumber"], []).append(number)
        return order

    def _act(self, entry: Record, account: Record) -> Record:
        """Carry out the actions on one subscription, which comes into being if it has to."""
        subscription = self.subscriptions.get(entry.get("subscriptionNumber", ""))
        for action in entry["orderActions"]:
            if action["type"] == "CreateSubscription":
                subscription = self._create(action, entry, account)
            elif subscription is not None:
                subscription["version"] += 1
                if action["type"] == "CancelSubscription":
                    subscription["status"] = "Cancelled"
        if subscription is None:
            raise RuntimeError("an action without a subscription met no objection")
        return subscription

    def _create(self, action: Record, entry: Record, account: Record) -> Record:
        created = action["createSubscription"]
        number = created.get("subscriptionNumber") or self._next("A-S")
        dates = {at["name"]: at.get("triggerDate") for at in action.get("triggerDates", ())}
        term = created["terms"]["initialTerm"]
        begins = term.get("startDate") or dates.get("ContractEffective")
        plans = [self._rate_plan(number, plan) for plan in created["subscribeToRatePlans"]]
        subscription = {
            "id": hex_id("subscription", number),
            "subscriptionNumber": number,
            "accountNumber": account["accountNumber"],
            "accountId": account["id"],
            "status": _status(dates),
            "version": 1,
            "termType": term["termType"],
            "autoRenew": created["terms"].get("autoRenew", False),
            "contractEffectiveDate": dates.get("ContractEffective"),
            "serviceActivationDate": dates.get("ServiceActivation"),
            "customerAcceptanceDate": dates.get("CustomerAcceptance"),
            "termStartDate": begins,
            "termEndDate": _term_end(begins, term),
            "currency": created.get("currency") or account["body"]["currency"],
            "ratePlans": plans,
            "price": sum(charge["price"] for plan in plans for charge in plan["ratePlanCharges"]),
            "customFields": entry.get("customFields", {}),
        }
        self.subscriptions[number] = subscription
        return subscription

    def _rate_plan(self, subscription: str, plan: Record) -> Record:
        plan_id = plan.get("productRatePlanId") or plan["productRatePlanNumber"]
        known = self._catalog.plan(plan_id)
        prices = {
            charge["id"]: charge["pricing"][0]["price"]
            for charge in (known["productRatePlanCharges"] if known else ())
        }
        for override in plan.get("chargeOverrides", ()):
            charge = override["productRatePlanChargeId"]
            for model in override.get("pricing", {}).values():
                prices[charge] = model.get("listPrice", 0) * model.get("quantity", 1)
        return {
            "id": hex_id("rate-plan", f"{subscription}/{plan_id}/{plan.get('uniqueToken')}"),
            "productRatePlanId": plan_id,
            "ratePlanName": known["name"] if known else plan.get("ratePlanName", plan_id),
            "ratePlanCharges": [
                {
                    "id": hex_id("rate-plan-charge", f"{subscription}/{charge}"),
                    "productRatePlanChargeId": charge,
                    "price": price,
                }
                for charge, price in prices.items()
            ],
        }

    def _next(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count:08d}"


def _account_key(body: Record) -> str:
    return body.get("existingAccountNumber") or body.get("existingAccountId") or ""


def _payment_method(body: Record) -> str | None:
    hosted: str | None = body.get("hpmCreditCardPaymentMethodId")
    if hosted is None and ("paymentMethod" in body or "creditCard" in body):
        return hex_id("payment-method", str(body.get("paymentMethod") or body["creditCard"]))
    return hosted


def _status(dates: dict[str, Any]) -> str:
    """A date that is left out leaves the subscription waiting for it."""
    if not dates.get("ServiceActivation"):
        return "Pending Activation"
    return "Active" if dates.get("CustomerAcceptance") else "Pending Acceptance"


def _term_end(begins: str | None, term: Record) -> str | None:
    """The last day of the term (inclusive)."""
    if begins is None or term["termType"] != "TERMED":
        return None
    start, count, unit = date.fromisoformat(begins), term["period"], term["periodType"]
    if unit in _DAYS:
        after = start + timedelta(days=_DAYS[unit] * count)
    else:
        months = start.month - 1 + _MONTHS[unit] * count
        first = date(start.year + months // 12, months % 12 + 1, 1)
        after = min(first + timedelta(days=start.day - 1), _last_of(first))
    return (after - timedelta(days=1)).isoformat()


def _last_of(first: date) -> date:
    """The last day of the month that begins with `first`."""
    return (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
