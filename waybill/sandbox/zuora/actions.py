"""What each order action does to a subscription, and when Zuora refuses to do it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from waybill.sandbox.zuora.billing import charged_through
from waybill.sandbox.zuora.catalog import Catalog
from waybill.sandbox.zuora.charges import remove, reprice, selected, subscribed, update
from waybill.sandbox.zuora.people import account_of, own_contact, own_method
from waybill.sandbox.zuora.periods import moved, parsed
from waybill.sandbox.zuora.refusals import BAD_VALUE, BUSINESS_RULE, MISSING, RefusedError
from waybill.sandbox.zuora.state import Account, Books, Record, Subscription

EVERGREEN, TERMED = "EVERGREEN", "TERMED"
_SETTINGS = ("paymentTerm", "invoiceSeparately", "invoiceTemplateId", "notes")
_CONTACTS = ("billToContactId", "soldToContactId", "shipToContactId")


@dataclass(frozen=True, slots=True)
class Acting:
    """One action at work: the books to look things up in, the day it is booked, its dates."""

    books: Books
    catalog: Catalog
    account: Account
    today: date
    on: date
    body: Record

    @property
    def order_day(self) -> date:
        """The day of the order, or the tenant's where that is later."""
        return max(self.today, self.books.day)


Action = Callable[[Acting, Subscription], None]


def act(acting: Acting, subscription: Subscription, action: Record) -> None:
    """Carry out one action on a subscription that exists; it gets a new version."""
    kind = action["type"]
    _check_standing(subscription, kind, action)
    _check_date(acting, subscription, kind)
    _ACTIONS[kind](acting, subscription)
    if kind == "CancelSubscription":
        subscription.cancel_reason = action.get("changeReason")
    subscription.version += 1


def _check_standing(subscription: Subscription, kind: str, action: Record) -> None:
    """A cancelled subscription takes no change; a cancellation to come can be taken back."""
    number = subscription.number
    if subscription.status == "Cancelled":
        message = f"The subscription {number} is already cancelled; it takes no {kind}."
        raise RefusedError(BUSINESS_RULE, message)
    if subscription.status.startswith("Pending"):
        message = f"The subscription {number} is {subscription.status}; complete its order first."
        raise RefusedError(BUSINESS_RULE, message)
    terms = action.get("termsAndConditions", {})
    clearing = subscription.cancelled_by_terms and terms.get("clearingScheduledCancelDate")
    if subscription.cancelled_on is not None and not clearing:
        message = (
            f"The subscription {number} is cancelled as of {subscription.cancelled_on}; delete "
            f"that order before a {kind}."
        )
        raise RefusedError(BUSINESS_RULE, message)
    if subscription.status == "Suspended" and kind not in {"Resume", "CancelSubscription"}:
        raise RefusedError(BUSINESS_RULE, f"The subscription {number} is suspended.")
    if kind == "Resume" and subscription.suspended_on is None:
        raise RefusedError(BUSINESS_RULE, f"The subscription {number} is not suspended.")


def _check_date(acting: Acting, subscription: Subscription, kind: str) -> None:
    if acting.on < subscription.begins:
        message = (
            f"The contract effective date {acting.on} must not be earlier than the start of the "
            f"subscription, {subscription.begins}."
        )
        raise RefusedError(BAD_VALUE, message)
    end = subscription.term_end
    if end is not None and acting.on > end and kind != "CancelSubscription":
        message = (
            f"The contract effective date {acting.on} must not be later than the term end date of "
            f"the basic subscription, {end}."
        )
        raise RefusedError(BAD_VALUE, message)


