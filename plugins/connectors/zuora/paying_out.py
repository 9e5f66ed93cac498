"""How the money of a credit memo reaches the customer: to a method, by its payment, or outside."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final

from plugins.api import Failed, Reply, Request, Step
from plugins.connectors.zuora.amounts import amount_of, json_amount
from plugins.connectors.zuora.asking import Problem, attempted, done, found, path_of
from plugins.connectors.zuora.credit_memos import CreditMemo, read_credit_memo
from plugins.connectors.zuora.custom_fields import given, memo_fields
from plugins.connectors.zuora.envelope import StoppedError
from plugins.connectors.zuora.numbers import comment_of
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.payment_methods import Held
from plugins.connectors.zuora.reference_fields import reason_code
from plugins.limio import part, parts, text
from schemas.steps import ErrorKind

_STATUSES: Final = {"Processed": "processed", "Success": "processed", "Processing": "processing"}
_UNSUPPORTED = ("not support", "unsupported", "non-referenced", "nonreferenced", "not allowed")
_OPENED = ", opens "
_PARTS: Final = {"invoiceId": "invoices", "debitMemoId": "debitMemos"}
_PAGE = "40"


@dataclass(frozen=True, slots=True)
class PaidOut:
    """What became of the money: `processed`, `processing` or `external`, and Zuora's refund.

    `opened`: what it was paid for, where a payment went back; the memo has to settle that.
    """

    outcome: str
    number: str | None
    status: str | None
    opened: str | None = None

    def is_settled(self, memo: CreditMemo) -> bool:
        """Whether nothing is left open."""
        return self.opened is None or memo.applied >= memo.amount


@dataclass(frozen=True, slots=True)
class NotPossible:
    """It cannot be paid out in this way, and why."""

    why: str


def to_method(
    step: Step[ZuoraOptions], memo: CreditMemo, amount: Decimal, method: Held
) -> Generator[Request, Reply, PaidOut | NotPossible]:
    """An electronic refund that names no payment; the gateway may not know such refunds."""
    gateway = step.options.payment_gateway_id
    paid_by = given(paymentMethodId=method.id, gatewayId=gateway)
    body = {"type": "Electronic", **_refund(step, memo, amount), **paid_by}
    path = path_of("credit-memos", memo.number, "refund")
    reply = yield from attempted(step, "POST", path, body, "refund")
    if isinstance(reply, Reply):
        return _ended(memo, reply)
    return _refused(reply)


def by_payment(
    step: Step[ZuoraOptions], memo: CreditMemo, amount: Decimal
) -> Generator[Request, Reply, PaidOut | NotPossible]:
    """The payment itself goes back; the memo then settles what that leaves open."""
    earlier = yield from refund_of(step, memo)
    if earlier is not None and (yield from _is_settled(step, earlier)):
        return earlier
    refund = earlier or (yield from _paid_back(step, memo, amount))
    if isinstance(refund, PaidOut) and refund.opened is not None:
        path = path_of("credit-memos", memo.number, "apply")
        applied = _settling(refund.opened, amount)
        yield from done(step, "PUT", path, applied, "apply-credit-memo")
    return refund


def _paid_back(
    step: Step[ZuoraOptions], memo: CreditMemo, amount: Decimal
) -> Generator[Request, Reply, PaidOut | NotPossible]:
    """The comment says what was opened: once it is, nothing else does."""
    payment = yield from _payment(step, memo, amount)
    opened = None if payment is None else (yield from _paid_for(step, payment, amount))
    if payment is None or opened is None:
        return NotPossible("no electronic payment of an invoice or a debit memo covers it")
    body = {
        "type": "Electronic",
        **_refund(step, memo, amount),
        **_settling(opened, amount),
        "comment": f"{comment_of(step)}{_OPENED}{opened}",
    }
    path = path_of("payments", payment, "refunds", "unapply")
    reply = yield from attempted(step, "POST", path, body, "refund-payment")
    refund = _ended(memo, reply) if isinstance(reply, Reply) else _refused(reply)
    return replace(refund, opened=opened) if isinstance(refund, PaidOut) else refund


def _is_settled(step: Step[ZuoraOptions], refund: PaidOut) -> Generator[Request, Reply, bool]:
    memo = yield from read_credit_memo(step)
    return memo is not None and refund.is_settled(memo)


def outside(
    step: Step[ZuoraOptions], memo: CreditMemo, amount: Decimal
) -> Generator[Request, Reply, PaidOut]:
    """Record what was paid outside Zuora; only where the tenant says that it was."""
    method = {"methodType": step.options.external_refund_method, "referenceId": comment_of(step)}
    body = {"type": "External", **_refund(step, memo, amount), **method}
    path = path_of("credit-memos", memo.number, "refund")
    reply = yield from done(step, "POST", path, body, "record-refund")
    return PaidOut("external", text(reply.body, "number"), text(reply.body, "status"))


def refund_of(
    step: Step[ZuoraOptions], memo: CreditMemo
) -> Generator[Request, Reply, PaidOut | None]:
    """The refund that this order made before, if any. One that failed is none."""
    query = given(accountId=memo.account_id, pageSize=_PAGE)
    reply = yield from found(step, "/v1/refunds", query)
    for one in parts(reply.body if reply else None, "refunds"):
        whose, _, opened = (text(one, "comment") or "").partition(_OPENED)
        status = text(one, "status") or ""
        if whose == comment_of(step) and status in _STATUSES:
            outcome = "external" if text(one, "type") == "External" else _STATUSES[status]
            return PaidOut(outcome, text(one, "number"), status, opened or None)
    return None


def _refund(step: Step[ZuoraOptions], memo: CreditMemo, amount: Decimal) -> dict[str, Any]:
    return given(
        totalAmount=json_amount(amount, memo.currency),
        refundDate=str(step.order["effective_date"]),
        reasonCode=reason_code(step),
        comment=comment_of(step),
        **memo_fields(step),
    )


def _ended(memo: CreditMemo, reply: Reply) -> PaidOut | NotPossible:
    """A refund can have failed although the request did not."""
    status = str(reply["status"])
    if status in _STATUSES:
        return PaidOut(_STATUSES[status], text(reply.body, "number"), status)
    said = text(reply.body, "gatewayResponse") or "it gave no reason"
    if _is_unsupported(said):
        return NotPossible(said)
    message = (
        f"the refund of the credit memo {memo.number} ended as {status} at the gateway: {said}; "
        "the memo is open: retry, or pay it out yourself and resolve the step"
    )
    words = "We could not pay your money back just now. We will get in touch with you."
    raise StoppedError(Failed(ErrorKind.PERMANENT, "refund_failed", message, words))


def _refused(problem: Problem) -> NotPossible:
    """By the rules or by the gateway it is not possible; anything else ends the step."""
    if _is_unsupported(problem.message):
        return NotPossible(problem.message)
    if isinstance(problem, Failed):
        by_rule = problem.code.endswith("30")
        if by_rule or problem.kind is ErrorKind.DECLINED:
            return NotPossible(problem.message)
    raise StoppedError(problem)


def _is_unsupported(message: str) -> bool:
    return any(words in message.lower() for words in _UNSUPPORTED)


def _payment(
    step: Step[ZuoraOptions], memo: CreditMemo, amount: Decimal
) -> Generator[Request, Reply, str | None]:
    """The order's, else the latest electronic one that has so much left."""
    named = text(step.order, "refund", "payment")
    if named is not None:
        return named
    query = given(accountId=memo.account_id, pageSize=_PAGE)
    reply = yield from found(step, "/v1/payments", query)
    left = [one for one in parts(reply.body if reply else None, "payments") if _has(one, amount)]
    latest = max(left, key=lambda one: text(one, "effectiveDate") or "", default={})
    return text(latest, "number")


