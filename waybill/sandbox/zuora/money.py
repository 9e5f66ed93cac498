"""Invoices, memos, payments and refunds: how balances come about and how they are settled."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from waybill.sandbox.zuora import gateway
from waybill.sandbox.zuora.amounts import ZERO
from waybill.sandbox.zuora.billing import CREDIT
from waybill.sandbox.zuora.catalog import hex_id
from waybill.sandbox.zuora.refusals import BUSINESS_RULE, RefusedError
from waybill.sandbox.zuora.state import (
    Account,
    Books,
    Document,
    Item,
    Payment,
    PaymentMethod,
    Record,
    Refund,
)

INVOICE, CREDIT_MEMO, DEBIT_MEMO = "Invoice", "CreditMemo", "DebitMemo"
_PREFIXES = {INVOICE: "INV", CREDIT_MEMO: "CM", DEBIT_MEMO: "DM"}


@dataclass(frozen=True, slots=True)
class Issue:
    """What a new document says beside its lines."""

    day: date
    number: str | None = None
    due: date | None = None
    reason: str | None = None
    comment: str | None = None
    order: str | None = None
    invoice: str | None = None
    status: str = "Posted"
    excluded: bool = False
    auto_pay: bool = False
    custom: Record = field(default_factory=dict)


def owed(items: Iterable[Item]) -> list[Item]:
    """The lines for an invoice."""
    return [item for item in items if item.kind != CREDIT]


def given_back(items: Iterable[Item]) -> list[Item]:
    """The lines for a credit memo, which states amounts without a sign."""
    back = [item for item in items if item.kind == CREDIT]
    for item in back:
        item.amount = abs(item.amount)
    return back


def total(items: Iterable[Item]) -> Decimal:
    """What the lines add up to."""
    return sum((item.amount for item in items), ZERO)


def issue(books: Books, kind: str, account: Account, items: list[Item], what: Issue) -> Document:
    """A document with these lines, all of it open."""
    number = what.number or books.next(_PREFIXES[kind])
    amount = total(items)
    document = Document(
        kind=kind,
        number=number,
        id=hex_id(kind, number),
        account=account.number,
        currency=account.currency,
        day=what.day,
        amount=amount,
        balance=amount,
        items=items,
        status=what.status,
        due=what.due,
        excluded=what.excluded,
        auto_pay=what.auto_pay,
        reason=what.reason,
        comment=what.comment,
        invoice=what.invoice,
        order=what.order,
        custom=what.custom,
    )
    books.documents.put(document)
    account.documents.append(number)
    return document


def open_credit(books: Books, account: Account) -> list[Document]:
    """The posted credit memos that may be applied by rule, oldest first."""
    found = (books.documents.get(number) for number in account.documents)
    return [
        memo
        for memo in found
        if memo is not None
        and memo.kind == CREDIT_MEMO
        and memo.status == "Posted"
        and memo.balance > 0
        and not memo.excluded
    ]


def apply_credit(memos: Iterable[Document], invoice: Document) -> None:
    """Settle the invoice from the memos as far as they go."""
    for memo in memos:
        amount = min(memo.balance, invoice.balance)
        memo.balance -= amount
        memo.applied += amount
        invoice.balance -= amount


def pay(books: Books, document: Document, method: PaymentMethod, day: date) -> Payment:
    """Take the balance from the method; a declined payment is recorded with the status Error."""
    reason = gateway.declined(method)
    amount = document.balance
    number = books.next("P-")
    payment = Payment(
        number=number,
        id=hex_id("payment", number),
        account=document.account,
        currency=document.currency,
        amount=amount,
        unapplied=ZERO,
        day=day,
        method=method.id,
        status=gateway.ERROR if reason else gateway.PROCESSED,
        message=reason,
        order=document.order,
    )
    if reason is None:
        document.balance = ZERO
        payment.applied[document.number] = amount
    books.payments.put(payment)
    account = books.accounts.get(document.account)
    if account is not None:
        account.payments.append(number)
    return payment


def refund_memo(
    books: Books, memo: Document, amount: Decimal, refund: Refund, method: PaymentMethod | None
) -> Refund:
    """Pay a credit memo out. What the gateway refuses leaves the memo as it is."""
    if amount > memo.balance:
        message = f"The refund exceeds the unapplied amount {memo.balance} of {memo.number}."
        raise RefusedError(BUSINESS_RULE, message)
    _settle(refund, method)
    if refund.status != gateway.ERROR:
        memo.balance -= amount
        memo.refunded += amount
    return _kept(books, refund)


def refund_payment(
    books: Books, payment: Payment, amount: Decimal, refund: Refund, method: PaymentMethod | None
) -> Refund:
    """Pay the unapplied part of a payment back the way it came."""
    if amount > payment.unapplied:
        message = (
            f"The refund exceeds the unapplied amount {payment.unapplied} of {payment.number}."
        )
        raise RefusedError(BUSINESS_RULE, message)
    _settle(refund, method)
    if refund.status != gateway.ERROR:
        payment.unapplied -= amount
        payment.refunded += amount
    return _kept(books, refund)


def unapply(payment: Payment, document: Document, amount: Decimal) -> None:
    """What a payment paid is open again."""
    if amount > payment.applied.get(document.number, ZERO):
        message = f"{payment.number} has not paid {amount} of {document.number}."
        raise RefusedError(BUSINESS_RULE, message)
    payment.applied[document.number] -= amount
    payment.unapplied += amount
    document.balance += amount


def new_refund(books: Books, account: str, amount: Decimal, day: date, kind: str) -> Refund:
    """A refund that is still to be settled."""
    number = books.next("R-")
    return Refund(
        number=number,
        id=hex_id("refund", number),
        account=account,
        amount=amount,
        day=day,
        type=kind,
        status=gateway.PROCESSED,
    )


def _settle(refund: Refund, method: PaymentMethod | None) -> None:
    if refund.type == "External":
        return
    refund.status = gateway.refunded(method)
    if refund.status == gateway.ERROR:
        refund.message = "The gateway could not pay the refund out."


def _kept(books: Books, refund: Refund) -> Refund:
    books.refunds.put(refund)
    account = books.accounts.get(refund.account)
    if account is not None:
        account.refunds.append(refund.number)
    return refund
