"""Discounts of a new order: offers beside those that they lower, or a discount of the order."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from plugins.api import Step
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import first_text, items, number, offer_type, part, text
from schemas.steps import ErrorKind

_DISCOUNT = "discount"
_MEANT = "discountedOffers"
_ONCE = "onlyOnce"
Sold = TypeVar("Sold")


def sold(step: Step[ZuoraOptions]) -> list[Mapping[str, Any]]:
    """The order's items, with its own discount as another one."""
    own = part(step.order, "orderDiscount")
    return [*items(step.order), *([_as_item(own)] if own else [])]


def is_discount(item: Mapping[str, Any]) -> bool:
    """Whether the offer only lowers others."""
    return offer_type(item) == _DISCOUNT


def together(
    offers: Sequence[tuple[Mapping[str, Any], Sold]], *, one_subscription: bool
) -> list[list[tuple[Mapping[str, Any], Sold]]]:
    """Which offers make a subscription: one each, or all in one; discounts go with what they lower.

    An amount is taken off once, a percentage off everything that it is meant for.
    """
    full = [one for one in offers if not is_discount(one[0])]
    if one_subscription or not full:
        return [list(offers)] if one_subscription else [[one] for one in offers]
    taken: set[int] = set()
    groups = []
    for one in full:
        lowering = list(_lowering(one[0], offers, taken))
        groups.append([one, *(offers[place] for place in lowering)])
        taken |= {place for place in lowering if offers[place][0].get(_ONCE)}
    return groups


def _lowering(
    item: Mapping[str, Any], offers: Sequence[tuple[Mapping[str, Any], Any]], taken: set[int]
) -> Iterator[int]:
    for place, (discount, _) in enumerate(offers):
        if is_discount(discount) and place not in taken and _is_meant(discount, item):
            yield place


def _is_meant(discount: Mapping[str, Any], item: Mapping[str, Any]) -> bool:
    """All offers of the order, unless the discount names some, or one as its parent."""
    parent = text(discount, "parentId")
    if parent is not None:
        return parent == text(item, "id")
    named = discount.get(_MEANT)
    if not isinstance(named, list) or not named:
        return True
    offer = part(item, "offer")
    known = {text(offer, member) for member in ("path", "id", "name")}
    return any(_named(one) in known for one in named)


def _named(offer: Any) -> str | None:
    if isinstance(offer, str):
        return offer
    return first_text(text(offer, "path"), text(offer, "id"), text(offer, "name"))


def _as_item(discount: Mapping[str, Any]) -> dict[str, Any]:
    """As an offer would say it: its rate plan, how much, and for how long."""
    said = part(discount, "discountOverrides")
    percentage, amount = number(said.get("percentageDiscount")), number(said.get("amountDiscount"))
    by_share = "percent" in (text(said, "discountType") or "").lower() or not amount
    value = percentage if by_share else amount
    if value is None:
        message = "orderDiscount says neither percentageDiscount nor amountDiscount"
        raise unfit("discount", message, ErrorKind.PERMANENT)
    lasts = {"repeat_interval": said.get("durationLength"), "repeat_count": 1}
    price = {
        "type": _DISCOUNT,
        "label": text(discount, "name"),
        "value": str(value),
        "currencyCode": text(said, "currency"),
        "repeat_interval_type": text(said, "durationType"),
        **(lasts if number(said.get("durationLength")) else {}),
    }
    plan = part(discount, "productDetails", "ratePlan")
    path = text(plan, "path")
    attributes = {
        "offer_type__limio": _DISCOUNT,
        "rate_plan__zuora": first_text(text(plan, "name"), path and path.rsplit("/", 1)[-1]),
        "price__limio": [price],
    }
    return {
        "offer": {"data": {"attributes": attributes}},
        _MEANT: part(said, "orderItemsWithSpecifiedDiscount").get(_MEANT),
        _ONCE: not by_share,
    }
