"""Orders and subscriptions over HTTP."""

from waybill.sandbox.exchange import Answer, Call, answer
from waybill.sandbox.zuora import listing
from waybill.sandbox.zuora.amounts import number
from waybill.sandbox.zuora.booking import Booking
from waybill.sandbox.zuora.catalog import Catalog
from waybill.sandbox.zuora.envelope import ORDERS, SUBSCRIPTIONS, Desk, not_found, success
from waybill.sandbox.zuora.money import given_back, owed, total
from waybill.sandbox.zuora.order_bodies import (
    custom_fields_body,
    order_body,
    payment_profile_body,
    preview_body,
    trigger_dates_body,
)
from waybill.sandbox.zuora.people import own_method
from waybill.sandbox.zuora.periods import parsed
from waybill.sandbox.zuora.refusals import BUSINESS_RULE, RefusedError
from waybill.sandbox.zuora.state import Account, Books, Item, Order, Record, Subscription

MOST_PROFILES = 50


class OrderDesks:
    """Everything below `/v1/orders` and `/v1/subscriptions`, and the payment profiles."""

    def __init__(self, books: Books, catalog: Catalog) -> None:
        self._books = books
        self._catalog = catalog
        self._booking = Booking(books, catalog)

    def desks(self) -> list[Desk]:
        """What can be asked."""
        one, of = "/v1/orders/{number}", "/v1/orders/subscription/{number}"
        held = "/v1/subscriptions/{number}"
        return [
            Desk("POST", "/v1/orders", self.create, ORDERS, order_body),
            Desk("POST", "/v1/orders/preview", self.preview, ORDERS, preview_body),
            Desk("GET", of, self.orders_of, absent=404),
            Desk("GET", one, self.order, absent=404),
            Desk("DELETE", one, self.delete, absent=404),
            Desk("PUT", f"{one}/triggerDates", self.trigger, ORDERS, trigger_dates_body),
            Desk("GET", "/v1/subscriptions/accounts/{key}", self.subscriptions_of),
            Desk("GET", held, self.subscription),
            Desk("PUT", f"{held}/customFields", self.customise, SUBSCRIPTIONS, custom_fields_body),
            Desk("PUT", "/v1/payment-profile", self.profile, SUBSCRIPTIONS, payment_profile_body),
        ]

    def create(self, call: Call) -> Answer:
        """`POST /v1/orders`: all of it is booked, or nothing."""
        order = self._booking.book(call.body, call.raw)
        ids = bool(call.query) and call.query.get("returnIds") == "true"
        return answer(200, listing.booked(self._books, order, ids=ids), order.number)

    def preview(self, call: Call) -> Answer:
        """`POST /v1/orders/preview`: what the order would bill."""
        items, target = self._booking.preview(call.body), call.body["orderDate"]
        wanted = call.body["previewOptions"].get("specificPreviewThruDate", target)
        found = {
            "invoices": _documents(owed(items), "invoiceItems", wanted),
            "creditMemos": _documents(given_back(items), "creditMemoItems", wanted),
        }
        return success(previewResult={name: many for name, many in found.items() if many})

    def order(self, call: Call) -> Answer:
        """`GET /v1/orders/{number}`."""
        return success(order=listing.order(self._order(call)))

    def orders_of(self, call: Call) -> Answer:
        """`GET /v1/orders/subscription/{number}`, newest first."""
        held = self._subscription(call).number
        numbers = reversed(self._books.orders_of.get(held, []))
        found = [one for key in numbers if (one := self._books.orders.get(key))]
        return success(orders=[listing.order(one) for one in found])

    def delete(self, call: Call) -> Answer:
        """`DELETE /v1/orders/{number}`: only the newest, and only if nothing was billed."""
        books, order = self._books, self._order(call)
        if order.documents:
            message = f"The order {order.number} was billed; it cannot be deleted."
            raise RefusedError(BUSINESS_RULE, message)
        if len(order.before) < len(order.subscriptions):
            message = f"The order {order.number} is not the newest order of its subscription."
            raise RefusedError(BUSINESS_RULE, message)
        for held, before in order.before.items():
            books.orders_of[held].remove(order.number)
            if before is not None:
                books.subscriptions.put(before)
                continue
            books.subscriptions.drop(held)
            self._account(order.account).subscriptions.remove(held)
        books.orders.drop(order.number)
        self._account(order.account).orders.remove(order.number)
        return success(f"deleted-{order.number}")

    def trigger(self, call: Call) -> Answer:
        """`PUT /v1/orders/{number}/triggerDates`: what a pending order waits for."""
        order = self._order(call)
        if order.status != "Pending":
            message = f"The order {order.number} is {order.status}; it waits for no date."
            raise RefusedError(BUSINESS_RULE, message)
        for entry in call.body.get("subscriptions", ()):
            self._activate(order, entry)
        found = [self._held(key) for key, _ in order.subscriptions]
        order.subscriptions = [(one.number, one.status) for one in found]
        if not any(one.status.startswith("Pending") for one in found):
            order.status = "Completed"
        return success(
            order.number,
            accountNumber=order.account,
            orderNumber=order.number,
            status=order.status,
            subscriptions=[
                {"subscriptionNumber": one.number, "status": one.status} for one in found
            ],
        )

    def _activate(self, order: Order, entry: Record) -> None:
        number_of = entry["subscriptionNumber"]
        if number_of not in {key for key, _ in order.subscriptions}:
            raise not_found(number_of)
        held = self._held(number_of)
        for action in entry.get("orderActions", ()):
            for at in action.get("triggerDates", ()):
                day = parsed(at.get("triggerDate"))
                if at.get("name") == "ServiceActivation":
                    held.activation = day
                elif at.get("name") == "CustomerAcceptance":
                    held.acceptance = day
        if held.activation is None:
            held.status = "Pending Activation"
        else:
            held.status = "Pending Acceptance" if held.acceptance is None else "Active"

    def subscription(self, call: Call) -> Answer:
        """`GET /v1/subscriptions/{number}`."""
        found = self._subscription(call)
        return success(**listing.subscription(self._books, found, self._catalog))

    def subscriptions_of(self, call: Call) -> Answer:
        """`GET /v1/subscriptions/accounts/{key}`."""
        account = self._account(call.params["key"])
        found = [self._held(one) for one in account.subscriptions]
        shown = [listing.subscription(self._books, one, self._catalog) for one in found]
        return success(subscriptions=shown)

    def customise(self, call: Call) -> Answer:
        """`PUT /v1/subscriptions/{number}/customFields`."""
        found = self._subscription(call)
        found.custom = found.custom | call.body.get("customFields", {})
        return success(f"{found.number}/customFields")

    def profile(self, call: Call) -> Answer:
        """`PUT /v1/payment-profile`: how these subscriptions are paid."""
        items = call.body["bulkPaymentOptionItems"]
        if len(items) > MOST_PROFILES:
            message = f"'bulkPaymentOptionItems' takes at most {MOST_PROFILES}."
            raise RefusedError(BUSINESS_RULE, message)
        found = [(self._held(item["subscriptionId"]), item) for item in items]
        for held, item in found:
            own_method(self._books, self._account(held.account), item.get("paymentMethodId", ""))
        for held, item in found:
            method = item["paymentMethodId"].replace("-", "")
            held.settings["paymentProfile"] = {"paymentMethodId": method}
        return success(",".join(f"{held.number}/profile" for held, _ in found))

    def _order(self, call: Call) -> Order:
        found = self._books.orders.get(call.params["number"])
        if found is None:
            raise not_found(call.params["number"])
        return found

    def _subscription(self, call: Call) -> Subscription:
        return self._held(call.params["number"])

    def _held(self, key: str) -> Subscription:
        found = self._books.subscriptions.get(key)
        if found is None:
            raise not_found(key)
        return found

    def _account(self, key: str) -> Account:
        found = self._books.accounts.get(key)
        if found is None:
            raise not_found(key)
        return found


def _documents(items: list[Item], member: str, target: str) -> list[Record]:
    if not items:
        return []
    amount = number(total(items))
    lines = [_line(item) for item in items]
    return [
        {
            "amount": amount,
            "amountWithoutTax": amount,
            "taxAmount": 0,
            "targetDate": target,
            member: lines,
        }
    ]


def _line(item: Item) -> Record:
    shown = listing.item(item)
    return listing.given(
        chargeName=item.name,
        chargeNumber=item.charge,
        productRatePlanChargeId=item.product_charge,
        subscriptionNumber=item.subscription,
        amountWithoutTax=number(item.amount),
        taxAmount=0,
        processingType="Discount" if item.kind == "Discount" else "Charge",
        serviceStartDate=shown.get("serviceStartDate"),
        serviceEndDate=shown.get("serviceEndDate"),
    )