def _has(payment: Mapping[str, Any], amount: Decimal) -> bool:
    electronic = text(payment, "type") in (None, "Electronic")
    left = amount_of(payment.get("amount")) - amount_of(payment.get("refundAmount"))
    return electronic and text(payment, "status") == "Processed" and left >= amount


def _paid_for(
    step: Step[ZuoraOptions], payment: str, amount: Decimal
) -> Generator[Request, Reply, str | None]:
    """The order's invoice, else the invoice or the debit memo that the payment paid."""
    named = text(step.order, "refund", "invoice")
    if named is not None:
        reply = yield from found(step, path_of("invoices", named))
        invoice = text(part({"body": reply.body if reply else None}, "body"), "id")
        return f"invoiceId {invoice}" if invoice else None
    reply = yield from found(step, path_of("payments", payment, "parts"))
    paid = parts(reply.body if reply else None, "parts")
    fitting = [one for one in paid if amount_of(one.get("amount")) >= amount]
    kinds = [(kind, text(one, kind)) for one in fitting for kind in _PARTS]
    return next((f"{kind} {document}" for kind, document in kinds if document), None)


def _settling(opened: str, amount: Decimal) -> dict[str, Any]:
    kind, _, document = opened.partition(" ")
    return {_PARTS[kind]: [{kind: document, "amount": json_amount(amount)}]}
