"""Look-ups of invoices, memos, payments and refunds: one by its key, or a filtered list."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from waybill.sandbox.exchange import Answer, Call
from waybill.sandbox.zuora import listing
from waybill.sandbox.zuora.amounts import number
from waybill.sandbox.zuora.envelope import Desk, not_found, success
from waybill.sandbox.zuora.money import CREDIT_MEMO, DEBIT_MEMO, INVOICE
from waybill.sandbox.zuora.refusals import BAD_VALUE, RefusedError
from waybill.sandbox.zuora.state import Account, Books, Document, Record

_PART_OF = {DEBIT_MEMO: "debitMemoId"}
_PAGING = frozenset({"page", "pageSize", "sort"})
_NUMBERS = frozenset({"amount", "appliedAmount", "unappliedAmount", "refundAmount", "balance"})
T = TypeVar("T")


class MoneyReads:
    """What the look-ups of a journey ask for."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def desks(self) -> list[Desk]:
        """What can be asked."""
        return [
            Desk("GET", "/v1/invoices/{key}", self._one(INVOICE)),
            Desk("GET", "/v1/invoices/{key}/items", self.items),
            Desk("GET", "/v1/debit-memos", self._list(DEBIT_MEMO, "debitmemos")),
            Desk("GET", "/v1/debit-memos/{key}", self._one(DEBIT_MEMO)),
            Desk("GET", "/v1/credit-memos", self._list(CREDIT_MEMO, "creditmemos")),
            Desk("GET", "/v1/credit-memos/{key}", self._one(CREDIT_MEMO)),
            Desk("GET", "/v1/payments", self.payments),
            Desk("GET", "/v1/payments/{key}", self.payment),
            Desk("GET", "/v1/payments/{key}/parts", self.parts),
            Desk("GET", "/v1/refunds", self.refunds),
            Desk("GET", "/v1/refunds/{key}", self.refund),
        ]

    def _one(self, kind: str) -> Callable[[Call], Answer]:
        def read(call: Call) -> Answer:
            found = self._books.document(kind, call.params["key"])
            if found is None:
                raise not_found(call.params["key"])
            return success(**listing.document(self._books, found))

        return read

    def _list(self, kind: str, member: str) -> Callable[[Call], Answer]:
        def read(call: Call) -> Answer:
            known = self._belonging(call, lambda account: account.documents)
            documents = _found(known, self._books.documents.get, self._books.documents)
            shown = [listing.document(self._books, one) for one in documents if one.kind == kind]
            members: Record = {member: _filtered(call, shown)}
            return success(**members)

        return read

    def items(self, call: Call) -> Answer:
        """`GET /v1/invoices/{key}/items`."""
        found: Document | None = self._books.document(INVOICE, call.params["key"])
        if found is None:
            raise not_found(call.params["key"])
        return success(invoiceItems=[listing.item(one) for one in found.items])

    def payments(self, call: Call) -> Answer:
        """`GET /v1/payments`."""
        known = self._belonging(call, lambda account: account.payments)
        found = _found(known, self._books.payments.get, self._books.payments)
        shown = [listing.payment(self._books, one) for one in found]
        return success(payments=_filtered(call, shown))

    def payment(self, call: Call) -> Answer:
        """`GET /v1/payments/{key}`."""
        found = self._books.payments.get(call.params["key"])
        if found is None:
            raise not_found(call.params["key"])
        return success(**listing.payment(self._books, found))

    def parts(self, call: Call) -> Answer:
        """`GET /v1/payments/{key}/parts`: what the payment paid."""
        found = self._books.payments.get(call.params["key"])
        if found is None:
            raise not_found(call.params["key"])
        paid = [(self._books.documents.get(key), amount) for key, amount in found.applied.items()]
        return success(
            parts=[
                {_PART_OF.get(one.kind, "invoiceId"): one.id, "amount": number(amount)}
                for one, amount in paid
                if one is not None and amount
            ]
        )

    def refunds(self, call: Call) -> Answer:
        """`GET /v1/refunds`."""
        known = self._belonging(call, lambda account: account.refunds)
        found = _found(known, self._books.refunds.get, self._books.refunds)
        shown = [listing.refund(self._books, one) for one in found]
        return success(refunds=_filtered(call, shown))

    def refund(self, call: Call) -> Answer:
        """`GET /v1/refunds/{key}`."""
        found = self._books.refunds.get(call.params["key"])
        if found is None:
            raise not_found(call.params["key"])
        return success(**listing.refund(self._books, found))

    def _belonging(self, call: Call, numbers: Callable[[Account], list[str]]) -> list[str] | None:
        """The numbers of the account that is asked for; None: of all accounts."""
        query = call.query or {}
        key = query.get("accountNumber") or query.get("accountId")
        if key is None:
            return None
        account = self._books.accounts.get(key)
        return numbers(account) if account is not None else []


def _found(
    numbers: list[str] | None, get: Callable[[str], T | None], everything: Iterable[T]
) -> list[T]:
    if numbers is None:
        return list(everything)
    return [one for number in numbers if (one := get(number)) is not None]


def _filtered(call: Call, shown: list[Record]) -> list[Record]:
    """By the query's members, which are the fields' names."""
    wanted = {name: value for name, value in dict(call.query or {}).items() if name not in _PAGING}
    for name, value in wanted.items():
        shown = [one for one in shown if _fits(one, name, value)]
    return shown


def _fits(shown: Record, name: str, value: str) -> bool:
    if name not in _NUMBERS:
        return str(shown.get(name)) == value
    try:
        return float(shown.get(name, 0)) == float(value)
    except ValueError:
        raise RefusedError(BAD_VALUE, f"'{name}' must be a number") from None
