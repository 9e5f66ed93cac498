"""Invoices, memos, payments and refunds over HTTP."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal

from waybill.sandbox.exchange import Answer, Call
from waybill.sandbox.zuora import gateway, listing
from waybill.sandbox.zuora.amounts import ZERO, decimal, rounded
from waybill.sandbox.zuora.catalog import Catalog, hex_id, list_price
from waybill.sandbox.zuora.envelope import MEMOS, PAYMENTS, Desk, not_found, success
from waybill.sandbox.zuora.money import (
    CREDIT_MEMO,
    DEBIT_MEMO,
    INVOICE,
    Issue,
    apply_credit,
    issue,
    new_refund,
    open_credit,
    pay,
    refund_memo,
    refund_payment,
    unapply,
)
from waybill.sandbox.zuora.money_bodies import (
    apply_body,
    collect_body,
    credit_memo_body,
    debit_memo_body,
    invoice_credit_body,
    memo_refund_body,
    payment_refund_body,
    unapply_refund_body,
)
from waybill.sandbox.zuora.people import CUSTOM_ENDINGS, account_of, own_method
from waybill.sandbox.zuora.periods import parsed
from waybill.sandbox.zuora.refusals import (
    BAD_VALUE,
    BUSINESS_RULE,
    EXTERNAL,
    MISSING,
    RefusedError,
)
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

_REFUND_FIELDS = ("comment", "methodType", "reasonCode", "referenceId", "gatewayId")


class MoneyDesks:
    """Everything below `/v1/invoices`, `/v1/*-memos`, `/v1/payments` and `/v1/refunds`."""

    def __init__(self, books: Books, catalog: Catalog, today: Callable[[], date]) -> None:
        self._books = books
        self._catalog = catalog
        self._today = today

    def desks(self) -> list[Desk]:
        """What changes something; `money_reads` has the look-ups."""
        debit, credit = "/v1/debit-memos", "/v1/credit-memos"
        paid = "/v1/payments/{key}/refunds"
        return [
            Desk("POST", debit, self.create_debit_memo, MEMOS, debit_memo_body),
            Desk("POST", f"{debit}/{{key}}/collect", self.collect, MEMOS, collect_body),
            Desk("POST", credit, self.create_credit_memo, MEMOS, credit_memo_body),
            Desk(
                "POST",
                f"{credit}/invoice/{{key}}",
                self.credit_invoice,
                MEMOS,
                invoice_credit_body,
            ),
            Desk("POST", f"{credit}/{{key}}/refund", self.refund_memo, MEMOS, memo_refund_body),
            Desk("PUT", f"{credit}/{{key}}/apply", self.apply, MEMOS, apply_body),
            Desk("POST", paid, self.refund_payment, PAYMENTS, payment_refund_body),
            Desk("POST", f"{paid}/unapply", self.refund_unapplied, PAYMENTS, unapply_refund_body),
        ]

    def create_debit_memo(self, call: Call) -> Answer:
        """`POST /v1/debit-memos`."""
        return self._create(call.body, DEBIT_MEMO)

    def create_credit_memo(self, call: Call) -> Answer:
        """`POST /v1/credit-memos`."""
        return self._create(call.body, CREDIT_MEMO)

    def _create(self, body: Record, kind: str) -> Answer:
        account, number = self._holder(body), body.get("number")
        if number is not None and number in self._books.documents:
            raise RefusedError(BUSINESS_RULE, f"The number {number} already exists.")
        if body.get("currency", account.currency) != account.currency:
            message = f"The currency must be the account's, {account.currency}."
            raise RefusedError(BAD_VALUE, message)
        day = self._open_day(body)
        items = [self._line(account, charge) for charge in body.get("charges", ())]
        if not items:
            raise RefusedError(MISSING, "'charges' is required")
        what = Issue(
            day=day,
            number=number,
            due=parsed(body.get("dueDate")) or day,
            reason=body.get("reasonCode"),
            comment=body.get("comment"),
            status="Posted" if body.get("autoPost") else "Draft",
            excluded=body.get("excludeFromAutoApplyRules", False),
            auto_pay=body.get("autoPay", False),
            custom=_custom(body),
        )
        document = issue(self._books, kind, account, items, what)
        return success(document.number, **listing.document(self._books, document))

    def _holder(self, body: Record) -> Account:
        key = body.get("accountNumber") or body.get("accountId")
        if key is None:
            raise RefusedError(MISSING, "'accountNumber' is required")
        return account_of(self._books, key)

    def _open_day(self, body: Record) -> date:
        day = parsed(body.get("effectiveDate")) or self._today()
        closed = self._books.closed_through
        if day <= closed:
            message = f"The date {day} is in a closed accounting period (closed through {closed})."
            raise RefusedError(BUSINESS_RULE, message)
        return day

    def _line(self, account: Account, charge: Record) -> Item:
        key = charge["productRatePlanChargeId"]
        known = self._catalog.charge(key)
        if known is None:
            raise RefusedError(BAD_VALUE, f"The product rate plan charge {key} does not exist.")
        quantity = decimal(charge.get("quantity", 1))
        amount = decimal(charge["amount"]) if "amount" in charge else list_price(known) * quantity
        if amount <= 0:
            raise RefusedError(BAD_VALUE, "'charges[].amount' must be greater than 0")
        return Item(
            id=hex_id("item", self._books.next("item")),
            charge=None,
            product_charge=known["id"],
            name=known["name"],
            amount=rounded(amount, account.currency),
            begins=parsed(charge.get("serviceStartDate")),
            ends=parsed(charge.get("serviceEndDate")),
            quantity=quantity,
        )

    def collect(self, call: Call) -> Answer:
        """`POST /v1/debit-memos/{key}/collect`: apply credit, then take the rest."""
        memo, body = self._document(call, DEBIT_MEMO), call.body
        account = account_of(self._books, memo.account)
        if memo.status != "Posted" or memo.balance <= 0:
            message = f"{memo.number} is {memo.status} with a balance of {memo.balance}."
            raise RefusedError(BUSINESS_RULE, message)
        method = self._payer(account, body.get("payment", {}))
        if body.get("applyCredit"):
            apply_credit(open_credit(self._books, account), memo)
        payment = None
        if body.get("collect") and memo.balance > 0:
            payment = pay(self._books, memo, method, self._today())
            if payment.status == gateway.ERROR:
                raise RefusedError(EXTERNAL, f"Error processing transaction. {payment.message}")
        return success(
            payment.number if payment else None,
            debitMemo={"id": memo.id, "number": memo.number},
            **_processed(self._books, payment),
        )

    def _payer(self, account: Account, named: Record) -> PaymentMethod:
        key = named.get("paymentMethodId") or account.method
        if key is None:
            message = f"{account.number} has no payment method to collect from."
            raise RefusedError(BUSINESS_RULE, message)
        return self._of(account, key)

    def _of(self, account: Account, key: str) -> PaymentMethod:
        method = own_method(self._books, account, key)
        if method.account is None:
            message = f"The payment method {key} is not one of {account.number}."
            raise RefusedError(BUSINESS_RULE, message)
        return method

    def credit_invoice(self, call: Call) -> Answer:
        """`POST /v1/credit-memos/invoice/{key}`: items of the invoice, at most what they were."""
        invoice, body = self._document(call, INVOICE), call.body
        account = account_of(self._books, invoice.account)
        day = self._open_day(body)
        lines = [_credited(invoice, entry) for entry in body.get("items", ())]
        if not lines:
            raise RefusedError(MISSING, "'items' is required")
        for item, amount in lines:
            item.credited += amount
        what = Issue(
            day=day,
            reason=body.get("reasonCode"),
            comment=body.get("comment"),
            status="Posted" if body.get("autoPost") else "Draft",
            excluded=body.get("excludeFromAutoApplyRules", False),
            invoice=invoice.id,
            custom=_custom(body),
        )
        items = [_credit_line(self._books, item, amount) for item, amount in lines]
        memo = issue(self._books, CREDIT_MEMO, account, items, what)
        if memo.status == "Posted" and body.get("autoApplyToInvoiceUponPosting"):
            apply_credit([memo], invoice)
        return success(memo.number, **listing.document(self._books, memo))

    def apply(self, call: Call) -> Answer:
        """`PUT /v1/credit-memos/{key}/apply`."""
        memo = self._posted(call)
        wanted = [(entry["invoiceId"], entry) for entry in call.body.get("invoices", ())]
        wanted += [(entry["debitMemoId"], entry) for entry in call.body.get("debitMemos", ())]
        for key, entry in wanted:
            document, amount = self._books.documents.get(key), decimal(entry["amount"])
            if document is None or not 0 < amount <= min(memo.balance, document.balance):
                message = f"{amount} of {memo.number} cannot be applied to {key}."
                raise RefusedError(BUSINESS_RULE, message)
            memo.balance -= amount
            memo.applied += amount
            document.balance -= amount
        return success(f"{memo.number}/applied", **listing.document(self._books, memo))

    def refund_memo(self, call: Call) -> Answer:
        """`POST /v1/credit-memos/{key}/refund`: without a payment that it refers to."""
        memo, body = self._posted(call), call.body
        account = account_of(self._books, memo.account)
        amount, method = _amount(body), None
        if body["type"] == "Electronic":
            if "paymentMethodId" not in body:
                raise RefusedError(MISSING, "'paymentMethodId' goes with an electronic refund")
            method = self._of(account, body["paymentMethodId"])
            gateway.check_refundable(method)
        elif "methodType" not in body:
            raise RefusedError(MISSING, "'methodType' goes with an external refund")
        refund = self._refund(memo.account, amount, body)
        refund.memo, refund.method = memo.number, method.id if method else None
        refund_memo(self._books, memo, amount, refund, method)
        return success(refund.number, **listing.refund(self._books, refund))

    def refund_payment(self, call: Call) -> Answer:
        """`POST /v1/payments/{key}/refunds`: the unapplied part of a payment."""
        payment = self._payment(call)
        return self._give_back(payment, _amount(call.body), call.body)

    def refund_unapplied(self, call: Call) -> Answer:
        """`POST /v1/payments/{key}/refunds/unapply`: open what it paid, then give it back."""
        payment, body = self._payment(call), call.body
        parts = [self._part(entry) for entry in body.get("invoices", ())]
        parts += [self._part(entry) for entry in body.get("debitMemos", ())]
        if not parts:
            applied = payment.applied.items()
            parts = [(self._known(key), amount) for key, amount in applied if amount]
        amount = decimal(body.get("totalAmount", sum((part for _, part in parts), ZERO)))
        if amount > payment.amount - payment.refunded:
            message = f"{amount} exceeds what is left of {payment.number}."
            raise RefusedError(BUSINESS_RULE, message)
        for document, part in parts:
            unapply(payment, document, part)
        return self._give_back(payment, amount, body)

    def _part(self, entry: Record) -> tuple[Document, Decimal]:
        names = ("invoiceNumber", "invoiceId", "debitMemoNumber", "debitMemoId")
        key = next((entry[name] for name in names if name in entry), "(none named)")
        return self._known(key), decimal(entry["amount"])

    def _give_back(self, payment: Payment, amount: Decimal, body: Record) -> Answer:
        refund = self._refund(payment.account, amount, body)
        refund.payment, refund.method = payment.number, payment.method
        method = self._books.methods.get(payment.method)
        refund_payment(self._books, payment, amount, refund, method)
        return success(refund.number, **listing.refund(self._books, refund))

    def _refund(self, account: str, amount: Decimal, body: Record) -> Refund:
        day = parsed(body.get("refundDate")) or self._today()
        refund = new_refund(self._books, account, amount, day, body["type"])
        refund.fields = {name: body[name] for name in _REFUND_FIELDS if name in body}
        refund.custom = _custom(body)
        return refund

    def _document(self, call: Call, kind: str) -> Document:
        found = self._books.document(kind, call.params["key"])
        if found is None:
            raise not_found(call.params["key"])
        return found

    def _known(self, key: str) -> Document:
        found = self._books.documents.get(key)
        if found is None:
            raise not_found(key)
        return found

    def _posted(self, call: Call) -> Document:
        memo = self._document(call, CREDIT_MEMO)
        if memo.status != "Posted":
            message = f"{memo.number} is {memo.status}; it must be posted first."
            raise RefusedError(BUSINESS_RULE, message)
        return memo

    def _payment(self, call: Call) -> Payment:
        found = self._books.payments.get(call.params["key"])
        if found is None:
            raise not_found(call.params["key"])
        return found


def _amount(body: Record) -> Decimal:
    amount = decimal(body["totalAmount"])
    if amount <= 0:
        raise RefusedError(BAD_VALUE, "'totalAmount' must be greater than 0")
    return amount


def _custom(body: Record) -> Record:
    return {name: value for name, value in body.items() if name.endswith(CUSTOM_ENDINGS)}


def _processed(books: Books, payment: Payment | None) -> Record:
    if payment is None:
        return {}
    return {"processedPayment": listing.payment(books, payment)}


def _credited(invoice: Document, entry: Record) -> tuple[Item, Decimal]:
    amount = decimal(entry["amount"])
    for item in invoice.items:
        if item.id == entry["invoiceItemId"]:
            if not 0 < amount <= item.amount - item.credited:
                message = f"{amount} exceeds what can be credited of the item {item.id}."
                raise RefusedError(BUSINESS_RULE, message)
            return item, amount
    message = f"{invoice.number} has no item {entry['invoiceItemId']}."
    raise RefusedError(BAD_VALUE, message)


def _credit_line(books: Books, item: Item, amount: Decimal) -> Item:
    return Item(
        id=hex_id("item", books.next("item")),
        charge=item.charge,
        product_charge=item.product_charge,
        name=item.name,
        amount=amount,
        begins=item.begins,
        ends=item.ends,
        subscription=item.subscription,
    )
