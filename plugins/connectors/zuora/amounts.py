"""Money at Zuora's edge: decimals inside, JSON numbers outside, rounded as the currency is."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from plugins.connectors.zuora.envelope import unfit
from plugins.limio import number
from schemas.steps import ErrorKind

_PLACES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"), 0
    ),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
}
"""Decimal places of ISO 4217 where they are not two."""
_USUAL_PLACES = 2


def json_amount(amount: Decimal, currency: str | None = None) -> int | float:
    """As Zuora takes it: a number. A double holds every amount of 15 digits exactly enough.

    With a currency it is rounded to that currency's places, half up, as invoices are.
    """
    rounded = amount if currency is None else rounded_amount(amount, currency)
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def text_amount(amount: Decimal, currency: str) -> str:
    """As outputs hold it: `10.00`, `1200` (JPY)."""
    return f"{rounded_amount(amount, currency):f}"


def rounded_amount(amount: Decimal, currency: str) -> Decimal:
    """Half up to the currency's places."""
    places = _PLACES.get(currency.upper(), _USUAL_PLACES)
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


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
