"""Terms and billing periods: dates that move on by days, weeks, months and years."""

from datetime import date, timedelta

_DAYS = {"Day": 1, "Week": 7}
_MONTHS = {
    "Month": 1,
    "Quarter": 3,
    "Semi_Annual": 6,
    "Annual": 12,
    "Year": 12,
    "Two_Years": 24,
    "Three_Years": 36,
}
_PLURALS = {"Days": "Day", "Weeks": "Week", "Months": "Month", "Years": "Year"}
WHOLE_TERM = "Subscription_Term"


def moved(start: date, count: int, unit: str) -> date:
    """`start` moved on by `count` units; a month that is too short ends the move on its last."""
    unit = _PLURALS.get(unit, unit)
    if unit in _DAYS:
        return start + timedelta(days=_DAYS[unit] * count)
    months = start.month - 1 + _MONTHS[unit] * count
    first = date(start.year + months // 12, months % 12 + 1, 1)
    return min(first + timedelta(days=start.day - 1), _last_of(first))


def earliest(*days: date | None) -> date | None:
    """The first of the days that are there."""
    return min((one for one in days if one is not None), default=None)


def parsed(text: str | None) -> date | None:
    """A date that a body gives, if it gives one; its form was checked before."""
    return date.fromisoformat(text) if text else None


def shown(day: date | None) -> str | None:
    """A date as Zuora writes it."""
    return day.isoformat() if day is not None else None


def _last_of(first: date) -> date:
    """The last day of the month that begins with `first`."""
    return (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
