"""Subscriptions as the orders left them: a fold of completed orders, type by type.

Nothing personal is in them: what orders say of people is sealed. What they say is what the orders
asked for and the billing system answered; of what happens there by itself they know only what an
order of type `external` has brought.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from schemas.orders import Document
from streams.core.order import Order
from streams.core.subscribed import (
    DISCOUNT,
    Item,
    Sold,
    flag,
    iso_day,
    items_of,
    later,
    offer_names,
    part,
    term_of,
    text,
)
from streams.core.subscription import MOST_GIVEN_BACK, GivenBack, Subscription, opened

NUMBERS = frozenset(
    {
        *("accountNumber", "accountId", "crmId", "contactId", "customerId"),
        *("subscriptionNumber", "subscriptionNumbers", "subscriptionId", "orderNumber"),
        *("invoiceNumbers", "invoiceId", "paymentNumber", "creditMemoNumber", "creditMemoNumbers"),
        *("debitMemoNumber", "refundNumber"),
    }
)
"""Members of what steps hand on that are ids and numbers of partners' records."""

MOST_ENDED = 50
"""Items that are kept after their end, the latest ones."""

_WAITS_FOR_SERVICE = "requires_service_activation__limio"
_BILLED_AS = {
    "active": "active",
    "cancelled": "active",
    "expired": "expired",
    "suspended": "suspended",
    "pending activation": "pending",
    "pending acceptance": "pending",
}
"""What Zuora calls a subscription, in our words; a cancelled one is over by the day it `ends`."""


@dataclass(frozen=True, slots=True)
class _Done:
    """A completed order over the subscription before it; `day` is when it takes effect."""

    before: Subscription
    order: Order
    document: Document
    day: str


def completed(before: Subscription | None, order: Order, document: Document) -> Subscription:
    """The subscription after a completed order; `document` is the order's, sealed parts apart."""
    found = before or opened(order)
    done = _Done(found, order, document, _effective(order, document))
    if _number_of_its_own(done) is not None:
        return _counted(found, order)
    changes = _RULES.get(order.accepted.order_type, _nothing)(done)
    changes["items"] = _kept(changes.get("items", found.items))
    owner = _owner(order, document)
    return replace(
        found,
        owner=owner or found.owner,
        mode=order.accepted.mode,
        numbers=_numbers(found.numbers or {}, order),
        **_count(found, order),
        **changes,
    )


def sold_anew(before: Subscription | None, order: Order, document: Document) -> Subscription | None:
    """What a renewal has sold under a number of its own, because what it renews is over."""
    if before is None or order.accepted.order_type != "renew":
        return None
    done = _Done(before, order, document, _effective(order, document))
    number = _number_of_its_own(done)
    if number is None:
        return None
    again = [replace(one, since=done.day, until=None) for one in _last_ones(done)]
    found = replace(opened(order, number), term=before.term, currency=before.currency)
    renewed = _renew(replace(done, before=replace(found, items=tuple(again))))
    numbers = _numbers({}, order)
    sold = replace(found, numbers=numbers, start=done.day, owner=before.owner)
    return replace(_counted(sold, order), **renewed)


def _counted(found: Subscription, order: Order) -> Subscription:
    return replace(found, **_count(found, order))


def _count(found: Subscription, order: Order) -> "_Changes":
    return {
        "updated": order.updated.isoformat(),
        "last_order": order.id,
        "last_type": order.accepted.order_type,
        "orders": found.orders + 1,
    }


def _number_of_its_own(done: _Done) -> str | None:
    """The billing system's number, where a renewal of what is over is no longer the same one."""
    before, order = done.before, done.order
    if order.accepted.order_type != "renew" or before.ends is None or before.ends > done.day:
        return None
    number = _latest(list(order.context.values()), "subscriptionNumber")
    known = (before.reference, before.number("subscriptionNumber"))
    return None if number in known else number


def _last_ones(done: _Done) -> list[Item]:
    """The items that it had to its end."""
    return [item for item in done.before.items if item.until == done.before.ends]


def _kept(items: tuple[Item, ...]) -> tuple[Item, ...]:
    """All that nothing ends, and the last of the others."""
    ended = [item for item in items if item.until is not None]
    gone = ended[: max(0, len(ended) - MOST_ENDED)]
    return tuple(item for item in items if item not in gone) if gone else items


_Changes: TypeAlias = dict[str, Any]


