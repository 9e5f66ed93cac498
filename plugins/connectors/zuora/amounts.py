"""Money at Zuora's edge: decimals inside, JSON numbers outside, rounded as the currency is."""

from decimal import Decimal
from typing import Any

from plugins.connectors.zuora.envelope import unfit
from schemas.money import number, rounded_amount
from schemas.steps import ErrorKind


def json_amount(amount: Decimal, currency: str | None = None) -> int | float:
    """As Zuora takes it: a number. A double holds every amount of 15 digits exactly enough.

    With a currency it is rounded to that currency's places, half up, as invoices are.
    """
    rounded = amount if currency is None else rounded_amount(amount, currency)
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def text_amount(amount: Decimal, currency: str) -> str:
    """As outputs hold it: `10.00`, `1200` (JPY)."""
    return f"{rounded_amount(amount, currency):f}"


def amount_of(value: Any) -> Decimal:
    """An amount in a reply of Zuora's, which gives some as numbers and some as texts; else 0."""
    return number(value) or Decimal(0)


def payable(value: Any, place: str, currency: str) -> Decimal:
    """An amount of the order that money is moved by: above zero, and no finer than the currency."""
    amount = number(value)
    if amount is None or amount <= 0:
        message = f"{place} {value!r} is no amount above 0"
        raise unfit("amount", message, ErrorKind.PERMANENT)
    rounded = rounded_amount(amount, currency)
    if rounded != amount:
        message = f"{place} {value!r} is finer than {currency} is counted"
        raise unfit("amount", message, ErrorKind.PERMANENT)
    return rounded
