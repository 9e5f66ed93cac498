"""Scripted refunds and credits."""

from collections.abc import Sequence
from typing import Any

from plugins.api import Done, Example, Failed, Reply
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    ACCOUNT,
    ACCOUNT_ID,
    METHOD,
    NUMBER,
    OTHER_FEE,
    OTHER_PLAN,
    READ,
    order,
    step,
    subscription,
)
from schemas.steps import ErrorKind

_MEMO = f"CM-{NUMBER}"
_FIND = f"GET /v1/credit-memos/{_MEMO}"
_METHODS = f"GET /v1/accounts/{ACCOUNT}/payment-methods"
_REFUNDS = "GET /v1/refunds"
_PAYMENTS = "GET /v1/payments"
_COMMENT = "order order-1"
_BOOKED_ON = {"id": OTHER_PLAN, "charges": {"Refund": OTHER_FEE}}
_TOTAL = {"currency": "GBP", "amount": 10}
_REFUND = order("refund", total=_TOTAL, data={"reason": {"id": "goodwill"}})
_CREDIT = order("credit", total=_TOTAL, data={"reason": {"id": "late_delivery"}})
_NONE: Reply = Reply(200, {"success": True})


def _held(kind: str) -> Reply:
    method = {"id": METHOD, "type": kind, "status": "Active", "isDefault": True}
    return Reply(200, {"success": True, "defaultPaymentMethodId": METHOD, "creditcard": [method]})


def _memo(**more: Any) -> Reply:
    document = {
        "success": True,
        "id": "8ad0a1f29c01f4b3019c0a5cfb1f0021",
        "number": _MEMO,
        "accountNumber": ACCOUNT,
        "accountId": ACCOUNT_ID,
        "amount": 10,
        "refundAmount": 0,
        "currency": "GBP",
        "comment": _COMMENT,
        "status": "Posted",
        **more,
    }
    return Reply(200, document)


def _refunded(status: str, **more: Any) -> Reply:
    return Reply(200, {"success": True, "number": "R-00000004", "status": status, **more})


def _refunds(*listed: dict[str, Any]) -> Reply:
    return Reply(200, {"success": True, "refunds": list(listed)})


_OURS = {"number": "R-00000004", "status": "Processed", "comment": _COMMENT}
_BEFORE = {READ: subscription(), _METHODS: _held("CreditCard"), "create-credit-memo": _memo()}
_WITHOUT = {**_BEFORE, _METHODS: _held("SEPA")}
_BOOKED = {
    "creditMemoNumber": _MEMO,
    "accountNumber": ACCOUNT,
    "amount": "10.00",
    "currency": "GBP",
}
_PAID = {"refundNumber": "R-00000004", "refundStatus": "Processed"}
_OPEN = (
    f"the credit memo {_MEMO} over 10.00 GBP could not be refunded (the account has no payment "
    "method that money can be refunded to): pay it out and record that in Zuora, or leave it as "
    "credit; then resolve"
)

EXAMPLES: Sequence[Example] = (
    Example(
        name="a refund is a credit memo and its money back",
        step=step(_REFUND, refundRatePlan=_BOOKED_ON),
        replies={**_BEFORE, "refund": _refunded("Processed")},
        expected=Done(**_BOOKED, **_PAID, refund="processed"),
        found={_FIND: _memo(), _REFUNDS: _refunds(_OURS)},
        missing={_FIND: ABSENT},
    ),
    Example(
        name="a refund that failed inside a success",
        step=step(_REFUND, refundRatePlan=_BOOKED_ON),
        replies={**_BEFORE, "refund": _refunded("Error", gatewayResponse="The account is closed")},
        expected=Failed(ErrorKind.PERMANENT, "refund_failed", ""),
    ),
    Example(
        name="where no method takes money back the memo stays open for a person",
        step=step(_REFUND, refundRatePlan=_BOOKED_ON),
        replies=_WITHOUT,
        expected=Done(
            **_BOOKED,
            refund="not_possible",
            follow_up={"code": "refund_not_possible", "message": _OPEN},
        ),
        missing={_FIND: _memo(), _REFUNDS: _refunds()},
    ),
    Example(
        name="where no method takes money back the payment itself is refunded",
        step=step(_REFUND, refundRatePlan=_BOOKED_ON, onRefundNotPossible="referenced"),
        replies={
            **_WITHOUT,
            _REFUNDS: _refunds(),
            _PAYMENTS: Reply(
                200,
                {
                    "success": True,
                    "payments": [
                        {
                            "number": "P-00000012",
                            "type": "Electronic",
                            "status": "Processed",
                            "amount": 25,
                            "effectiveDate": "2026-03-01",
                        }
                    ],
                },
            ),
            f"{_PAYMENTS}/P-00000012/parts": Reply(
                200,
                {
                    "success": True,
                    "parts": [{"invoiceId": "8ad0a1f29c01f4b3019c0a5cfb1f0031", "amount": 25}],
                },
            ),
            "refund-payment": _refunded("Processed"),
            "apply-credit-memo": _NONE,
        },
        expected=Done(**_BOOKED, **_PAID, refund="processed"),
    ),
    Example(
        name="what was paid outside Zuora is recorded where the tenant says so",
        step=step(_REFUND, refundRatePlan=_BOOKED_ON, onRefundNotPossible="external"),
        replies={**_WITHOUT, "record-refund": _refunded("Processed", type="External")},
        expected=Done(**_BOOKED, **_PAID, refund="external"),
        found={_FIND: _memo(), _REFUNDS: _refunds({**_OURS, "type": "External"})},
    ),
    Example(
        name="a refund that may not be left open fails before anything is booked",
        step=step(_REFUND, refundRatePlan=_BOOKED_ON, onRefundNotPossible="fail"),
        replies=_WITHOUT,
        expected=Failed(ErrorKind.PERMANENT, "refund_not_possible", ""),
    ),
    Example(
        name="a credit is a memo for the next invoice",
        step=step(_CREDIT, refundRatePlan=_BOOKED_ON),
        replies={READ: subscription(), "create-credit-memo": _memo()},
        expected=Done(**_BOOKED),
        found={_FIND: _memo()},
        missing={_FIND: ABSENT},
    ),
    Example(
        name="more than the subscription costs is not given back",
        step=step(order("refund", total={"currency": "GBP", "amount": 26})),
        replies={READ: subscription()},
        expected=Failed(ErrorKind.PERMANENT, "refund_too_large", ""),
    ),
)
