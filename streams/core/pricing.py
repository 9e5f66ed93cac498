"""What an order says of money: one currency, a total that its items come to, a sum to give back."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal, localcontext
from typing import Any, NamedTuple

from schemas.arriving import refused
from schemas.money import number, rounded_amount
from schemas.orders import Document

_PRICED = frozenset({"new", "add_offer", "change_offer", "renew"})
"""Types whose total is what their items cost; that of others may be a part of it, or a credit."""
_GIVEN_BACK = frozenset({"refund", "credit"})
_DIGITS = 80
_WHOLE = Decimal(100)


class Difference(NamedTuple):
    """The items of an order come to something else than its total; both as the currency counts."""

    items: Decimal
    total: Decimal
    currency: str

    def __str__(self) -> str:
        """For people."""
        items, total = (f"{amount:f} {self.currency}".strip() for amount in self[:2])
        return f"the items come to {items}, the total says {total}"


def check_money(document: Document, order_type: str, *, strict_totals: bool) -> None:
    """`RefusedError` where the order is in several currencies, or gives nothing back.

    With `strict_totals` also where its items and its total differ.
    """
    _check_currencies(document, order_type)
    if order_type in _GIVEN_BACK:
        _check_given_back(document, order_type)
    found = difference(document, order_type) if strict_totals else None
    if found is not None:
        raise refused(
            "totals_differ",
            str(found),
            "send what the items cost, less the orderDiscount, as the total",
            "/total/amount",
        )


def difference(document: Document, order_type: str) -> Difference | None:
    """How items and total differ; None where they do not, or where not all are priced."""
    total = number(_at(document, "total", "amount"))
    if order_type not in _PRICED or total is None:
        return None
    with localcontext(prec=_DIGITS):
        cost = _cost(document)
    if cost is None:
        return None
    currency = next((code for _, code in _currencies(document)), "")
    found = Difference(rounded_amount(cost, currency), rounded_amount(total, currency), currency)
    return None if found.items == found.total else found


def _check_currencies(document: Document, order_type: str) -> None:
    named = list(_currencies(document))
    if order_type == "change_offer":
        named += _of_offer("/originalOffer", _at(document, "originalOffer"))
    for pointer, currency in named[1:]:
        first, expected = named[0]
        if currency != expected:
            switches = pointer.startswith("/originalOffer")
            raise refused(
                "mixed_currencies",
                f"the order is in {expected} by {first} and in {currency} by {pointer}",
                "cancel the subscription and buy it anew: a change keeps the currency"
                if switches
                else "send one order per currency",
                pointer,
            )


def _check_given_back(document: Document, order_type: str) -> None:
    """The amount may be the refund's, the total's or that of the items."""
    given = {
        "/refund/amount": _at(document, "refund", "amount"),
        "/total/amount": _at(document, "total", "amount"),
        **{
            f"/orderItems/{index}/price/amount": _at(item, "price", "amount")
            for index, item in enumerate(document.get("orderItems") or ())
        },
    }
    named = {pointer: value for pointer, value in given.items() if value is not None}
    pointer, value = next(iter(named.items()), ("/total/amount", None))
    amount = number(value)
    if amount is None or amount <= 0:
        said = "no amount" if value is None else f"{str(value)[:40]!r}"
        raise refused(
            "amount_required",
            f"a {order_type} is for an amount above 0, and this one says {said}",
            "send total.amount, or refund.amount",
            pointer,
        )


def _currencies(document: Document) -> Iterator[tuple[str, str]]:
    """Every currency that the order names, in upper case, and where; not the original offer's."""
    places = [
        ("/total/currency", _at(document, "total", "currency")),
        ("/refund/currency", _at(document, "refund", "currency")),
        (
            "/orderDiscount/discountOverrides/currency",
            _at(document, "orderDiscount", "discountOverrides", "currency"),
        ),
    ]
    yield from _named(places)
    for index, item in enumerate(document.get("orderItems") or ()):
        place = f"/orderItems/{index}"
        yield from _named([(f"{place}/price/currency", _at(item, "price", "currency"))])
        yield from _of_offer(f"{place}/offer", _at(item, "offer"))


def _of_offer(place: str, offer: Any) -> Iterator[tuple[str, str]]:
    attributes = f"{place}/data/attributes"
    charges = _at(offer, "data", "attributes", "price__limio")
    if isinstance(charges, list):
        named = [_at(charge, "currencyCode") for charge in charges]
        places = [f"{attributes}/price__limio/{n}/currencyCode" for n in range(len(named))]
        yield from _named(zip(places, named, strict=True))


def _named(places: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    for pointer, given in places:
        if isinstance(given, str) and given.strip():
            yield pointer, given.strip().upper()


def _cost(document: Document) -> Decimal | None:
    """What the items that are added cost, less the discount; None where one has no price.

    Nor has a discount offer one: its amount may be a percentage.
    """
    costs: list[tuple[Any, Decimal]] = []
    for item in document.get("orderItems") or ():
        if item.get("orderItemActionType") not in (None, "", "add"):
            continue
        price, quantity = number(_at(item, "price", "amount")), item.get("quantity")
        count = Decimal(1) if quantity is None else number(quantity)
        if price is None or count is None or _is_discount(item):
            return None
        costs.append((item, price * count))
    return _discounted(costs, document.get("orderDiscount")) if costs else None


def _discounted(costs: list[tuple[Any, Decimal]], discount: Any) -> Decimal | None:
    """Less a percentage or an amount of all, or of the offers that the discount names."""
    full = sum((cost for _, cost in costs), Decimal(0))
    if not discount:
        return full
    said = _at(discount, "discountOverrides")
    named = _at(said, "orderItemsWithSpecifiedDiscount", "discountedOffers")
    offers = {_offer(one) for one in named} if isinstance(named, list) else set()
    meant = [cost for item, cost in costs if not offers or _is_one_of(item, offers)]
    percentage, amount = (number(_at(said, f"{kind}Discount")) for kind in ("percentage", "amount"))
    base = sum(meant, Decimal(0))
    if "percent" in str(_at(said, "discountType")).lower() or not amount:
        return full - base * percentage / _WHOLE if meant and percentage is not None else None
    return full - min(amount, base) if meant else None


def _is_discount(item: Any) -> bool:
    return str(_at(item, "offer", "data", "attributes", "offer_type__limio")) == "discount"


def _offer(named: Any) -> str:
    """A discounted offer by its path, id or name."""
    found = next((one for one in _names(named) if one), named)
    return found if isinstance(found, str) else ""


def _is_one_of(item: Any, offers: set[str]) -> bool:
    return any(name in offers for name in _names(_at(item, "offer")) if name)


def _names(offer: Any) -> list[str]:
    names = (_at(offer, member) for member in ("path", "id", "name"))
    return [name for name in names if isinstance(name, str)]


def _at(value: Any, *path: str) -> Any:
    """What is at the path; None where there is nothing."""
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value