def _nothing(_done: _Done) -> _Changes:
    """The order changes what is not kept here: people, addresses, means of payment."""
    return {}


def _new(done: _Done) -> _Changes:
    sold = items_of(done.document, done.order.id, done.day)
    start = min((item.since for item, *_ in sold), default=done.day)
    redeemed = flag(done.document.get("isRedeem"))
    offers = [item for item, *_ in sold if item.offer_type != DISCOUNT]
    bought = offers and all(item.offer_type == "gift" for item in offers)
    changes: _Changes = {
        "status": "active",
        "start": start,
        "ends": None,
        "items": tuple(item for item, *_ in sold),
        "currency": _currency(done, sold),
        **_terms(sold, start),
    }
    if redeemed:
        changes["auto_renew"] = False
    elif bought or flag(done.document.get("isGift")):
        changes["status"] = "initial"
    elif any(flag(attributes.get(_WAITS_FOR_SERVICE)) for _, attributes, _ in sold):
        changes["status"] = "pending"
    return changes


def _cancel(done: _Done) -> _Changes:
    items = tuple(_ended(item, done.day) for item in done.before.items)
    return {"ends": done.day, "items": items}


def _change_offer(done: _Done) -> _Changes:
    """The offers that it names go; where it names none, or another one, all that are there."""
    sold = items_of(done.document, done.order.id, done.day)
    ends, items = _revived(done)
    held = [item for item in items if item.until is None]
    named = offer_names(part(done.document, "originalOffer"))
    gone = ([item for item in held if item.names() & named] or held) if sold else []
    return {"ends": ends, "items": _exchanged(done, items, gone, sold), **_terms(sold, done.day)}


def _add_offer(done: _Done) -> _Changes:
    sold = items_of(done.document, done.order.id, done.day)
    return {"items": (*done.before.items, *(item for item, *_ in sold))}


def _update(done: _Done) -> _Changes:
    """Items come on, come off, or get another price or quantity, each as it says itself."""
    items = list(done.before.items)
    for item, _, action in items_of(done.document, done.order.id, done.day):
        held = next((i for i in items if i.until is None and i.names() & item.names()), None)
        if held is not None and action in ("remove", "update"):
            leaves = _leaves(done) if action == "remove" else done.day
            items[items.index(held)] = _ended(held, leaves)
        if action != "remove":
            items.append(item if held is None or action == "add" else _updated(held, item))
    return {"items": tuple(items)}


def _renew(done: _Done) -> _Changes:
    """A further term, with other offers where it brings some; or only `data.autoRenew`."""
    switched = part(done.document, "data").get("autoRenew")
    sold = items_of(done.document, done.order.id, done.day)
    ends, items = _revived(done)
    if switched is not None and not sold:
        on = flag(switched)
        return {"auto_renew": on, **({"ends": ends, "items": tuple(items)} if on else {})}
    if ends is not None:
        # It is over: what it had begins anew.
        items += [
            replace(item, since=done.day, until=None, order=done.order.id)
            for item in _last_ones(done)
        ]
    gone = [item for item in items if item.until is None] if sold else []
    terms = _terms(sold, done.day)
    return {
        "status": "active",
        "ends": None,
        "items": _exchanged(done, items, gone, sold),
        **(terms or {"term_start": done.day, "term_end": later(done.day, done.before.term)}),
    }


def _give_back(done: _Done) -> _Changes:
    said = list(done.order.context.values())
    total, refund = part(done.document, "total"), part(done.document, "refund")
    memo = GivenBack(
        order=done.order.id,
        order_type=done.order.accepted.order_type,
        on=done.day,
        amount=_latest(said, "amount") or text(refund, "amount") or text(total, "amount"),
        currency=_latest(said, "currency") or text(total, "currency") or done.before.currency,
        memo=_latest(said, "creditMemoNumber"),
    )
    return {"given_back": (*done.before.given_back, memo)[-MOST_GIVEN_BACK:]}


def _activate(done: _Done) -> _Changes:
    return {"status": "active", "start": done.day, **_synchronised(done)}


