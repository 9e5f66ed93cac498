"""Money inside is decimal, and a JSON number at the edge."""

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

_PLACES = {"JPY": 0, "KRW": 0, "BHD": 3, "KWD": 3}
ZERO = Decimal(0)


def decimal(value: Any) -> Decimal:
    """The number that a body gives, digit by digit as it was written."""
    return Decimal(str(value))


def rounded(value: Decimal, currency: str) -> Decimal:
    """Half up, to the places of the currency."""
    return value.quantize(Decimal(1).scaleb(-_PLACES.get(currency, 2)), ROUND_HALF_UP)


def number(value: Decimal) -> int | float:
    """As a JSON number."""
    return int(value) if value == int(value) else float(value)
