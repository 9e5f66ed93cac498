"""Scripted updates: add-ons on, off, more and fewer of them."""

from collections.abc import Sequence

from plugins.api import Done, Example, Failed
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    END,
    FIND,
    READ,
    changed,
    found,
    offer,
    order,
    ordered,
    step,
    subscription,
)
from schemas.steps import ErrorKind

_DAY = "2026-04-15"
_ADDED = {**offer("UK Bundle Quarterly", "5"), "orderItemActionType": "add"}
_REMOVED = {**offer(), "orderItemActionType": "remove"}
_DEARER = {**offer(value="27"), "orderItemActionType": "update"}
_UNKNOWN = {**offer("UK Bundle Quarterly"), "orderItemActionType": "remove"}

EXAMPLES: Sequence[Example] = (
    Example(
        name="an add-on comes on at once",
        step=step(order("update_subscription", _ADDED), runBilling=False),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed(_DAY)),
        found={FIND: found(_DAY)},
        missing={FIND: ABSENT},
    ),
    Example(
        name="an add-on comes off at the end of the term",
        step=step(order("update_subscription", _REMOVED)),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed(END)),
    ),
    Example(
        name="an add-on gets another price",
        step=step(order("update_subscription", _DEARER)),
        replies={READ: subscription(), "create-order": ordered()},
        expected=Done(**changed(_DAY)),
    ),
    Example(
        name="what is not there does not come off",
        step=step(order("update_subscription", _UNKNOWN)),
        replies={READ: subscription(), FIND: ABSENT},
        expected=Failed(ErrorKind.PERMANENT, "rate_plan_not_on_subscription", ""),
    ),
)
