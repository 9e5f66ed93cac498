"""What an order's items cost in Stripe: prices that match the offer, found again or made."""

import hashlib
from calendar import monthrange
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from plugins.api import Reply, Request, Step
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.talking import get, id_of, post, small_coins, unfit
from plugins.limio import (
    first_text,
    items,
    number,
    offer_attributes,
    offer_type,
    part,
    parts,
    text,
)
from schemas.steps import ErrorKind

_UNITS = {
    "day": ("day", 1),
    "week": ("week", 1),
    "month": ("month", 1),
    "quarter": ("month", 3),
    "year": ("year", 1),
}
_LONGEST = 1000
_MOST_PRICES = 10
"""So many lookup keys can be asked for at once."""


@dataclass(frozen=True, slots=True)
class Span:
    """So many days, weeks, months or years."""

    unit: str
    count: int

    def after(self, start: date) -> date:
        """The day after a span that begins on `start`."""
        if self.unit in {"day", "week"}:
            return start + timedelta(days=self.count * (7 if self.unit == "week" else 1))
        months = start.month - 1 + self.count * (12 if self.unit == "year" else 1)
        year, month = start.year + months // 12, months % 12 + 1
        return date(year, month, min(start.day, monthrange(year, month)[1]))


@dataclass(frozen=True, slots=True)
class Price:
    """A charge of an offer. `every` None: it is billed once, with the first invoice."""

    name: str
    amount: Decimal
    currency: str
    every: Span | None
    delay: Span | None
    quantity: int

    @property
    def lookup_key(self) -> str:
        """By which Stripe finds a price again: all that makes it another one."""
        every = f"{self.every.count} {self.every.unit}" if self.every else "once"
        coins = small_coins(self.amount, self.currency)
        seed = f"{self.name}|{coins}|{self.currency}|{every}"
        return f"waybill_{hashlib.sha256(seed.encode()).hexdigest()[:40]}"


def prices_of(step: Step[StripeOptions]) -> list[Price]:
    """All charges of the order. Stripe bills those of one subscription at the same interval."""
    found = [price for item in items(step.order) for price in _of_item(step, item)]
    if not found:
        message = "the order has no items with price__limio; check `items` of the plugin's entry"
        raise unfit("items_missing", message)
    if len(found) > _MOST_PRICES:
        raise unfit("price", f"{len(found)} prices: a subscription has at most {_MOST_PRICES}")
    recurring = [price for price in found if price.every]
    if len({(price.every, price.delay) for price in recurring}) != 1:
        message = "the offers of the order need one interval and one delay for all prices"
        raise unfit("price", message, ErrorKind.MISCONFIGURED)
    return found


def price_ids(
    step: Step[StripeOptions], prices: list[Price]
) -> Generator[Request, Reply, dict[str, str]]:
    """Stripe's id of each price, by lookup key; those that are not there yet are made."""
    wanted = list(dict.fromkeys(price.lookup_key for price in prices))
    query = {"lookup_keys": wanted, "active": True, "limit": 100}
    reply = yield get(step, "/v1/prices", query)
    listed = parts({"data": reply["data"]}, "data")
    ids = {str(text(one, "lookup_key")): str(text(one, "id")) for one in listed}
    for position, key in enumerate(wanted, start=1):
        if key not in ids:
            price = next(one for one in prices if one.lookup_key == key)
            made = yield post(step, "/v1/prices", _body(price), call=f"create-price-{position}")
            ids[key] = id_of(made)
    return ids


def span_of(length: Decimal | None, unit: str | None, place: str) -> Span:
    """As offers give it: a number and a unit, in the plural."""
    name = (unit or "").lower().removesuffix("s")
    fits = length is not None and 1 <= length <= _LONGEST and length == int(length)
    if length is None or not fits or name not in _UNITS:
        raise unfit("term", f"{place} {length} {unit} is no number of days, weeks, months ...")
    kind, times = _UNITS[name]
    return Span(kind, int(length) * times)


def _of_item(step: Step[StripeOptions], item: Mapping[str, Any]) -> Iterator[Price]:
    if offer_type(item) == "discount":
        raise unfit("discount", "stripe sells no discount offers yet; exclude it by an override")
    name = first_text(text(item, "offer", "path"), text(item, "name"), text(item, "offer", "name"))
    quantity = number(item.get("quantity", 1)) or Decimal(1)
    if quantity != int(quantity) or quantity < 1:
        raise unfit("quantity", f"the quantity {quantity} is no whole number above 0")
    for charge in parts(offer_attributes(item), "price__limio"):
        amount = number(charge.get("value"))
        if amount is None or amount < 0:
            message = f"the price {charge.get('value')!r} in price__limio is no amount"
            raise unfit("price", message)
        yield Price(
            name=f"{name or 'Offer'}: {first_text(text(charge, 'label'), text(charge, 'name'))}",
            amount=amount,
            currency=_currency(step, item, charge),
            every=_every(charge),
            delay=_delay(charge),
            quantity=int(quantity),
        )


def _currency(step: Step[StripeOptions], item: Mapping[str, Any], charge: Mapping[str, Any]) -> str:
    found = first_text(
        text(charge, "currencyCode"),
        text(part(item, "price"), "currency"),
        text(step.order, "total", "currency"),
    )
    if found is None:
        raise unfit("currency_missing", "no currency: send total.currency")
    return found.upper()


def _every(charge: Mapping[str, Any]) -> Span | None:
    if (text(charge, "type") or "").startswith("one"):
        return None
    interval = number(charge.get("repeat_interval"))
    return span_of(interval, text(charge, "repeat_interval_type"), "repeat_interval")


def _delay(charge: Mapping[str, Any]) -> Span | None:
    delay = number(charge.get("delay_interval"))
    if delay is None or delay <= 0:
        return None
    return span_of(delay, text(charge, "delay_interval_type"), "delay_interval")


def _body(price: Price) -> dict[str, Any]:
    every = price.every
    recurring = {"interval": every.unit, "interval_count": every.count} if every else None
    return {
        "currency": price.currency.lower(),
        "unit_amount": small_coins(price.amount, price.currency),
        "recurring": recurring,
        "lookup_key": price.lookup_key,
        "product_data": {"name": price.name},
    }
