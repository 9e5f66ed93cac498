"""Scripted cancellations."""

from collections.abc import Sequence

from plugins.api import Done, Example, Failed, Reply
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    ACCOUNT,
    END,
    FIND,
    READ,
    changed,
    found,
    order,
    ordered,
    step,
    subscription,
)
from schemas.steps import ErrorKind

_DAY = "2026-04-15"
_REASON = {"reason": {"id": "too_expensive", "text": "The price has gone up too much."}}
_AT_THE_END = order("cancel_subscription", data=_REASON)
_NOW = order("cancel_subscription", effectiveDate="immediately", data=_REASON)
_MAY = {**_NOW, "permissions": ["order:update_refund"]}
_ENDS = {"statusHistory": [{"status": "Cancelled", "startDate": END}]}
_SURPLUS = Reply(
    200,
    {
        "success": True,
        "previewResult": {"creditMemos": [{"amount": -12.5, "targetDate": _DAY}]},
    },
)
_CREDITED = {"creditMemoNumbers": ["CM00000021"]}
_OPEN = (
    "the subscription is cancelled, but Zuora refused the refund of 12.50 GBP; the credit is open "
    f"on the account {ACCOUNT}"
)

EXAMPLES: Sequence[Example] = (
    Example(
        name="a cancellation counts from the end of the term",
        step=step(_AT_THE_END),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed(END)),
        found={FIND: found(_DAY), READ: subscription(**_ENDS)},
        missing={FIND: ABSENT},
    ),
    Example(
        name="a cancellation at once leaves Zuora's credit memo",
        step=step(_NOW),
        replies={READ: subscription(), "create-order": ordered(**_CREDITED)},
        expected=Done(**changed(_DAY, **_CREDITED)),
    ),
    Example(
        name="what was paid beyond the end is refunded",
        step=step(_MAY, refundOnCancel=True),
        replies={
            READ: subscription(),
            "POST /v1/orders/preview": _SURPLUS,
            "create-order": ordered(
                **_CREDITED, refunds=[{"number": "R-00000004", "status": "Success"}]
            ),
        },
        expected=Done(
            **changed(
                _DAY,
                **_CREDITED,
                refundNumber="R-00000004",
                refundStatus="Processed",
                amount="12.50",
                currency="GBP",
                refund="processed",
            )
        ),
    ),
    Example(
        name="a refund that fails leaves the subscription cancelled and somebody to see to it",
        step=step(_MAY, refundOnCancel=True),
        replies={
            READ: subscription(),
            "POST /v1/orders/preview": _SURPLUS,
            "create-order": ordered(
                **_CREDITED, refunds=[{"number": "R-00000004", "status": "Error"}]
            ),
        },
        expected=Done(
            **changed(
                _DAY,
                **_CREDITED,
                refundNumber="R-00000004",
                refundStatus="Error",
                amount="12.50",
                currency="GBP",
                refund="failed",
                follow_up={"code": "refund_failed", "message": _OPEN},
            )
        ),
    ),
    Example(
        name="who may not refund may not cancel with a refund",
        step=step(_NOW, refundOnCancel=True),
        replies={},
        expected=Failed(ErrorKind.PERMANENT, "refund_not_permitted", ""),
    ),
    Example(
        name="what is cancelled is not cancelled again",
        step=step(_AT_THE_END),
        replies={READ: subscription(status="Cancelled"), FIND: ABSENT},
        expected=Failed(ErrorKind.PERMANENT, "subscription_cancelled", ""),
    ),
)
