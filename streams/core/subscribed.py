"""What an order's document says is subscribed to: items with their offers, terms and days."""

from calendar import monthrange
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from schemas.orders import Document

DAYS_OF = {"day": 1, "week": 7}
MONTHS_OF = {"month": 1, "quarter": 3, "year": 12}
DISCOUNT = "discount"
NOTHING: Mapping[str, Any] = {}
_LONGEST = 1000
_ISO_DATE = len("2026-03-01")

_Object: TypeAlias = Mapping[str, Any]
"""Of a document, whose objects are dicts: to ask for less costs more than the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One offer of a subscription. Days are ISO dates; `until` is the first without it.

    `offer` is its path, else its id; `order` the order that brought it.
    """

    name: str | None
    offer: str | None
    offer_type: str
    quantity: str | None
    amount: str | None
    currency: str | None
    rate_plan: str | None
    products: tuple[str, ...]
    since: str
    until: str | None
    order: str

    def names(self) -> frozenset[str]:
        """What another order may call it by."""
        return frozenset(n for n in (self.offer, self.rate_plan, self.name) if n is not None)


class Sold(NamedTuple):
    """An item of a document, with the attributes of its offer and what is to be done with it."""

    item: Item
    attributes: Mapping[str, Any]
    action: str | None


def items_of(document: Document, order: str, since: str) -> list[Sold]:
    """Its items, and its discount; `since` where they do not say from when."""
    sold = [_sold(given, order, since) for given in _objects(document.get("orderItems"))]
    discount = part(document, "orderDiscount")
    return [*sold, _discount(discount, order, since)] if discount else sold


def _sold(given: _Object, order: str, since: str) -> Sold:
    offer = part(given, "offer")
    data, price = part(offer, "data"), part(given, "price")
    attributes = part(data, "attributes")
    charge = next(_objects(attributes.get("price__limio")), NOTHING)
    item = Item(
        name=text(given, "name") or text(offer, "name"),
        offer=text(offer, "path") or text(offer, "id"),
        offer_type=offer_type(attributes),
        quantity=text(given, "quantity"),
        amount=text(price, "amount") or text(charge, "value"),
        currency=text(price, "currency") or text(charge, "currencyCode"),
        rate_plan=text(attributes, "rate_plan__zuora"),
        products=_products(given.get("products") or data.get("products")),
        since=iso_day(text(given, "startDate")) or since,
        until=None,
        order=order,
    )
    return Sold(item, attributes, text(given, "orderItemActionType"))


def _discount(given: _Object, order: str, since: str) -> Sold:
    plan = text(part(given, "productDetails", "ratePlan"), "path")
    item = Item(
        name=text(given, "name"),
        offer=plan,
        offer_type=DISCOUNT,
        quantity=None,
        amount=None,
        currency=None,
        rate_plan=None if plan is None else plan.rstrip("/").rpartition("/")[2],
        products=(),
        since=since,
        until=None,
        order=order,
    )
    return Sold(item, NOTHING, None)


def offer_names(offer: Mapping[str, Any]) -> frozenset[str]:
    """What an offer of a document is called: as `Item.names`."""
    names = (
        text(offer, "path") or text(offer, "id"),
        text(part(offer, "data", "attributes"), "rate_plan__zuora"),
        text(offer, "name"),
    )
    return frozenset(name for name in names if name is not None)


def offer_type(attributes: Mapping[str, Any]) -> str:
    """`offer_type__limio`, else `trial` or `standard`."""
    said = text(attributes, "offer_type__limio")
    return said or ("trial" if attributes.get("trial__limio") is True else "standard")


def term_of(attributes: Mapping[str, Any]) -> tuple[int, str] | None:
    """How long the offer runs: so many days, weeks, months, quarters or years."""
    if "term__limio" not in attributes:
        return None
    term = part(attributes, "term__limio")
    unit = (text(term, "type") or "").lower().removesuffix("s")
    try:
        length = int(text(term, "length") or "0")
    except ValueError:
        return None
    known = unit in DAYS_OF or unit in MONTHS_OF
    return (length, unit) if known and 1 <= length <= _LONGEST else None


@lru_cache(maxsize=4_096)
def later(start: str, term: tuple[int, str] | None) -> str | None:
    """The first day behind a term that begins on `start`; None where it has no end."""
    if term is None or (begins := day(start)) is None:
        return None
    length, unit = term
    try:
        if unit in DAYS_OF:
            return (begins + timedelta(days=length * DAYS_OF[unit])).isoformat()
        years, month = divmod(begins.month - 1 + length * MONTHS_OF[unit], 12)
        year = begins.year + years
        last = monthrange(year, month + 1)[1]
        return date(year, month + 1, min(begins.day, last)).isoformat()
    except (ValueError, OverflowError):
        return None


def flag(value: Any) -> bool:
    """Whether it is set, given as a boolean or as text (orders have both)."""
    return value in (True, "true")


def day(given: str | None) -> date | None:
    """The day of an ISO date or time."""
    if given is None:
        return None
    try:
        return date.fromisoformat(given[:_ISO_DATE])
    except ValueError:
        return None


@lru_cache(maxsize=4_096)
def iso_day(given: str | None) -> str | None:
    """The day of an ISO date or time, as text."""
    found = day(given)
    return None if found is None else found.isoformat()


def part(document: Any, *path: str) -> _Object:
    """The object at the path; empty where there is none."""
    for name in path:
        document = document.get(name) if type(document) is dict else None
    return document if type(document) is dict else NOTHING


def text(holder: _Object, name: str) -> str | None:
    """The text or number of that name, as text; None where it is blank or none."""
    value = holder.get(name)
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _objects(given: Any) -> Iterator[_Object]:
    return (one for one in given if type(one) is dict) if type(given) is list else iter(())


def _products(given: Any) -> tuple[str, ...]:
    if not given:
        return ()
    names = (text(one, "name") or text(one, "path") for one in _objects(given))
    return tuple(name for name in names if name is not None)
