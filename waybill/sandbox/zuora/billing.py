"""The bill run: what a subscription owes up to a day, and what it gets back."""

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from waybill.sandbox.zuora.amounts import ZERO, rounded
from waybill.sandbox.zuora.catalog import ONE_TIME, PERCENTAGE, hex_id
from waybill.sandbox.zuora.periods import WHOLE_TERM, earliest, moved
from waybill.sandbox.zuora.state import Billed, Charge, Item, RatePlan, Subscription

CREDIT, DISCOUNT, CHARGE = "Credit", "Discount", "Charge"
_HUNDRED = Decimal(100)
_WAITING = "Pending"
_MOST_PERIODS = 1000


class Span(NamedTuple):
    """A period to bill: `days` of it, of the `whole` that the price is for."""

    begins: date
    ends: date
    days: int
    whole: int


def bill(subscription: Subscription, target: date) -> list[Item]:
    """Items up to the target day, which are then billed: a second run finds nothing."""
    if subscription.status.startswith(_WAITING):
        return []
    items = list(_credits(subscription, target))
    for plan in subscription.rate_plans:
        for charge in plan.charges:
            if not charge.is_discount:
                items += _charged(subscription, plan, charge, target)
    return items


def ends_on(subscription: Subscription, charge: Charge) -> date | None:
    """The day from which a charge costs nothing more; None: it goes on."""
    return earliest(
        charge.ends, subscription.cancelled_on, subscription.suspended_on, subscription.term_end
    )


def charged_through(subscription: Subscription) -> date | None:
    """Up to where the longest billed recurring charge that still runs is billed."""
    days = [
        charge.through
        for plan in subscription.rate_plans
        for charge in plan.charges
        if charge.through is not None and charge.kind != ONE_TIME and not charge.is_discount
    ]
    return max(days, default=None)


def _credits(subscription: Subscription, target: date) -> Iterator[Item]:
    """What was billed beyond the end of a charge."""
    for plan in subscription.rate_plans:
        for charge in plan.charges:
            end = ends_on(subscription, charge)
            if end is None or end > target or charge.kind == ONE_TIME:
                continue
            for billed in [one for one in charge.billed if one.ends > end]:
                yield _credit(subscription, charge, billed, end)
            if charge.through is not None and charge.through > end:
                charge.through = end


def _credit(subscription: Subscription, charge: Charge, billed: Billed, end: date) -> Item:
    begins = max(billed.begins, end)
    share = Decimal((billed.ends - begins).days) / Decimal((billed.ends - billed.begins).days)
    amount = rounded(billed.amount * share, subscription.currency)
    item = _item(subscription, charge, Span(begins, billed.ends, 1, 1), -amount, CREDIT)
    if begins == billed.begins:
        charge.billed.remove(billed)
    billed.ends = begins
    billed.amount -= amount
    return item


def _charged(
    subscription: Subscription, plan: RatePlan, charge: Charge, target: date
) -> Iterator[Item]:
    for span in _spans(subscription, charge, target):
        share = Decimal(span.days) / Decimal(span.whole)
        amount = rounded(charge.price * charge.quantity * share, subscription.currency)
        yield _item(subscription, charge, span, amount, CHARGE)
        for discount in list(_discounts(subscription, plan, span.begins)):
            taken = _taken(discount, amount, subscription.currency)
            amount -= taken
            yield _item(subscription, discount, span, -taken, DISCOUNT)
        charge.billed.append(Billed(span.begins, span.ends, amount))
        charge.through = span.ends


def _spans(subscription: Subscription, charge: Charge, target: date) -> Iterator[Span]:
    """The periods of a charge that are due and not billed."""
    begins = charge.begins or subscription.begins
    if charge.kind == ONE_TIME:
        if charge.through is None and begins <= target:
            yield Span(begins, moved(begins, 1, "Day"), 1, 1)
        return
    end = ends_on(subscription, charge)
    for _ in range(_MOST_PERIODS):
        start = charge.through or begins
        if start > target or (end is not None and start >= end):
            return
        opens, closes = _period(subscription, charge, start)
        stop = earliest(closes, end) or closes
        yield Span(start, stop, (stop - start).days, (closes - opens).days)


def _period(subscription: Subscription, charge: Charge, start: date) -> tuple[date, date]:
    """The whole billing period that begins with `start`, or holds it."""
    begins, end = subscription.term_start, subscription.term_end
    if charge.period == WHOLE_TERM and start < begins:  # what was not billed in an earlier term
        return start, begins
    if charge.period == WHOLE_TERM and end is not None:
        return begins, end
    unit = "Month" if charge.period in {WHOLE_TERM, ""} else charge.period
    return start, moved(start, 1, unit)


def _discounts(subscription: Subscription, plan: RatePlan, day: date) -> Iterator[Charge]:
    """The discounts in force on that day."""
    for holder in subscription.rate_plans:
        for charge in holder.charges:
            if not charge.is_discount or (charge.level == "rateplan" and holder is not plan):
                continue
            begins, end = charge.begins or subscription.begins, ends_on(subscription, charge)
            if begins <= day and (end is None or day < end) and _counted(charge, day):
                yield charge


def _counted(discount: Charge, day: date) -> bool:
    """Whether a period is left; all charges of one period use up the same one."""
    if discount.periods is None or discount.through == day:
        return True
    if discount.periods == 0:
        return False
    discount.periods -= 1
    discount.through = day
    return True


def _taken(discount: Charge, amount: Decimal, currency: str) -> Decimal:
    if discount.model == PERCENTAGE:
        return rounded(amount * discount.price / _HUNDRED, currency)
    return min(amount, discount.price)


def _item(
    subscription: Subscription, charge: Charge, span: Span, amount: Decimal, kind: str
) -> Item:
    place = f"{charge.number}/{charge.segment}/{span.begins}/{span.ends}/{kind}"
    return Item(
        id=hex_id("item", place),
        charge=charge.number,
        product_charge=charge.product_charge,
        name=charge.name,
        amount=amount or ZERO,
        begins=span.begins,
        ends=span.ends,
        subscription=subscription.number,
        kind=kind,
        quantity=charge.quantity,
    )
