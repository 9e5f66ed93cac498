"""Scripted switches."""

from collections.abc import Sequence

from plugins.api import Done, Example, Failed, Reply
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    ACCOUNT,
    END,
    FIND,
    HOSTED_PAGE,
    METHOD,
    NUMBER,
    READ,
    START,
    SUBSCRIPTION,
    changed,
    found,
    offer,
    order,
    ordered,
    refused,
    step,
    subscription,
)
from schemas.steps import ErrorKind

_BUNDLE = offer("UK Bundle Quarterly", "55")
_SWITCH = order("change_offer", _BUNDLE)
_NOW = order("change_offer", offer("UK Bundle Quarterly", "55", effective_date__limio="now"))
_CANCELLED_LATER = {"statusHistory": [{"status": "Cancelled", "startDate": END}]}
_CANCELLING = {
    "orderNumber": "9XB2MT6VCJHD",
    "status": "Completed",
    "subscriptions": [
        {"subscriptionNumber": SUBSCRIPTION, "orderActions": [{"type": "CancelSubscription"}]}
    ],
}

EXAMPLES: Sequence[Example] = (
    Example(
        name="a switch counts from the end of the term",
        step=step(_SWITCH),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed(END)),
        found={FIND: found(END)},
        missing={FIND: ABSENT},
    ),
    Example(
        name="a switch that counts at once attaches the new payment method and is collected",
        step=step({**_NOW, "payment": HOSTED_PAGE}, collectPayment=True),
        replies={
            READ: subscription(),
            "attach-payment-method": Reply(200, {"success": True, "id": METHOD}),
            "update-account": Reply(200, {"success": True}),
            "create-order": ordered(invoiceNumbers=["INV00000160"], paymentNumber="P-00000013"),
        },
        expected=Done(
            **changed("2026-04-15", invoiceNumbers=["INV00000160"], paymentNumber="P-00000013")
        ),
    ),
    Example(
        name="a switch of a subscription that is to end takes its cancellation back",
        step=step(_SWITCH),
        replies={
            READ: (subscription(**_CANCELLED_LATER), subscription()),
            f"GET /v1/orders/subscription/{SUBSCRIPTION}": Reply(
                200, {"success": True, "orders": [_CANCELLING]}
            ),
            "delete-cancel-order": Reply(200, {"success": True}),
            "create-order": ordered(),
        },
        expected=Done(**changed(END)),
    ),
    Example(
        name="a switch may be one Change Plan",
        step=step(_SWITCH, changePlan=True),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed(END)),
    ),
    Example(
        name="a switch that an earlier attempt made is found",
        step=step(_SWITCH),
        replies={READ: subscription(orderNumber=NUMBER), FIND: found(END)},
        expected=Done(**changed(END)),
    ),
    Example(
        name="what is cancelled cannot be switched",
        step=step(_SWITCH),
        replies={READ: subscription(status="Cancelled", subscriptionEndDate=START), FIND: ABSENT},
        expected=Failed(ErrorKind.PERMANENT, "subscription_cancelled", ""),
    ),
    Example(
        name="a subscription that another change holds is tried again",
        step=step(_SWITCH),
        replies={
            READ: subscription(),
            "create-order": refused(53100350, f"The account {ACCOUNT} is locked."),
        },
        expected=Failed(ErrorKind.CONTENTION, "53100350", ""),
    ),
)
