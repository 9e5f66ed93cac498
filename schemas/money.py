"""Amounts of money: decimals, read as they were written, rounded as their currency is counted."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation
from typing import Any, Final

# "1e999999" is a short text and a number of a million digits.
_LARGEST_POWER = 15
_USUAL_PLACES = 2
_EXACT = Context(prec=80)
_PLACES: Final[Mapping[str, int]] = {
    **dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3),
    **dict.fromkeys(
        ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI"), 0
    ),
    **dict.fromkeys(("VND", "VUV", "XAF", "XOF", "XPF"), 0),
}
"""Decimal places of ISO 4217 where they are not two."""


def number(value: Any) -> Decimal | None:
    """An amount, given as a number or as text (orders have both); None where it is neither."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        found = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    sensible = found.is_finite() and abs(found.adjusted()) <= _LARGEST_POWER
    return found if sensible else None


def rounded_amount(amount: Decimal, currency: str) -> Decimal:
    """Half up to the currency's places, as invoices are."""
    places = _PLACES.get(currency.upper(), _USUAL_PLACES)
    return amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP, _EXACT)
