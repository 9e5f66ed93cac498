"""The numbers that we choose: a repeated order carries them again, so Zuora recognises it."""

from collections.abc import Mapping
from typing import Any

from plugins.api import Step
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import text
from plugins.zuora import number_suffix

_LONGEST_MEMO = 32


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


def debit_memo_number(step: Step[ZuoraOptions]) -> str:
    """A gift's memo, found again by the reference that a refund of the gift names."""
    return f"DM-{step.order['subscriptionReference']}"[:_LONGEST_MEMO]


def credit_memo_number(step: Step[ZuoraOptions]) -> str:
    """One per order that gives money back."""
    return f"CM-{_reference(step)}{_suffix(step)}"[:_LONGEST_MEMO]


def comment_of(step: Step[ZuoraOptions]) -> str:
    """What memos and refunds carry where they have no number of ours."""
    return f"order {step.order['id']}"


def contact_nickname(step: Step[ZuoraOptions], use: str) -> str:
    """Contacts have no number; their nickname tells ours from others."""
    return f"{_reference(step)}-{use}"


def earlier(step: Step[ZuoraOptions]) -> Mapping[str, Any] | None:
    """What an earlier step of this order did in Zuora, where it has two of them."""
    outputs = step.context.values()
    return next((out for out in outputs if text(out, "orderNumber") == _reference(step)), None)


def _reference(step: Step[ZuoraOptions]) -> str:
    return str(step.order["order_reference"])


def _suffix(step: Step[ZuoraOptions]) -> str:
    return "" if earlier(step) is None else number_suffix(step)