def _terms(acting: Acting, subscription: Subscription) -> None:
    body = acting.body
    if "lastTerm" in body:
        _set_term(subscription, body["lastTerm"])
    subscription.auto_renew = body.get("autoRenew", subscription.auto_renew)
    subscription.renewal_setting = body.get("renewalSetting", subscription.renewal_setting)
    subscription.renewal_terms = body.get("renewalTerms", subscription.renewal_terms)
    _set_settings(acting, subscription)
    if body.get("clearingScheduledCancelDate") and subscription.cancelled_by_terms:
        subscription.cancelled_on, subscription.cancelled_by_terms = None, False
    scheduled = parsed(body.get("scheduledCancelDate"))
    if scheduled is not None:
        _cancel_on(acting, subscription, scheduled)
        subscription.cancelled_by_terms = True


def _set_term(subscription: Subscription, term: Record) -> None:
    begins = parsed(term.get("startDate")) or subscription.term_start
    subscription.term_type = term["termType"]
    subscription.term_start = begins
    subscription.term_end = term_end(begins, term, subscription.initial)
    subscription.current = _length(term) or subscription.current


def _length(term: Record) -> Record:
    return {name: term[name] for name in ("period", "periodType") if name in term}


def term_end(begins: date, term: Record, before: Record) -> date | None:
    """The day after the term; what the term leaves out is as it was before."""
    if term["termType"] == EVERGREEN:
        return None
    if "endDate" in term:
        return parsed(term["endDate"])
    period, unit = term.get("period", before.get("period")), term.get("periodType")
    unit = unit or before.get("periodType")
    if period is None or unit is None:
        raise RefusedError(MISSING, "A termed subscription needs 'period' and 'periodType'.")
    return moved(begins, period, unit)


def _set_settings(acting: Acting, subscription: Subscription) -> None:
    body = acting.body
    for member in _CONTACTS:
        if member in body:
            own_contact(acting.books, acting.account, body[member])
            subscription.settings[member] = body[member]
    profile = body.get("paymentProfile")
    if profile is not None:
        if "paymentMethodId" in profile:
            own_method(acting.books, acting.account, profile["paymentMethodId"])
        subscription.settings["paymentProfile"] = profile
    subscription.settings |= {name: body[name] for name in _SETTINGS if name in body}


def _add(acting: Acting, subscription: Subscription) -> None:
    plan = subscribed(acting.catalog, subscription, acting.body, acting.on, "Add")
    subscription.rate_plans.append(plan)


def _remove(acting: Acting, subscription: Subscription) -> None:
    remove(selected(subscription, acting.body), acting.on)


def _update(acting: Acting, subscription: Subscription) -> None:
    on = parsed(acting.body.get("specificUpdateDate")) or acting.on
    update(selected(subscription, acting.body), acting.body.get("chargeUpdates", []), on)


def _change(acting: Acting, subscription: Subscription) -> None:
    """An upgrade or a downgrade in one action."""
    old, on = selected(subscription, acting.body), acting.on
    if acting.body.get("effectivePolicy") == "EffectiveEndOfBillingPeriod":
        on = charged_through(subscription) or on
    remove(old, on)
    entry = acting.body["newProductRatePlan"]
    plan = subscribed(acting.catalog, subscription, entry, on, "Add")
    subscription.rate_plans.append(plan)


def _cancel(acting: Acting, subscription: Subscription) -> None:
    policy = acting.body["cancellationPolicy"]
    if policy == "EndOfCurrentTerm":
        if subscription.term_end is None:
            message = "An evergreen subscription has no end of term to be cancelled at."
            raise RefusedError(BUSINESS_RULE, message)
        on = subscription.term_end
    elif policy == "EndOfLastInvoicePeriod":
        on = charged_through(subscription) or subscription.begins
    else:
        named = parsed(acting.body.get("cancellationEffectiveDate"))
        if named is None:
            message = "'cancelSubscription.cancellationEffectiveDate' goes with SpecificDate"
            raise RefusedError(MISSING, message)
        on = named
    _cancel_on(acting, subscription, on)


def _cancel_on(acting: Acting, subscription: Subscription, on: date) -> None:
    end = subscription.term_end
    if on < subscription.begins or (end is not None and on > end):
        message = (
            f"The cancellation date {on} must lie between {subscription.begins} and "
            f"{end or 'ever after'}."
        )
        raise RefusedError(BAD_VALUE, message)
    subscription.cancelled_on = on
    if on <= acting.order_day:
        subscription.status = "Cancelled"


