"""How the money of a credit memo reaches the customer: to a method, by its payment, or outside."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from plugins.api import Failed, Reply, Request, Step
from plugins.connectors.zuora.amounts import amount_of, json_amount
from plugins.connectors.zuora.asking import Problem, attempted, done, found, path_of
from plugins.connectors.zuora.credit_memos import CreditMemo
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
_PAGE = "40"


@dataclass(frozen=True, slots=True)
class PaidOut:
    """What became of the money: `processed`, `processing` or `external`, and Zuora's refund."""

    outcome: str
    number: str | None
    status: str | None


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
    """The payment itself goes back; the memo then settles the invoice that it leaves open."""
    earlier = yield from refund_of(step, memo)
    payment = yield from _payment(step, memo, amount)
    invoice = None if payment is None else (yield from _invoice_of(step, payment, amount))
    if payment is None or invoice is None:
        return NotPossible("no electronic payment of an invoice covers it")
    paid = earlier
    if paid is None:
        part_of = {"invoiceId": invoice, "amount": json_amount(amount)}
        body = {"type": "Electronic", **_refund(step, memo, amount), "invoices": [part_of]}
        path = path_of("payments", payment, "refunds", "unapply")
        reply = yield from attempted(step, "POST", path, body, "refund-payment")
        refund = _ended(memo, reply) if isinstance(reply, Reply) else _refused(reply)
        if isinstance(refund, NotPossible):
            return refund
        paid = refund
    applied = {"invoices": [{"invoiceId": invoice, "amount": json_amount(amount)}]}
    path = path_of("credit-memos", memo.number, "apply")
    yield from done(step, "PUT", path, applied, "apply-credit-memo")
    return paid


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
    ours = [
        one
        for one in parts(reply.body if reply else None, "refunds")
        if text(one, "comment") == comment_of(step) and text(one, "status") in _STATUSES
    ]
    if not ours:
        return None
    status = text(ours[0], "status") or ""
    external = text(ours[0], "type") == "External"
    return PaidOut("external" if external else _STATUSES[status], text(ours[0], "number"), status)


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


def _invoice_of(
    step: Step[ZuoraOptions], payment: str, amount: Decimal
) -> Generator[Request, Reply, str | None]:
    """The order's invoice, else the one that the payment paid."""
    named = text(step.order, "refund", "invoice")
    if named is not None:
        reply = yield from found(step, path_of("invoices", named))
        return text(part({"body": reply.body if reply else None}, "body"), "id")
    reply = yield from found(step, path_of("payments", payment, "parts"))
    paid = parts(reply.body if reply else None, "parts")
    fitting = [one for one in paid if amount_of(one.get("amount")) >= amount]
    return next((found_id for one in fitting if (found_id := text(one, "invoiceId"))), None)
