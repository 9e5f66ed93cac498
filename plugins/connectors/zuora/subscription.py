"""What Zuora says of the subscription that an order changes: status, term, rate plans, charges."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from plugins.api import Failed, Reply, Request, Step
from plugins.connectors.zuora.envelope import StoppedError, headers, not_found, refusal, unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.limio import day, number, part, parts, text
from schemas.steps import ErrorKind

_REMOVED = "Remove"
_CANCELLED, _EVERGREEN = "Cancelled", "EVERGREEN"
_OVER = frozenset({_CANCELLED, "Expired"})


class OvertakenError(StoppedError):
    """The subscription is not as the order expects it, maybe by what an earlier attempt did."""


@dataclass(frozen=True, slots=True)
class SubscribedCharge:
    """A charge of a rate plan on the subscription; `product_charge` is the catalogue's id."""

    number: str | None
    product_charge: str | None
    name: str | None
    type: str | None
    model: str | None
    price: Decimal | None
    quantity: Decimal | None
    charged_through: date | None

    @property
    def is_discount(self) -> bool:
        """Whether it lowers other charges."""
        return (self.model or "").lower().startswith("discount")


@dataclass(frozen=True, slots=True)
class SubscribedPlan:
    """A rate plan on the subscription; `id` is its own, `product_rate_plan` the catalogue's."""

    id: str
    product_rate_plan: str | None
    name: str | None
    last_change: str | None
    charges: tuple[SubscribedCharge, ...] = ()

    @property
    def is_active(self) -> bool:
        """A plan whose removal is booked cannot be changed any more, even before that day."""
        return not (self.last_change or "").startswith(_REMOVED)

    @property
    def is_discount(self) -> bool:
        """Whether all that it has is discounts."""
        return bool(self.charges) and all(charge.is_discount for charge in self.charges)


@dataclass(frozen=True, slots=True)
class Subscription:
    """The latest version. Dates that end something are the first day after it, as Zuora's are."""

    number: str
    id: str | None
    account_number: str
    account_id: str | None
    status: str | None
    version: int | None
    order_number: str | None
    currency: str | None
    is_evergreen: bool
    term_start: date | None
    term_end: date | None
    end: date | None
    auto_renew: bool
    renewal_term: int | None
    renewal_setting: str | None
    scheduled_cancel: date | None
    cancelled_from: date | None
    plans: tuple[SubscribedPlan, ...] = ()
    custom_fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def active_plans(self) -> tuple[SubscribedPlan, ...]:
        """Those that are not removed."""
        return tuple(plan for plan in self.plans if plan.is_active)

    @property
    def charged_through(self) -> date | None:
        """The end of the billing period: the first day that nothing was billed for yet."""
        billed = (c.charged_through for plan in self.active_plans for c in plan.charges)
        return max((at for at in billed if at is not None), default=None)

    def pending_cancel(self, today: date) -> date | None:
        """The day of a cancellation that is booked but has not come.

        Tenants differ in the status until then, so any of its signs will do.
        """
        ended = self.end if self.status == _CANCELLED else None
        signs = (self.scheduled_cancel, self.cancelled_from, ended)
        return next((at for at in signs if at is not None and at > today), None)

    def is_over(self, today: date) -> bool:
        """Cancelled or expired, with no day left."""
        return self.status in _OVER and self.pending_cancel(today) is None


def subscription_of(step: Step[ZuoraOptions]) -> str:
    """The number of the subscription that the order is for."""
    return str(step.order["subscriptionReference"])


def today_of(step: Step[ZuoraOptions]) -> date:
    """The order's day, fixed when it was accepted."""
    found = day(text(step.order, "effective_date"))
    if found is None:
        raise unfit("effective_date", "the order has no effective_date", ErrorKind.PERMANENT)
    return found


def read(step: Step[ZuoraOptions]) -> Generator[Request, Reply, Subscription]:
    """Ask for the order's subscription."""
    wanted = subscription_of(step)
    path = f"/v1/subscriptions/{quote(wanted, safe='')}"
    reply = yield Request("GET", path, headers=headers(step), accept=frozenset({404}))
    if not_found(reply):
        message = f"Zuora has no subscription {wanted!r}; check forSubscription of the order"
        raise unfit("subscription_unknown", message, ErrorKind.PERMANENT)
    problem = refusal(reply)
    if problem is not None:
        raise StoppedError(problem)
    return _subscription(reply)


def require_active(step: Step[ZuoraOptions], subscription: Subscription) -> None:
    """Refuse what cannot be changed any more; the buyer is told, too."""
    if subscription.is_over(today_of(step)):
        status = (subscription.status or "over").lower()
        message = f"the subscription {subscription.number} is {status}: it cannot be changed"
        words = f"This subscription is already {status}, so it cannot be changed."
        raise overtaken(f"subscription_{status}", message, words)


def overtaken(code: str, message: str, buyer_message: str | None = None) -> OvertakenError:
    """What the order is about is not there any more."""
    return OvertakenError(Failed(ErrorKind.PERMANENT, code, message, buyer_message))


def _subscription(reply: Reply) -> Subscription:
    found = part({"body": reply.body}, "body")
    term_type = (text(found, "termType") or "").upper()
    return Subscription(
        number=str(reply["subscriptionNumber"]),
        id=text(found, "id"),
        account_number=str(reply["accountNumber"]),
        account_id=text(found, "accountId"),
        status=text(found, "status"),
        version=_whole(found, "version"),
        order_number=text(found, "orderNumber"),
        currency=text(found, "currency"),
        is_evergreen=term_type == _EVERGREEN,
        term_start=day(text(found, "termStartDate")),
        term_end=None if term_type == _EVERGREEN else day(text(found, "termEndDate")),
        end=day(text(found, "subscriptionEndDate")) or day(text(found, "termEndDate")),
        auto_renew=found.get("autoRenew") is True,
        renewal_term=_whole(found, "renewalTerm"),
        renewal_setting=text(found, "renewalSetting"),
        scheduled_cancel=day(text(found, "scheduledCancelDate")),
        cancelled_from=_cancelled_from(found),
        plans=tuple(_plan(plan) for plan in parts(found, "ratePlans")),
        custom_fields={name: value for name, value in found.items() if name.endswith("__c")},
    )


def _plan(plan: Mapping[str, Any]) -> SubscribedPlan:
    return SubscribedPlan(
        id=text(plan, "id") or "",
        product_rate_plan=text(plan, "productRatePlanId"),
        name=text(plan, "ratePlanName"),
        last_change=text(plan, "lastChangeType"),
        charges=tuple(_charge(charge) for charge in parts(plan, "ratePlanCharges")),
    )


def _charge(charge: Mapping[str, Any]) -> SubscribedCharge:
    return SubscribedCharge(
        number=text(charge, "number"),
        product_charge=text(charge, "productRatePlanChargeId"),
        name=text(charge, "name"),
        type=text(charge, "type"),
        model=text(charge, "model"),
        price=number(charge.get("price")),
        quantity=number(charge.get("quantity")),
        charged_through=day(text(charge, "chargedThroughDate")),
    )


def _cancelled_from(found: Mapping[str, Any]) -> date | None:
    """The status history reaches into the future."""
    history = parts(found, "statusHistory")
    ended = [one for one in history if text(one, "status") == _CANCELLED]
    return day(text(ended[-1], "startDate")) if ended else None


def _whole(found: Mapping[str, Any], name: str) -> int | None:
    value = number(found.get(name))
    return None if value is None else int(value)
