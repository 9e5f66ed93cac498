"""Refund: a credit memo for the amount, and its money back to the customer where that is possible.

Where it is not, `onRefundNotPossible` decides; by default the memo stays open and a person is
asked. An external refund is recorded only where the tenant says that the money was paid.
"""

from collections.abc import Generator
from decimal import Decimal
from typing import Any

from plugins.api import Conversation, Done, Failed, Reply, Request, Step
from plugins.connectors.zuora.amounts import text_amount
from plugins.connectors.zuora.credit_memos import (
    CreditMemo,
    credited,
    memo_output,
    owed,
    read_credit_memo,
    require_ours,
)
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.envelope import StoppedError
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.paying_out import (
    NotPossible,
    PaidOut,
    by_payment,
    outside,
    refund_of,
    to_method,
)
from plugins.connectors.zuora.payment_methods import Held, held
from plugins.limio import text
from schemas.steps import ErrorKind


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """What cannot be paid out is known before anything is booked, as far as Zuora can tell."""
    wanted = yield from owed(step)
    method = _refundable(step, (yield from held(step, wanted.account)), wanted.method)
    impossible = NotPossible("the account has no payment method that money can be refunded to")
    if method is None and step.options.on_refund_not_possible == "fail":
        raise StoppedError(_failed(impossible, None))
    memo = yield from credited(step, wanted, kept_open=True)
    paid: PaidOut | NotPossible | None = None
    if memo.refunded > 0:
        paid = yield from refund_of(step, memo)
    if paid is None and method is not None:
        paid = yield from to_method(step, memo, wanted.amount, method)
    if not isinstance(paid, PaidOut):
        paid = yield from _otherwise(step, memo, wanted.amount, paid or impossible)
    return Done(**_output(memo, wanted.currency, paid))


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """The memo by its number, the refund by its comment; without them the step goes on."""
    memo = yield from read_credit_memo(step)
    if memo is None:
        return step.not_done()
    require_ours(step, memo)
    paid = yield from refund_of(step, memo)
    currency = memo.currency or text(step.order, "total", "currency") or ""
    if paid is None or not paid.is_settled(memo):
        return step.not_done()
    return Done(**_output(memo, currency, paid))


def _refundable(step: Step[ZuoraOptions], methods: list[Held], own: str | None) -> Held | None:
    """The method that the order names, the subscription's own, or the account's default.

    None where its type does not allow that.
    """
    allowed = [one for one in methods if one.type in step.options.non_referenced_refunds]
    named = text(step.order, "payment", "zuora", "paymentMethodId") or own
    return next(
        (one for one in allowed if (one.id == named if named else one.is_default)),
        None,
    )


def _otherwise(
    step: Step[ZuoraOptions], memo: CreditMemo, amount: Decimal, problem: NotPossible
) -> Generator[Request, Reply, PaidOut | NotPossible]:
    match step.options.on_refund_not_possible:
        case "referenced":
            return (yield from by_payment(step, memo, amount))
        case "external":
            return (yield from outside(step, memo, amount))
        case "fail":
            raise StoppedError(_failed(problem, memo))
        case "leave_credit":
            return problem


def _failed(problem: NotPossible, memo: CreditMemo | None) -> Failed:
    booked = f"; the credit memo {memo.number} is open" if memo else "; nothing was booked"
    message = f"the refund is not possible: {problem.why}{booked}"
    words = "We could not pay your money back. Please contact customer service."
    return Failed(ErrorKind.PERMANENT, "refund_not_possible", message, words)


def _output(memo: CreditMemo, currency: str, paid: PaidOut | NotPossible) -> dict[str, Any]:
    if isinstance(paid, PaidOut):
        numbers = given(refundNumber=paid.number, refundStatus=paid.status, refund=paid.outcome)
        return {**memo_output(memo, currency), **numbers}
    amount = text_amount(memo.amount, currency)
    message = (
        f"the credit memo {memo.number} over {amount} {currency} could not be refunded "
        f"({paid.why}): pay it out and record that in Zuora, or leave it as credit; then resolve"
    )
    follow_up = {"code": "refund_not_possible", "message": message}
    return {**memo_output(memo, currency), "refund": "not_possible", "follow_up": follow_up}
