"""A subscription as its orders have left it: what is kept, and what the calendar makes of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from streams.core.order import Order
from streams.core.subscribed import Item, part

MOST_GIVEN_BACK = 20
"""Refunds and credits that are kept, the latest ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenBack:
    """A refund or a credit: so much, by which memo."""

    order: str
    order_type: str
    on: str
    amount: str | None
    currency: str | None
    memo: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """What the completed orders of one subscription have made of it. Days are ISO dates.

    `status`: `initial` until an order has opened it (a gift that was bought stays so until it is
    redeemed), `pending` until an activation, `active`; `suspended` and `expired` as the billing
    system said. What the calendar makes of it says `standing`: `ends` is the first day that it is
    cancelled, `term_end` the first behind its term. `plans` are those that the billing system
    named last, `numbers` its and the CRM's by service; `orders` counts those that were completed.
    """

    reference: str
    tenant: str
    owner: str
    mode: str
    created: str
    first_order: str
    status: str = "initial"
    updated: str | None = None
    start: str | None = None
    ends: str | None = None
    term_start: str | None = None
    term_end: str | None = None
    term: tuple[int, str] | None = None
    auto_renew: bool | None = None
    currency: str | None = None
    items: tuple[Item, ...] = ()
    plans: tuple[str, ...] = ()
    numbers: Mapping[str, Mapping[str, Any]] | None = None
    given_back: tuple[GivenBack, ...] = ()
    last_order: str | None = None
    last_type: str | None = None
    orders: int = 0

    @property
    def offer(self) -> str | None:
        """That of its first item that nothing has ended, else of its last one."""
        going = (item for item in self.items if item.until is None)
        found = next(going, None) or next(reversed(self.items), None)
        return None if found is None else found.offer

    def number(self, name: str) -> str | None:
        """The first of that name among its numbers."""
        held = (part(self.numbers, service).get(name) for service in self.numbers or {})
        return next((one for one in held if isinstance(one, str)), None)


def opened(order: Order, reference: str | None = None) -> Subscription:
    """The subscription before any order is completed: `order` was accepted, and no more.

    `reference` where it is not the order's.
    """
    accepted = order.accepted
    return Subscription(
        reference=reference or accepted.subscription_reference,
        tenant=order.tenant,
        owner=accepted.owner,
        mode=accepted.mode,
        created=order.created.isoformat(),
        first_order=order.id,
    )


def standing(subscription: Subscription, today: str) -> str:
    """The status that it has on that day (ISO date)."""
    if subscription.ends is not None and subscription.ends <= today:
        return "cancelled"
    expires = expiry(subscription)
    if subscription.status == "active" and expires is not None and expires <= today:
        return "expired"
    return subscription.status


def expiry(subscription: Subscription) -> str | None:
    """The first day behind its term, where it is not renewed by itself."""
    return subscription.term_end if subscription.auto_renew is False else None


def joined(parts: Sequence[Subscription]) -> Subscription:
    """One subscription whose orders stand in several partitions: what was said last counts.

    That is so only where a tenant's lanes are those of customers, and the orders name other ones.
    """
    first, *others = sorted(parts, key=lambda one: one.updated or "")
    for newer in others:
        said = {
            name: value
            for name in Subscription.__slots__
            if (value := getattr(newer, name)) not in (None, ()) and name not in _FIRST
        }
        first = replace(
            first,
            **{
                **said,
                "status": newer.status if newer.status != "initial" else first.status,
                "items": (*first.items, *newer.items),
                "given_back": (*first.given_back, *newer.given_back)[-MOST_GIVEN_BACK:],
                "numbers": {**(first.numbers or {}), **(newer.numbers or {})},
                "orders": first.orders + newer.orders,
            },
        )
    earliest = min(parts, key=lambda one: one.created)
    return replace(first, **{name: getattr(earliest, name) for name in _FIRST})


_FIRST = ("created", "first_order")
"""What the earliest of several parts says."""
