"""Object Query: lists of objects by filter, with other names and another envelope."""

import re
from collections.abc import Callable, Iterable
from typing import Any
from uuid import uuid4

from waybill.sandbox.exchange import Answer, Call, answer
from waybill.sandbox.zuora import listing
from waybill.sandbox.zuora.catalog import Catalog, queried_charge
from waybill.sandbox.zuora.envelope import CATEGORIES, READS, Desk
from waybill.sandbox.zuora.money import CREDIT_MEMO, DEBIT_MEMO, INVOICE
from waybill.sandbox.zuora.state import Account, Books, Record

LARGEST_PAGE = 99
_BAD_PARAMETER = READS * CATEGORIES + 23
_NOT_FOUND = READS * CATEGORIES + 40
_FILTER = re.compile(r"(\w+)\.(EQ|NE|LT|GT|LE|GE|SW|IN):(.*)", re.DOTALL)
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "EQ": lambda have, want: bool(have == want),
    "NE": lambda have, want: bool(have != want),
    "LT": lambda have, want: bool(have < want),
    "GT": lambda have, want: bool(have > want),
    "LE": lambda have, want: bool(have <= want),
    "GE": lambda have, want: bool(have >= want),
    "SW": lambda have, want: str(have).startswith(str(want)),
}
_NAMES: dict[str, dict[str, str | None]] = {
    "contacts": {"accountNumber": None, "zipCode": "postalCode"},
    "payment-methods": {"status": "paymentMethodStatus", "isDefault": None, "accountKey": None},
    "subscriptions": {
        "accountName": None,
        "accountNumber": None,
        "customerAcceptanceDate": "contractAcceptanceDate",
        "invoiceOwnerAccountId": "invoiceOwnerId",
        "invoiceOwnerAccountNumber": None,
        "invoiceSeparately": "isInvoiceSeparate",
        "orderNumber": None,
        "paymentProfile": None,
        "scheduledCancelDate": None,
        "scheduledSuspendDate": None,
        "statusHistory": None,
        "subscriptionNumber": "name",
    },
    "rate-plans": {
        "lastChangeType": None,
        "productName": None,
        "productSku": None,
        "ratePlanName": "name",
    },
    "rate-plan-charges": {
        "currency": None,
        "discountAmount": None,
        "discountPercentage": None,
        "model": "chargeModel",
        "number": "chargeNumber",
        "price": None,
        "type": "chargeType",
    },
    "orders": {
        "customFields": None,
        "existingAccountNumber": None,
        "reasonCode": None,
        "subscriptions": None,
    },
    "invoices": {"accountNumber": None, "comment": "comments", "reasonCode": None},
    "invoice-items": {
        "availableToCreditAmount": None,
        "subscriptionName": "subscriptionNumber",
    },
    "credit-memos": {
        "accountNumber": None,
        "amount": "totalAmount",
        "creditMemoDate": "memoDate",
        "number": "memoNumber",
        "referredInvoiceId": "invoiceId",
        "unappliedAmount": "balance",
    },
    "debit-memos": {
        "accountNumber": None,
        "amount": "totalAmount",
        "beAppliedAmount": None,
        "comment": "comments",
        "debitMemoDate": "memoDate",
        "number": "memoNumber",
        "referredInvoiceId": "invoiceId",
    },
    "payments": {"accountNumber": None, "number": "paymentNumber"},
    "refunds": {
        "creditMemoId": None,
        "gatewayId": "gateway",
        "number": "refundNumber",
        "paymentId": None,
        "referenceId": "referenceID",
    },
    "product-rate-plans": {"status": None},
}
"""What Object Query calls what the other answers show; None: it does not show it."""


class Filter:
    """One condition of a query, as `name.EQ:value`."""

    def __init__(self, text: str) -> None:
        found = _FILTER.fullmatch(text)
        if found is None:
            raise ValueError(text)
        self.field, self.operator, value = found[1].lower(), found[2], found[3]
        listed = value.startswith("[") and value.endswith("]") and self.operator == "IN"
        self.values = value[1:-1].split(",") if listed else [value]

    def admits(self, record: Record) -> bool:
        """Whether the record fits; a field that it lacks never does."""
        have = next((value for name, value in record.items() if name.lower() == self.field), None)
        if have is None:
            return False
        wanted = [_alike(have, value) for value in self.values]
        if self.operator == "IN":
            return have in wanted
        return _COMPARED[self.operator](have, wanted[0])


