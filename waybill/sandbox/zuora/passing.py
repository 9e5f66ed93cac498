"""Days go by: renewals, bill runs and what was scheduled, day after day."""

from datetime import date

from waybill.sandbox.zuora.actions import renew
from waybill.sandbox.zuora.billing import bill
from waybill.sandbox.zuora.catalog import Catalog
from waybill.sandbox.zuora.money import (
    CREDIT_MEMO,
    INVOICE,
    Issue,
    apply_credit,
    given_back,
    issue,
    open_credit,
    owed,
    pay,
)
from waybill.sandbox.zuora.periods import earliest
from waybill.sandbox.zuora.state import Account, Books, Subscription

_OVER = frozenset({"Cancelled", "Expired"})


def advance(books: Books, catalog: Catalog, to: date) -> int:
    """Let each subscription live through to that day; how many bills came of it."""
    bills = 0
    books.day = max(books.day, to)
    for subscription in list(books.subscriptions):
        while (day := _next_day(subscription, to)) is not None:
            _live_through(catalog, subscription, day)
            bills += _bill_run(books, subscription, day)
        bills += _bill_run(books, subscription, to)
    for account in books.accounts:
        _payment_run(books, account, to)
    return bills


def _next_day(subscription: Subscription, to: date) -> date | None:
    """The next day on which something becomes of it."""
    if subscription.status in _OVER or subscription.status.startswith("Pending"):
        return None
    suspension = subscription.suspended_on if subscription.status == "Active" else None
    days = (subscription.cancelled_on, suspension, subscription.term_end)
    day = earliest(*days)
    return day if day is not None and day <= to else None


def _live_through(catalog: Catalog, subscription: Subscription, day: date) -> None:
    if subscription.cancelled_on == day:
        subscription.status = "Cancelled"
        subscription.version += 1
    elif subscription.suspended_on == day and subscription.status == "Active":
        subscription.status = "Suspended"
        subscription.version += 1
    elif subscription.auto_renew:
        renew(catalog, subscription)
        subscription.version += 1
    else:
        subscription.status = "Expired"


def _bill_run(books: Books, subscription: Subscription, day: date) -> int:
    account = books.accounts.get(subscription.invoice_account or subscription.account)
    items = bill(subscription, day)
    if account is None or not items:
        return 0
    credit, charges = given_back(items), owed(items)
    if credit:
        issue(books, CREDIT_MEMO, account, credit, Issue(day=day))
    if charges:
        invoice = issue(books, INVOICE, account, charges, Issue(day=day, due=day, auto_pay=True))
        apply_credit(open_credit(books, account), invoice)
    return 1


def _payment_run(books: Books, account: Account, day: date) -> None:
    """Automatic payment of what is due, as far as the method lets it."""
    method = books.methods.get(account.method)
    if not account.auto_pay or method is None:
        return
    for number in account.documents:
        document = books.documents.get(number)
        if document is None or document.kind == CREDIT_MEMO or document.status != "Posted":
            continue
        if document.balance > 0 and (document.due or day) <= day:
            pay(books, document, method, day)
