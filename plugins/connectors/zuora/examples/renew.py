"""Scripted renewals."""

from collections.abc import Sequence
from typing import Any

from plugins.api import Done, Example, Failed
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    END,
    FIND,
    NUMBER,
    READ,
    START,
    changed,
    found,
    offer,
    order,
    ordered,
    step,
    subscription,
)
from schemas.steps import ErrorKind

_SAME = offer(term__limio={"length": 1, "type": "years"})
_FOR_EVER = offer(term__limio={})
_OVER = {"status": "Cancelled", "subscriptionEndDate": START}
_ANEW = f"S-{NUMBER}"


def _renewed(name: str, *offers: Any, **more: Any) -> Example:
    return Example(
        name=name,
        step=step(order("renew", *offers, **more)),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed(END)),
    )


EXAMPLES: Sequence[Example] = (
    Example(
        name="a renewal adds the term that the subscription has",
        step=step(order("renew")),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed(END)),
        found={READ: subscription(), FIND: found(END)},
        missing={READ: subscription(), FIND: ABSENT},
    ),
    _renewed("a renewal may be for another term", _SAME),
    _renewed("a renewal may be onto another offer", offer("UK Bundle Quarterly", "55")),
    _renewed("a renewal may be for ever", _FOR_EVER),
    Example(
        name="a renewal before the end begins the term anew",
        step=step(order("renew", effectiveDate="2026-05-01")),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed("2026-05-01")),
    ),
    Example(
        name="renewing of its own accord is switched off without a renewal",
        step=step(order("renew", data={"autoRenew": False})),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed("2026-04-15")),
    ),
    Example(
        name="what is over is sold anew to the same account",
        step=step(order("renew", offer())),
        replies={
            READ: subscription(**_OVER),
            "create-order": ordered(subscriptions=[{"subscriptionNumber": _ANEW}]),
        },
        expected=Done(
            **{
                **changed("2026-04-15"),
                "subscriptionNumber": _ANEW,
                "subscriptionNumbers": [_ANEW],
            }
        ),
    ),
    Example(
        name="what has no end is not renewed",
        step=step(order("renew")),
        replies={READ: subscription(termType="EVERGREEN", termEndDate=None), FIND: ABSENT},
        expected=Failed(ErrorKind.PERMANENT, "subscription_evergreen", ""),
    ),
)