def _alike(have: Any, value: str) -> Any:
    """The value as something of the same type."""
    if isinstance(have, bool):
        return value.lower() == "true"
    if isinstance(have, int | float):
        return float(value)
    return value


class Queries:
    """The objects that can be queried; accounts are narrowed down before they are listed."""

    def __init__(self, books: Books, catalog: Catalog) -> None:
        self._books = books
        self._catalog = catalog
        self._objects: dict[str, Callable[[list[Filter]], Iterable[Record]]] = {
            "accounts": self._accounts,
            "contacts": self._contacts,
            "payment-methods": self._methods,
            "subscriptions": self._subscriptions,
            "rate-plans": self._rate_plans,
            "rate-plan-charges": self._rate_plan_charges,
            "orders": self._orders,
            "invoices": lambda filters: self._documents(INVOICE, filters),
            "invoice-items": self._invoice_items,
            "credit-memos": lambda filters: self._documents(CREDIT_MEMO, filters),
            "debit-memos": lambda filters: self._documents(DEBIT_MEMO, filters),
            "payments": self._payments,
            "refunds": self._refunds,
            "products": self._products,
            "product-rate-plans": self._plans,
            "product-rate-plan-charges": self._charges,
        }

    def desks(self) -> list[Desk]:
        """What can be asked."""
        objects = "|".join(self._objects)
        return [
            Desk("GET", f"/object-query/{{object:{objects}}}", self.query),
            Desk("GET", f"/object-query/{{object:{objects}}}/{{key}}", self.one),
        ]

    def query(self, call: Call) -> Answer:
        """`GET /object-query/{object}`: all filters must fit."""
        query = call.query
        filters = []
        for text in query.getall("filter[]", []) if query else []:
            try:
                filters.append(Filter(text))
            except ValueError:
                message = f"The filter '{text}' is not supported; use name.EQ:a or name.IN:[a,b]"
                return _refused(400, _BAD_PARAMETER, message)
        size = query.get("pageSize", "20") if query else "20"
        if not size.isdecimal() or not 0 < int(size) <= LARGEST_PAGE:
            return _refused(400, _BAD_PARAMETER, f"pageSize takes 1 to {LARGEST_PAGE}.")
        records = self._records(call, filters)
        found = [one for one in records if all(wanted.admits(one) for wanted in filters)]
        expand = query.getall("expand[]", []) if query else []
        fields = [name.lower() for name in query.getall("fields[]", [])] if query else []
        return answer(200, {"data": [_shown(one, expand, fields) for one in found[: int(size)]]})

    def one(self, call: Call) -> Answer:
        """`GET /object-query/{object}/{key}`."""
        key = call.params["key"]
        names = {"id", "accountnumber", "name", "ordernumber", "invoicenumber", "memonumber"}
        for record in self._records(call, []):
            if any(value == key for name, value in record.items() if name.lower() in names):
                return answer(200, _shown(record, [], []))
        return _refused(404, _NOT_FOUND, f"Cannot find entity by key: '{key}'.")

    def _records(self, call: Call, filters: list[Filter]) -> Iterable[Record]:
        names = _NAMES.get(call.params["object"], {})
        for record in self._objects[call.params["object"]](filters):
            renamed = {names.get(name, name): value for name, value in record.items()}
            yield {name: value for name, value in renamed.items() if name is not None}

    def _holders(self, filters: list[Filter]) -> list[Account]:
        """The accounts whose things are meant, all where no filter names one."""
        for wanted in filters:
            if wanted.operator != "EQ":
                continue
            if wanted.field in {"accountid", "accountnumber"}:
                found = self._books.accounts.get(wanted.values[0])
                return [found] if found else []
            if wanted.field == "crmid":
                known = self._books.by_crm_id.get(wanted.values[0], [])
                return [one for key in known if (one := self._books.accounts.get(key))]
        return list(self._books.accounts)

    def _accounts(self, filters: list[Filter]) -> Iterable[Record]:
        for account in self._holders(filters):
            shown = listing.account(self._books, account)
            yield {
                **shown["basicInfo"],
                **shown["billingAndPayment"],
                "billToId": account.bill_to,
                "soldToId": account.sold_to,
            }

    def _contacts(self, filters: list[Filter]) -> Iterable[Record]:
        for account in self._holders(filters):
            for key in account.contacts:
                contact = self._books.contacts.get(key)
                if contact is not None:
                    yield listing.contact(self._books, contact)

    def _methods(self, filters: list[Filter]) -> Iterable[Record]:
        for account in self._holders(filters):
            for key in account.methods:
                method = self._books.methods.get(key)
                if method is not None:
                    shown = listing.method(self._books, method)
                    yield {**shown, "accountId": account.id}

    def _subscriptions(self, filters: list[Filter]) -> Iterable[Record]:
        for account in self._holders(filters):
            for key in account.subscriptions:
                found = self._books.subscriptions.get(key)
                if found is not None:
                    yield listing.subscription(self._books, found, self._catalog)

    def _rate_plans(self, filters: list[Filter]) -> Iterable[Record]:
        for shown in self._subscriptions(filters):
            for plan in shown["ratePlans"]:
                yield {**plan, "subscriptionId": shown["id"]}

    def _rate_plan_charges(self, filters: list[Filter]) -> Iterable[Record]:
        for plan in self._rate_plans(filters):
            for charge in plan["ratePlanCharges"]:
                yield {**charge, "ratePlanId": plan["id"]}

    def _orders(self, filters: list[Filter]) -> Iterable[Record]:
        for account in self._holders(filters):
            for key in account.orders:
                order = self._books.orders.get(key)
                if order is not None:
                    yield {"id": order.id, "accountId": account.id, **listing.order(order)}

    def _documents(self, kind: str, filters: list[Filter]) -> Iterable[Record]:
        for account in self._holders(filters):
            for key in account.documents:
                document = self._books.document(kind, key)
                if document is not None:
                    yield listing.document(self._books, document)

    def _invoice_items(self, filters: list[Filter]) -> Iterable[Record]:
        for shown in self._documents(INVOICE, filters):
            document = self._books.documents.get(shown["id"])
            for item in document.items if document else ():
                yield {**listing.item(item), "invoiceId": shown["id"]}

    def _payments(self, filters: list[Filter]) -> Iterable[Record]:
        for account in self._holders(filters):
            for key in account.payments:
                payment = self._books.payments.get(key)
                if payment is not None:
                    yield listing.payment(self._books, payment)

    def _refunds(self, filters: list[Filter]) -> Iterable[Record]:
        for account in self._holders(filters):
            for key in account.refunds:
                refund = self._books.refunds.get(key)
                if refund is not None:
                    yield listing.refund(self._books, refund)

    def _products(self, filters: list[Filter]) -> Iterable[Record]:
        del filters
        return self._catalog.products()

    def _plans(self, filters: list[Filter]) -> Iterable[Record]:
        """Asking for a plan by name makes it, where the sandbox has none of that name."""
        for wanted in filters:
            if wanted.field == "name" and wanted.operator in {"EQ", "IN"}:
                for name in wanted.values:
                    self._catalog.plan_named(name)
        for plan in self._catalog.plans():
            charges = [queried_charge(charge) for charge in plan["productRatePlanCharges"]]
            shown = {name: value for name, value in plan.items() if not name.startswith("_")}
            yield {**shown, "productRatePlanCharges": charges}

    def _charges(self, filters: list[Filter]) -> Iterable[Record]:
        for plan in self._plans(filters):
            for charge in plan["productRatePlanCharges"]:
                yield {**charge, "productRatePlanId": plan["id"]}


def _shown(record: Record, expand: list[str], fields: list[str]) -> Record:
    """Lists only where they are expanded; the fields that were asked for, and the id."""
    expanded = {name.lower() for name in expand}
    return {
        name: value
        for name, value in record.items()
        if (not isinstance(value, list) or name.lower() in expanded)
        and (not fields or name == "id" or name.lower() in fields or name.lower() in expanded)
    }


def _refused(status: int, code: int, message: str) -> Answer:
    reasons = [{"code": code, "message": message}]
    return answer(status, {"reasons": reasons, "requestId": str(uuid4())})
