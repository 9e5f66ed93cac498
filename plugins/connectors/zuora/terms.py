"""How long a subscription runs, and from when."""

from collections.abc import Mapping
from typing import Any

from plugins.api import Step
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import day, number, offer_attributes, part, text
from schemas.steps import ErrorKind

_PERIODS = {
    "day": ("Day", 1),
    "week": ("Week", 1),
    "month": ("Month", 1),
    "quarter": ("Month", 3),
    "year": ("Year", 1),
}
_TRIGGERS = ("ContractEffective", "ServiceActivation", "CustomerAcceptance")


def start_of(step: Step[ZuoraOptions], item: Mapping[str, Any]) -> str:
    """The item's start as an ISO date, else the day that the order took effect."""
    given = text(item, "startDate")
    found = day(given) if given else day(text(step.order, "effective_date"))
    if found is None:
        message = f"orderItems[].startDate {given!r} is no ISO date such as 2026-03-01"
        raise unfit("start_date", message, ErrorKind.PERMANENT)
    return found.isoformat()


def triggers(start: str) -> list[dict[str, str]]:
    """All three, so that no tenant's setting leaves the order pending."""
    return [{"name": name, "triggerDate": start} for name in _TRIGGERS]


def terms_of(item: Mapping[str, Any], start: str) -> dict[str, Any]:
    """The offer's term, renewed by the same; an offer without one runs until it is cancelled."""
    attributes = offer_attributes(item)
    term = part(attributes, "term__limio")
    if not term:
        return {"initialTerm": {"termType": "EVERGREEN", "startDate": start}}
    period = _period(term)
    initial = {"termType": "TERMED", **period, "startDate": start}
    if attributes.get("autoRenew__limio") not in (True, "true"):
        return {"initialTerm": initial, "autoRenew": False}
    renewal = {"renewalSetting": "RENEW_WITH_SPECIFIC_TERM", "renewalTerms": [period]}
    return {"initialTerm": initial, "autoRenew": True, **renewal}


def _period(term: Mapping[str, Any]) -> dict[str, Any]:
    unit = (text(term, "type") or "").lower().removesuffix("s")
    length = number(term.get("length"))
    if unit not in _PERIODS or length is None or length < 1 or length != int(length):
        message = f"the offer's term__limio {dict(term)!r} is no number of days, weeks, months ..."
        raise unfit("term", message)
    name, times = _PERIODS[unit]
    return {"period": int(length) * times, "periodType": name}
