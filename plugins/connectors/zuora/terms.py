"""How long a subscription runs, and from when."""

from calendar import monthrange
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from plugins.api import Step
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import day, flag, number, offer_attributes, part, text
from schemas.steps import ErrorKind

_PERIODS = {
    "day": ("Day", 1),
    "week": ("Week", 1),
    "month": ("Month", 1),
    "quarter": ("Month", 3),
    "year": ("Year", 1),
}
_LONGEST = 1000
_DAYS = {"Day": 1, "Week": 7}
_MONTHS = {"Month": 1, "Year": 12}


def start_of(step: Step[ZuoraOptions], item: Mapping[str, Any]) -> str:
    """The item's start as an ISO date, else the day that the order took effect."""
    given = text(item, "startDate")
    found = day(given) if given else day(text(step.order, "effective_date"))
    if found is None:
        message = f"orderItems[].startDate {given!r} is no ISO date such as 2026-03-01"
        raise unfit("start_date", message, ErrorKind.PERMANENT)
    return found.isoformat()


def has_term(item: Mapping[str, Any]) -> bool:
    """Whether the offer runs for some time; a one-off sale does not."""
    return bool(part(offer_attributes(item), "term__limio"))


def term_of(item: Mapping[str, Any]) -> dict[str, Any]:
    """How long the offer runs."""
    term = part(offer_attributes(item), "term__limio")
    return period_of(number(term.get("length")), text(term, "type"), "the offer's term__limio")


def needs_activation(step: Step[ZuoraOptions], item: Mapping[str, Any]) -> bool:
    """Whether the subscription waits for an `activation` order."""
    return flag(offer_attributes(item).get(step.options.service_activation_attribute))


def terms_of(item: Mapping[str, Any], start: str, *, renews: bool = True) -> dict[str, Any]:
    """The offer's term, renewed by the same; an offer without one runs until it is cancelled."""
    if not has_term(item):
        return {"initialTerm": {"termType": "EVERGREEN", "startDate": start}}
    attributes, period = offer_attributes(item), term_of(item)
    initial = {"termType": "TERMED", **period, "startDate": start}
    if not renews or not flag(attributes.get("autoRenew__limio")):
        return {"initialTerm": initial, "autoRenew": False}
    renewal = {"renewalSetting": "RENEW_WITH_SPECIFIC_TERM", "renewalTerms": [period]}
    return {"initialTerm": initial, "autoRenew": True, **renewal}


def period_of(length: Decimal | None, unit: str | None, place: str) -> dict[str, Any]:
    """So many days, weeks, months or years, as Zuora counts them."""
    name = (unit or "").lower().removesuffix("s")
    fits = length is not None and 1 <= length <= _LONGEST and length == int(length)
    if length is None or not fits or name not in _PERIODS:
        raise unfit("term", f"{place} {length} {unit} is no number of days, weeks, months ...")
    kind, times = _PERIODS[name]
    return {"period": int(length) * times, "periodType": kind}


def later(start: date, period: Mapping[str, Any]) -> date:
    """The day after a period that begins on `start`."""
    count, kind = period["period"], period["periodType"]
    if kind in _DAYS:
        return start + timedelta(days=count * _DAYS[kind])
    months = start.month - 1 + count * _MONTHS[kind]
    year, month = start.year + months // 12, months % 12 + 1
    return date(year, month, min(start.day, monthrange(year, month)[1]))