def _synchronised(done: _Done) -> _Changes:
    """What the billing system said of it; of a status that we have no word for, nothing."""
    outputs = done.order.context.values()
    told = next((one for one in outputs if "status" in one and "subscriptionNumber" in one), None)
    if told is None:
        return {}
    status = _BILLED_AS.get((text(told, "status") or "").lower())
    cancelled = iso_day(text(told, "cancelledFrom"))
    plans = told.get("ratePlans")
    named = [text(part(one), "name") for one in plans] if isinstance(plans, list) else []
    changes: _Changes = {
        "status": status,
        "term_start": iso_day(text(told, "termStartDate")),
        "term_end": iso_day(text(told, "termEndDate")),
        "currency": text(told, "currency"),
        "auto_renew": renews if isinstance(renews := told.get("autoRenew"), bool) else None,
        "plans": tuple(name for name in named if name is not None) or None,
    }
    known = {name: value for name, value in changes.items() if value is not None}
    if cancelled is None and (text(told, "status") or "").lower() == "cancelled":
        cancelled = min(done.before.ends or done.day, done.day)
    return {**known, "ends": cancelled}


_RULES: Mapping[str, Callable[[_Done], _Changes]] = {
    "new": _new,
    "cancel_subscription": _cancel,
    "change_offer": _change_offer,
    "add_offer": _add_offer,
    "change_payment": _nothing,
    "change_address": _nothing,
    "update_customer_details": _nothing,
    "update_subscription": _update,
    "renew": _renew,
    "refund": _give_back,
    "credit": _give_back,
    "external": _synchronised,
    "activation": _activate,
}


def _effective(order: Order, document: Document) -> str:
    """What the billing system took, else what the order asked for, else its own day."""
    taken = _latest(list(order.context.values()), "effectiveDate")
    asked = iso_day(text(document, "effectiveDate"))
    return iso_day(taken) or asked or order.accepted.effective_date


def _owner(order: Order, document: Document) -> str | None:
    """Whom the order gives it to; where it names nobody, it stays whose it is."""
    moved = _latest(list(order.context.values()), "newOwner")
    named = order.accepted.owner if document.get("owner") else None
    return moved or named


def _latest(outputs: Sequence[Mapping[str, Any]], name: str) -> str | None:
    return next((said for one in reversed(outputs) if (said := text(one, name))), None)


def _numbers(known: Mapping[str, Mapping[str, Any]], order: Order) -> dict[str, Mapping[str, Any]]:
    numbers = dict(known)
    for step in order.accepted.waybill:
        said = order.context.get(step.id)
        found = {n: v for n, v in said.items() if n in NUMBERS and _is_number(v)} if said else None
        if found:
            numbers[step.service] = {**numbers.get(step.service, {}), **found}
    return numbers


def _is_number(value: Any) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(one, str) for one in value)
    return isinstance(value, str)


def _terms(sold: Sequence[Sold], start: str) -> _Changes:
    """Those of the first offer that has a term; nothing where none has."""
    for item, attributes, _ in sold:
        if item.offer_type != DISCOUNT and (term := term_of(attributes)) is not None:
            return {
                "term": term,
                "term_start": start,
                "term_end": later(start, term),
                "auto_renew": flag(attributes.get("autoRenew__limio")),
            }
    return {}


def _currency(done: _Done, sold: Sequence[Sold]) -> str | None:
    named = (item.currency for item, *_ in sold)
    total = text(part(done.document, "total"), "currency")
    return total or next((one for one in named if one), None)


def _revived(done: _Done) -> tuple[str | None, list[Item]]:
    """The end and the items, where a cancellation that has not come yet is taken back."""
    ends, items = done.before.ends, list(done.before.items)
    if ends is None or ends < done.day:
        return ends, items
    return None, [replace(item, until=None) if item.until == ends else item for item in items]


def _exchanged(
    done: _Done, items: Sequence[Item], gone: Sequence[Item], sold: Sequence[Sold]
) -> tuple[Item, ...]:
    left = [_ended(item, done.day) if item in gone else item for item in items]
    return (*left, *(item for item, *_ in sold))


def _ended(item: Item, on: str) -> Item:
    return item if item.until is not None and item.until <= on else replace(item, until=on)


def _leaves(done: _Done) -> str:
    """When an item comes off: as the order says, else with the term that is paid for."""
    asked = text(done.document, "effectiveDate")
    return done.day if asked else max(done.before.term_end or done.day, done.day)


def _updated(held: Item, item: Item) -> Item:
    """The item as it was, with what the order says of it."""
    said = {
        name: value
        for name in ("quantity", "amount", "currency", "since", "order")
        if (value := getattr(item, name)) is not None
    }
    return replace(held, until=None, **said)
