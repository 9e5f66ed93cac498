"""Scripted activations, and events that happened in Zuora itself."""

from collections.abc import Sequence
from typing import Any

from plugins.api import Done, Example, Failed, Reply
from plugins.connectors.zuora.examples.scene import (
    ACCOUNT,
    ACCOUNT_ID,
    END,
    PLAN,
    READ,
    START,
    SUBSCRIPTION,
    order,
    step,
    subscription,
)
from schemas.steps import ErrorKind

_SOLD_BY = "3HW8ZN4KQRTB"
_PENDING = subscription(status="Pending Activation")


def _synchronised(**more: Any) -> dict[str, Any]:
    return {
        "accountNumber": ACCOUNT,
        "accountId": ACCOUNT_ID,
        "subscriptionNumber": SUBSCRIPTION,
        "subscriptionNumbers": [SUBSCRIPTION],
        "subscriptionId": "8ad0a1f29c01f4b3019c0a5cfb1f0007",
        "status": "Active",
        "version": 1,
        "currency": "GBP",
        "autoRenew": True,
        "ratePlans": [{"name": "UK Digital Quarterly", "productRatePlanId": PLAN}],
        "termStartDate": START,
        "termEndDate": END,
        "chargedThroughDate": END,
        **more,
    }


_ACTIVATED = Done(**_synchronised(orderNumber=_SOLD_BY, effectiveDate="2026-04-15"))

EXAMPLES: Sequence[Example] = (
    Example(
        name="an activation gives the subscription its day",
        step=step(order("activation")),
        replies={
            READ: (_PENDING, subscription()),
            "set-trigger-dates": Reply(200, {"success": True, "orderNumber": _SOLD_BY}),
        },
        expected=_ACTIVATED,
        found={READ: subscription()},
        missing={READ: _PENDING},
    ),
    Example(
        name="what is active stays so",
        step=step(order("activation")),
        replies={READ: subscription()},
        expected=_ACTIVATED,
    ),
    Example(
        name="what is cancelled is not activated",
        step=step(order("activation")),
        replies={READ: subscription(status="Cancelled")},
        expected=Failed(ErrorKind.PERMANENT, "subscription_not_pending", ""),
    ),
    Example(
        name="what happened in Zuora is handed on",
        step=step(order("external")),
        replies={READ: subscription()},
        expected=Done(**_synchronised()),
    ),
)
