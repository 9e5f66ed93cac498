"""Accounts, contacts and payment methods over HTTP."""

from typing import Any

from waybill.sandbox.exchange import Answer, Call, answer
from waybill.sandbox.zuora import listing
from waybill.sandbox.zuora.catalog import hex_id
from waybill.sandbox.zuora.envelope import ACCOUNTS, CONTACTS, METHODS, Desk, not_found, success
from waybill.sandbox.zuora.money import INVOICE
from waybill.sandbox.zuora.people import (
    account_of,
    add_contact,
    attach,
    change_account,
    method_of,
    new_method,
    opened,
    own_method,
    person,
)
from waybill.sandbox.zuora.people_bodies import (
    account_body,
    account_changes,
    contact_body,
    contact_changes,
    method_body,
    method_changes,
)
from waybill.sandbox.zuora.periods import shown
from waybill.sandbox.zuora.refusals import BUSINESS_RULE, MISSING, RefusedError
from waybill.sandbox.zuora.state import Account, Books, Contact, PaymentMethod, Record

_FLAGS = ("asBillTo", "asSoldTo", "asShipTo")


class PeopleDesks:
    """Everything below `/v1/accounts`, `/v1/contacts` and `/v1/payment-methods`."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def desks(self) -> list[Desk]:
        """What can be asked."""
        one, contact = "/v1/accounts/{key}", "/v1/contacts/{key}"
        method = "/v1/payment-methods/{key}"
        return [
            Desk("POST", "/v1/accounts", self.create_account, ACCOUNTS, account_body),
            Desk("GET", one, self.account),
            Desk("PUT", one, self.change_account, ACCOUNTS, account_changes),
            Desk("GET", f"{one}/summary", self.summary),
            Desk("GET", f"{one}/payment-methods", self.methods_of),
            Desk("POST", "/v1/contacts", self.create_contact, CONTACTS, contact_body),
            Desk("GET", contact, self.contact),
            Desk("PUT", contact, self.change_contact, CONTACTS, contact_changes),
            Desk("POST", "/v1/payment-methods", self.create_method, METHODS, method_body),
            Desk("GET", method, self.method),
            Desk("PUT", method, self.change_method, METHODS, method_changes),
            Desk("DELETE", method, self.delete_method, METHODS),
        ]

    def create_account(self, call: Call) -> Answer:
        """`POST /v1/accounts`."""
        account = opened(self._books, call.body).enter(self._books)
        document = listing.given(
            success=True,
            accountId=account.id,
            accountNumber=account.number,
            billToContactId=account.bill_to,
            soldToContactId=account.sold_to,
            paymentMethodId=account.method,
        )
        return answer(200, document, account.number)

    def account(self, call: Call) -> Answer:
        """`GET /v1/accounts/{key}`."""
        return answer(200, listing.account(self._books, self._account(call)))

    def change_account(self, call: Call) -> Answer:
        """`PUT /v1/accounts/{key}`: what is named is set; the same again changes nothing."""
        account = self._account(call)
        before = listing.account(self._books, account)
        change_account(self._books, account, call.body)
        changed = listing.account(self._books, account) != before
        return success(f"{account.number}/changed" if changed else None)

    def summary(self, call: Call) -> Answer:
        """`GET /v1/accounts/{key}/summary`."""
        account = self._account(call)
        shown_ = listing.account(self._books, account)
        basic = shown_["basicInfo"] | shown_["billingAndPayment"]
        return success(
            basicInfo=basic | {"balance": shown_["metrics"]["balance"]},
            billToContact=shown_["billToContact"],
            soldToContact=shown_["soldToContact"],
            invoices=_invoices(self._books, account),
            payments=_payments(self._books, account),
            subscriptions=_subscriptions(self._books, account),
        )

    def methods_of(self, call: Call) -> Answer:
        """`GET /v1/accounts/{key}/payment-methods`, by type."""
        account = self._account(call)
        active = bool(call.query) and call.query.get("isActiveOnly") == "true"
        found: dict[str, Any] = {"creditcard": []}
        for key in account.methods:
            method = self._books.methods.get(key)
            if method is not None and (method.status == "Active" or not active):
                shown_ = listing.method(self._books, method)
                found.setdefault(method.type.lower(), []).append(shown_)
        return success(**listing.given(defaultPaymentMethodId=account.method), **found)

    def create_contact(self, call: Call) -> Answer:
        """`POST /v1/contacts`: another contact of the account, in no role yet."""
        body = dict(call.body)
        key = body.pop("accountNumber", None) or body.pop("accountId", None)
        if key is None:
            raise RefusedError(MISSING, "'accountNumber' is required")
        account = account_of(self._books, key)
        place = f"{account.number}/{len(account.contacts)}"
        contact = Contact(hex_id("contact", place), account.number, person(body))
        add_contact(self._books, account, contact)
        return success(contact.id, **listing.contact(self._books, contact))

    def contact(self, call: Call) -> Answer:
        """`GET /v1/contacts/{key}`."""
        return success(**listing.contact(self._books, self._contact(call)))

    def change_contact(self, call: Call) -> Answer:
        """`PUT /v1/contacts/{key}`: what is named is set."""
        contact = self._contact(call)
        changed = contact.fields | person(call.body) != contact.fields
        contact.fields |= person(call.body)
        shown_ = listing.contact(self._books, contact)
        return success(f"{contact.id}/changed" if changed else None, **shown_)

    def create_method(self, call: Call) -> Answer:
        """`POST /v1/payment-methods`: an orphan where no account is named."""
        body = call.body
        account = account_of(self._books, body["accountKey"]) if "accountKey" in body else None
        seed = f"{account.number if account else self._books.next('PM')}/{body}"
        method = new_method(body, f"{seed}/{len(account.methods) if account else 0}")
        self._books.methods.put(method)
        if account is not None:
            attach(self._books, account, method)
            account.method = method.id if body.get("makeDefault") else account.method
        return success(method.id, id=method.id)

    def method(self, call: Call) -> Answer:
        """`GET /v1/payment-methods/{key}`."""
        found = self._books.methods.get(call.params["key"])
        return success(**listing.method(self._books, found or self._method(call)))

    def change_method(self, call: Call) -> Answer:
        """`PUT /v1/payment-methods/{key}`: gives an orphan its account, for good."""
        method = self._method(call)
        body = dict(call.body)
        key = body.pop("accountKey", None)
        before = method.account
        if key is not None:
            account = account_of(self._books, key)
            attach(self._books, account, own_method(self._books, account, method.id))
            method = self._method(call)
        changed = before != method.account or bool(body)
        method.fields |= body
        self._books.methods.put(method)
        return success(method.id if changed else None, id=method.id)

    def delete_method(self, call: Call) -> Answer:
        """`DELETE /v1/payment-methods/{key}`; the default of an account stays."""
        method = self._method(call)
        account = self._books.accounts.get(method.account)
        if account is not None and account.method == method.id:
            message = f"The payment method {method.id} is the default of {account.number}."
            raise RefusedError(BUSINESS_RULE, message)
        if account is not None:
            account.methods.remove(method.id)
            method.holders -= 1
        if method.holders == 0:
            method.status = "Closed"
        self._books.methods.put(method)
        return success(f"{method.id}/closed")

    def _account(self, call: Call) -> Account:
        found = self._books.accounts.get(call.params["key"])
        if found is None:
            raise not_found(call.params["key"])
        return found

    def _contact(self, call: Call) -> Contact:
        found = self._books.contacts.get(call.params["key"])
        if found is None:
            raise not_found(call.params["key"])
        return found

    def _method(self, call: Call) -> PaymentMethod:
        return method_of(self._books, call.params["key"])


def _invoices(books: Books, account: Account) -> list[Record]:
    found = [one for key in account.documents if (one := books.document(INVOICE, key))]
    return [
        {
            "id": one.id,
            "invoiceNumber": one.number,
            "invoiceDate": shown(one.day),
            "amount": float(one.amount),
            "balance": str(one.balance),
            "status": one.status,
        }
        for one in found
    ]


def _payments(books: Books, account: Account) -> list[Record]:
    found = [one for key in account.payments if (one := books.payments.get(key))]
    return [
        {
            "id": one.id,
            "paymentNumber": one.number,
            "effectiveDate": shown(one.day),
            "paymentType": one.type,
            "status": one.status,
            "paidInvoices": [
                {"invoiceNumber": key, "appliedPaymentAmount": str(amount)}
                for key, amount in one.applied.items()
            ],
        }
        for one in found
    ]


def _subscriptions(books: Books, account: Account) -> list[Record]:
    found = [one for key in account.subscriptions if (one := books.subscriptions.get(key))]
    return [{"id": one.id, "subscriptionNumber": one.number, "status": one.status} for one in found]
