"""Where a tenant's own function may change an order before Zuora gets it."""

from collections.abc import Mapping
from typing import Any

from plugins.api import Request
from plugins.hooks import HookPoint
from plugins.limio import part, parts, text

_PATHS = frozenset({"/v1/orders", "/v1/orders/preview"})


def _is_order(request: Request) -> bool:
    """The order itself, and its preview, so that a buyer is shown what will be sent."""
    return request.method == "POST" and request.path in _PATHS


def _numbers(body: Mapping[str, Any]) -> object:
    """What the look-up knows the order by: its number, its account's, its subscriptions'."""
    subscriptions = parts(body, "subscriptions")
    actions = [action for one in subscriptions for action in parts(one, "orderActions")]
    return (
        text(body, "orderNumber"),
        text(body, "existingAccountNumber"),
        text(part(body, "newAccount"), "accountNumber"),
        [text(one, "subscriptionNumber") for one in subscriptions],
        [text(part(one, "createSubscription"), "subscriptionNumber") for one in actions],
    )


BEFORE_ORDER = HookPoint(concerns=_is_order, identity=_numbers)
