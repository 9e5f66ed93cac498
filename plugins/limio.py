"""Reading an order in Limio's shape: what is missing or of another type reads as empty."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from schemas import money

number = money.number
"""An amount, given as a number or as text (orders have both); None where it is neither."""
_ISO_DATE = len("2026-03-01")


def part(document: Any, *path: str) -> Mapping[str, Any]:
    """The object at the path; empty where there is none."""
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document if isinstance(document, Mapping) else {}


def parts(document: Any, *path: str) -> list[Mapping[str, Any]]:
    """The objects of the list at the path."""
    found = part(document, *path[:-1]).get(path[-1])
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def text(document: Any, *path: str) -> str | None:
    """The text or number at the path, as text; None where it is blank or none."""
    found = part(document, *path[:-1]).get(path[-1])
    if isinstance(found, bool) or not isinstance(found, str | int | float):
        return None
    return str(found).strip() or None


def first_text(*candidates: str | None) -> str | None:
    """The first that is there."""
    return next((found for found in candidates if found), None)


def flag(value: Any) -> bool:
    """Whether it is set, given as a boolean or as text (orders have both)."""
    return value in (True, "true")


def day(value: str | None) -> date | None:
    """The day of an ISO date or time."""
    try:
        return date.fromisoformat((value or "")[:_ISO_DATE])
    except ValueError:
        return None


def items(order: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The order's items."""
    return parts(order, "orderItems")


def offer_attributes(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the item's offer says: term, charges, rate plan ..."""
    return part(item, "offer", "data", "attributes")


def products(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The item's products, else those of its offer."""
    return parts(item, "products") or parts(item, "offer", "data", "products")


def offer_type(item: Mapping[str, Any]) -> str:
    """`offer_type__limio`, else `trial` or `standard`."""
    attributes = offer_attributes(item)
    fallback = "trial" if attributes.get("trial__limio") is True else "standard"
    return text(attributes, "offer_type__limio") or fallback


def handed_on(context: Mapping[str, Mapping[str, Any]], member: str) -> str | None:
    """The text that the latest step with such an output member handed on."""
    return first_text(*(text(output, member) for output in reversed(list(context.values()))))
