"""Stripe's forms: names in brackets read as nested values, and the parameters that there are."""

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

Form: TypeAlias = Mapping[str, Any]
"""Parameters by name: None where anything may stand, a form below, or a list of one."""

_NAMES = re.compile(r"[^\[\]]+")
_ADDRESS = dict.fromkeys(("line1", "line2", "city", "state", "postal_code", "country"))
_ENTRY = {"price": None, "quantity": None}
_DETAILS = {"comment": None, "feedback": None}

FORMS: Mapping[str, Form] = {
    "customer": {
        **dict.fromkeys(("name", "email", "phone", "description", "metadata", "expand")),
        "address": _ADDRESS,
        "shipping": {"name": None, "phone": None, "address": _ADDRESS},
    },
    "price": {
        **dict.fromkeys(("currency", "unit_amount", "lookup_key", "nickname", "product")),
        **dict.fromkeys(("active", "metadata", "transfer_lookup_key", "tax_behavior")),
        "recurring": {"interval": None, "interval_count": None, "usage_type": None},
        "product_data": {"name": None, "metadata": None, "tax_code": None},
    },
    "attach": {"customer": None},
    "subscription": {
        **dict.fromkeys(("customer", "metadata", "description", "currency", "expand")),
        **dict.fromkeys(("default_payment_method", "payment_behavior", "collection_method")),
        **dict.fromkeys(("days_until_due", "trial_end", "cancel_at", "cancel_at_period_end")),
        **dict.fromkeys(("proration_behavior", "off_session", "billing_cycle_anchor")),
        "items": [_ENTRY],
        "add_invoice_items": [_ENTRY],
    },
    "change": {
        **dict.fromkeys(("cancel_at", "cancel_at_period_end", "proration_behavior", "metadata")),
        **dict.fromkeys(("default_payment_method", "description", "expand")),
        "cancellation_details": _DETAILS,
    },
    "end": {
        **dict.fromkeys(("invoice_now", "prorate", "expand")),
        "cancellation_details": _DETAILS,
    },
    "payment": {"payment_intent": None, "payment_record": None, "expand": None},
}


def nested(form: Mapping[str, str]) -> dict[str, Any]:
    """`items[0][price]=p` as `{"items": [{"price": "p"}]}`."""
    found: dict[str, Any] = {}
    for name, value in form.items():
        *above, last = _NAMES.findall(name)
        holder = found
        for member in above:
            holder = holder.setdefault(member, {})
        holder[last] = value
    return {name: _lists(value) for name, value in found.items()}


def misfits(form: Form, body: Any, at: str = "") -> list[str]:
    """Parameters that are not in the form."""
    found = []
    for name, value in body.items() if isinstance(body, dict) else ():
        where = f"{at}[{name}]" if at else name
        below = form.get(name)
        if name not in form:
            found.append(where)
        elif isinstance(below, list):
            for index, entry in enumerate(value if isinstance(value, list) else [value]):
                found += misfits(below[0], entry, f"{where}[{index}]")
        elif below is not None:
            found += misfits(below, value, where)
    return found


def _lists(value: Any) -> Any:
    """Members that are all numbers make a list."""
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(member) for name, member in value.items()}
    if inner and all(name.isdecimal() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner
