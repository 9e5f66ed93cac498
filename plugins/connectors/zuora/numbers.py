"""The numbers that we choose: a repeated order carries them again, so Zuora recognises it."""

import re
from collections.abc import Mapping
from typing import Any

from plugins.api import Step
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import text

_NOT_IN_NUMBER = re.compile(r"[^A-Za-z0-9_-]")


def order_number(step: Step[ZuoraOptions]) -> str:
    """The order's reference, for the first of its Zuora steps."""
    return f"{_reference(step)}{_suffix(step)}"


def subscription_number(step: Step[ZuoraOptions], position: int) -> str:
    """The order's subscription is the first item's; `position` counts from 1."""
    reference = f"{step.order['subscriptionReference']}{_suffix(step)}"
    return reference if position == 1 else f"{reference}-{position}"


def new_account_number(step: Step[ZuoraOptions]) -> str:
    """One per order; numbers that begin with A are Zuora's own."""
    return f"W-{_reference(step)}"


def earlier(step: Step[ZuoraOptions]) -> Mapping[str, Any] | None:
    """What an earlier step of this order did in Zuora, where it has two of them."""
    outputs = step.context.values()
    return next((out for out in outputs if text(out, "orderNumber") == _reference(step)), None)


def _reference(step: Step[ZuoraOptions]) -> str:
    return str(step.order["order_reference"])


def _suffix(step: Step[ZuoraOptions]) -> str:
    return "" if earlier(step) is None else f"-{_NOT_IN_NUMBER.sub('-', step.id)}"
