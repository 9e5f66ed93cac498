"""What Zuora says of the subscription that an order changes: status, term, rate plans, charges."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from plugins.api import Failed, Reply, Request, Step
from plugins.connectors.zuora.asking import found, path_of
from plugins.connectors.zuora.envelope import StoppedError, unfit
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
    def is_per_unit(self) -> bool:
        """Whether its quantity counts."""
        return "perunit" in (self.model or "").replace(" ", "").lower()

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
    def reference(self) -> dict[str, Any]:
        """How an order puts the same plan on again."""
        return {"productRatePlanId": self.product_rate_plan}

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
    renewal_unit: str | None
    current_term: int | None
    current_unit: str | None
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
    def period(self) -> dict[str, Any] | None:
        """How long its terms are, as orders say it; None: Zuora does not tell."""
        terms = (
            (self.current_term, self.current_unit),
            (self.renewal_term, self.renewal_unit),
        )
        known = ({"period": n, "periodType": unit} for n, unit in terms if n and unit)
        return next(known, None)

    @property
    def charged_through(self) -> date | None:
        """The end of the billing period: the first day that nothing was billed for yet.

        A plan whose removal is to come still counts: what follows it was never billed.
        """
        billed = (c.charged_through for plan in self.plans for c in plan.charges)
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
    today = day(text(step.order, "effective_date"))
    if today is None:
        raise unfit("effective_date", "the order has no effective_date", ErrorKind.PERMANENT)
    return today


def read(step: Step[ZuoraOptions]) -> Generator[Request, Reply, Subscription]:
    """Ask for the order's subscription."""
    wanted = subscription_of(step)
    reply = yield from found(step, path_of("subscriptions", wanted))
    if reply is None:
        message = f"Zuora has no subscription {wanted!r}; check forSubscription of the order"
        raise unfit("subscription_unknown", message, ErrorKind.PERMANENT)
    return _subscription(reply)


def require_active(step: Step[ZuoraOptions], subscription: Subscription) -> None:
    """Refuse what cannot be changed any more; the buyer is told, too."""
    if subscription.is_over(today_of(step)):
        status = (subscription.status or "over").lower()
        is_cancelled = subscription.status == _CANCELLED
        message = f"the subscription {subscription.number} is {status}: it cannot be changed"
        words = f"This subscription is already {status}, so it cannot be changed."
        code = "subscription_cancelled" if is_cancelled else "subscription_expired"
        raise overtaken(code, message, words)


def overtaken(code: str, message: str, buyer_message: str | None = None) -> OvertakenError:
    """What the order is about is not there any more."""
    return OvertakenError(Failed(ErrorKind.PERMANENT, code, message, buyer_message))


def _subscription(reply: Reply) -> Subscription:
    said = part({"body": reply.body}, "body")
    term_type = (text(said, "termType") or "").upper()
    return Subscription(
        number=str(reply["subscriptionNumber"]),
        id=text(said, "id"),
        account_number=str(reply["accountNumber"]),
        account_id=text(said, "accountId"),
        status=text(said, "status"),
        version=_whole(said, "version"),
        order_number=text(said, "orderNumber"),
        currency=text(said, "currency"),
        is_evergreen=term_type == _EVERGREEN,
        term_start=day(text(said, "termStartDate")),
        term_end=None if term_type == _EVERGREEN else day(text(said, "termEndDate")),
        end=day(text(said, "subscriptionEndDate")) or day(text(said, "termEndDate")),
        auto_renew=said.get("autoRenew") is True,
        renewal_term=_whole(said, "renewalTerm"),
        renewal_unit=text(said, "renewalTermPeriodType"),
        current_term=_whole(said, "currentTerm"),
        current_unit=text(said, "currentTermPeriodType"),
        renewal_setting=text(said, "renewalSetting"),
        scheduled_cancel=day(text(said, "scheduledCancelDate")),
        cancelled_from=_cancelled_from(said),
        plans=tuple(_plan(plan) for plan in parts(said, "ratePlans")),
        custom_fields={name: value for name, value in said.items() if name.endswith("__c")},
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


def _cancelled_from(said: Mapping[str, Any]) -> date | None:
    """The status history reaches into the future."""
    history = parts(said, "statusHistory")
    ended = [one for one in history if text(one, "status") == _CANCELLED]
    return day(text(ended[-1], "startDate")) if ended else None


def _whole(said: Mapping[str, Any], name: str) -> int | None:
    value = number(said.get(name))
    return None if value is None else int(value)
