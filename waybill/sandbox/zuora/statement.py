"""The whole state of the tenant as plain JSON, for those who assert what became of it."""

from waybill.sandbox.zuora import listing
from waybill.sandbox.zuora.amounts import number
from waybill.sandbox.zuora.catalog import Catalog
from waybill.sandbox.zuora.money import CREDIT_MEMO, DEBIT_MEMO, INVOICE
from waybill.sandbox.zuora.state import Account, Books, Record, Subscription


def statement(books: Books, catalog: Catalog) -> Record:
    """Everything by its number; contacts and payment methods by their id."""
    return {
        "day": books.day.isoformat(),
        "accounts": {one.number: _account(one) for one in books.accounts},
        "contacts": {one.id: {"account": one.account, **one.fields} for one in books.contacts},
        "paymentMethods": {
            one.id: {"account": one.account, "type": one.type, "status": one.status}
            for one in books.methods
        },
        "subscriptions": {
            one.number: _subscription(books, one, catalog) for one in books.subscriptions
        },
        "orders": {one.number: listing.order(one) for one in books.orders},
        "invoices": _documents(books, INVOICE),
        "creditMemos": _documents(books, CREDIT_MEMO),
        "debitMemos": _documents(books, DEBIT_MEMO),
        "payments": {
            one.number: listing.payment(books, one)
            | {"applied": {key: number(value) for key, value in one.applied.items()}}
            for one in books.payments
        },
        "refunds": {
            one.number: listing.refund(books, one)
            | listing.given(
                accountNumber=one.account, creditMemoNumber=one.memo, paymentNumber=one.payment
            )
            for one in books.refunds
        },
    }


def _account(found: Account) -> Record:
    return listing.given(
        id=found.id,
        name=found.name,
        currency=found.currency,
        autoPay=found.auto_pay,
        defaultPaymentMethodId=found.method,
        billToContactId=found.bill_to,
        soldToContactId=found.sold_to,
        **found.fields,
        customFields=found.custom,
        paymentMethods=found.methods,
        contacts=found.contacts,
        subscriptions=found.subscriptions,
        orders=found.orders,
    )


def _subscription(books: Books, found: Subscription, catalog: Catalog) -> Record:
    shown = listing.subscription(books, found, catalog)
    own = {name: value for name, value in shown.items() if name not in found.custom}
    return own | {"customFields": found.custom, "billed": _billed(found)}


def _billed(found: Subscription) -> list[Record]:
    """What it was billed for, period by period, less what was credited."""
    periods = [
        {
            "charge": charge.name,
            "from": one.begins.isoformat(),
            "to": one.ends.isoformat(),
            "amount": number(one.amount),
        }
        for plan in found.rate_plans
        for charge in plan.charges
        for one in charge.billed
    ]
    return sorted(periods, key=lambda period: (period["from"], period["charge"]))


def _documents(books: Books, kind: str) -> Record:
    return {
        one.number: listing.document(books, one)
        | listing.given(
            orderNumber=one.order,
            items=[listing.item(item) for item in one.items],
            number=one.number,
        )
        for one in books.documents
        if one.kind == kind
    }
