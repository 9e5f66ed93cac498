"""Scripted gifts: bought and redeemed."""

from collections.abc import Sequence
from typing import Any

from plugins.api import Done, Example, Failed, Reply
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    ACCOUNT,
    ACCOUNT_ID,
    HOME,
    HOSTED_PAGE,
    NUMBER,
    SUBSCRIPTION,
    offer,
    order,
    ordered,
    step,
)
from schemas.steps import ErrorKind

_MEMO = f"DM-{SUBSCRIPTION}"
_SEND = {"billingDetails": HOME, "total": {"currency": "GBP", "amount": 25}}
_GIFT = order("new", offer(), isGift=True, payment=HOSTED_PAGE, **_SEND)
_REDEEMED = order("new", offer(), isRedeem=True, **_SEND)
_OPENED = Reply(200, {"success": True, "accountId": ACCOUNT_ID, "accountNumber": ACCOUNT})


def _memo(balance: int = 25) -> Reply:
    document: dict[str, Any] = {
        "success": True,
        "number": _MEMO,
        "accountNumber": ACCOUNT,
        "accountId": ACCOUNT_ID,
        "amount": 25,
        "balance": balance,
        "currency": "GBP",
        "comment": "order order-1",
        "status": "Posted",
    }
    return Reply(200, document)


def _collected(status: str, **more: Any) -> Reply:
    payment = {"number": "P-00000012", "status": status, **more}
    return Reply(200, {"success": True, "processedPayment": payment})


_BOUGHT = {
    "status": "Posted",
    "debitMemoNumber": _MEMO,
    "amount": "25.00",
    "currency": "GBP",
    "accountNumber": ACCOUNT,
    "accountId": ACCOUNT_ID,
}

EXAMPLES: Sequence[Example] = (
    Example(
        name="a gift that is bought is an account and a debit memo",
        step=step(_GIFT),
        replies={"create-account": _OPENED, "create-debit-memo": _memo()},
        expected=Done(**_BOUGHT),
        found={f"GET /v1/debit-memos/{_MEMO}": _memo()},
        missing={f"GET /v1/debit-memos/{_MEMO}": ABSENT},
    ),
    Example(
        name="a gift that is paid at once",
        step=step(_GIFT, collectPayment=True),
        replies={
            "create-account": _OPENED,
            "create-debit-memo": _memo(),
            "collect": _collected("Processed"),
        },
        expected=Done(**_BOUGHT, paymentNumber="P-00000012", paidAmount="25.00"),
    ),
    Example(
        name="a gift whose payment is declined inside a success",
        step=step(_GIFT, collectPayment=True),
        replies={
            "create-account": _OPENED,
            "create-debit-memo": _memo(),
            "collect": _collected("Error", gatewayResponse="Do not honor"),
        },
        expected=Failed(ErrorKind.DECLINED, "payment_failed", ""),
    ),
    Example(
        name="a gift that is redeemed is a subscription that costs nothing",
        step=step(_REDEEMED),
        replies={"create-order": ordered(accountId=ACCOUNT_ID)},
        expected=Done(
            accountNumber=ACCOUNT,
            orderNumber=NUMBER,
            status="Completed",
            subscriptionNumber=SUBSCRIPTION,
            subscriptionNumbers=[SUBSCRIPTION],
            effectiveDate="2026-04-15",
            accountId=ACCOUNT_ID,
        ),
    ),
)