def _renew(acting: Acting, subscription: Subscription) -> None:
    if subscription.term_type == EVERGREEN:
        message = f"The subscription {subscription.number} is evergreen: it has nothing to renew."
        raise RefusedError(BUSINESS_RULE, message)
    renew(acting.catalog, subscription)
    _set_settings(acting, subscription)


def renew(catalog: Catalog, subscription: Subscription) -> None:
    """The next term begins where the last one ends, at the price that is set for it."""
    begins = subscription.term_end
    if begins is None:
        return
    reprice(catalog, subscription, begins)
    subscription.term_start = begins
    if subscription.renewal_setting == "RENEW_TO_EVERGREEN":
        subscription.term_type, subscription.term_end = EVERGREEN, None
        return
    term = next(iter(subscription.renewal_terms), subscription.initial)
    subscription.current = _length(term)
    subscription.term_end = term_end(begins, {"termType": TERMED, **term}, subscription.initial)


def _transfer(acting: Acting, subscription: Subscription) -> None:
    body, books = acting.body, acting.books
    owner = account_of(books, body.get("destinationAccountNumber", subscription.account))
    payer = body.get("destinationInvoiceAccountNumber")
    if payer is not None:
        subscription.invoice_account = account_of(books, payer).number
    if owner.currency != subscription.currency:
        raise RefusedError(BUSINESS_RULE, f"{owner.number} has another currency.")
    subscription.account = owner.number


def _suspend(acting: Acting, subscription: Subscription) -> None:
    body = acting.body
    match body["suspendPolicy"]:
        case "Today":
            on = acting.order_day
        case "EndOfLastInvoicePeriod":
            on = charged_through(subscription) or subscription.begins
        case "FixedPeriodsFromToday":
            unit = body.get("suspendPeriodsType", "Day")
            on = moved(acting.order_day, body.get("suspendPeriods", 0), unit)
        case _:
            on = _named_day(body, "suspendSpecificDate")
    subscription.suspended_on = on
    if on <= acting.order_day:
        subscription.status = "Suspended"


def _resume(acting: Acting, subscription: Subscription) -> None:
    body, since = acting.body, subscription.suspended_on or acting.on
    unit, periods = body.get("resumePeriodsType", "Day"), body.get("resumePeriods", 0)
    match body["resumePolicy"]:
        case "Today":
            on = acting.order_day
        case "SuspendDate":
            on = since
        case "FixedPeriodsFromSuspendDate":
            on = moved(since, periods, unit)
        case "FixedPeriodsFromToday":
            on = moved(acting.order_day, periods, unit)
        case _:
            on = _named_day(body, "resumeSpecificDate")
    if on < since:
        raise RefusedError(BAD_VALUE, f"It cannot resume on {on}, before it stops on {since}.")
    if body.get("extendsTerm") and subscription.term_end is not None:
        subscription.term_end += on - since
    resume(subscription, since, on)


def resume(subscription: Subscription, since: date, on: date) -> None:
    """It is served and billed again from that day."""
    subscription.suspended_on, subscription.status = None, "Active"
    for plan in subscription.rate_plans:
        for charge in plan.charges:
            if charge.through is not None and charge.through >= since and not charge.is_discount:
                charge.through = max(charge.through, on)


def _named_day(body: Record, member: str) -> date:
    day = parsed(body.get(member))
    if day is None:
        raise RefusedError(MISSING, f"'{member}' goes with the policy SpecificDate")
    return day


_ACTIONS: Mapping[str, Action] = {
    "TermsAndConditions": _terms,
    "AddProduct": _add,
    "RemoveProduct": _remove,
    "UpdateProduct": _update,
    "ChangePlan": _change,
    "CancelSubscription": _cancel,
    "RenewSubscription": _renew,
    "OwnerTransfer": _transfer,
    "Suspend": _suspend,
    "Resume": _resume,
}
