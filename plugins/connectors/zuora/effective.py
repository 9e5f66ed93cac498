"""From which day a change takes effect: the order's own date, else what the new offer says."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal, TypeAlias

from plugins.api import Step
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.subscription import Subscription, today_of
from plugins.limio import day, offer_attributes, text
from schemas.steps import ErrorKind

Policy: TypeAlias = Literal["immediately", "end_of_billing_period", "end_of_term"]
_POLICIES: Final[Mapping[str, Policy]] = {
    "immediately": "immediately",
    "immediate": "immediately",
    "now": "immediately",
    "today": "immediately",
    "end_of_billing_period": "end_of_billing_period",
    "end_of_current_billing_period": "end_of_billing_period",
    "end_of_period": "end_of_billing_period",
    "end_of_last_invoice_period": "end_of_billing_period",
    "end_of_term": "end_of_term",
    "end_of_current_term": "end_of_term",
}
_BETWEEN_WORDS = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Effective:
    """The day, and what had to be done to the one that was wanted."""

    day: date
    warnings: tuple[str, ...] = ()

    @property
    def iso(self) -> str:
        """As Zuora takes it."""
        return self.day.isoformat()


def effective(
    step: Step[ZuoraOptions],
    subscription: Subscription,
    item: Mapping[str, Any] | None,
    default: Policy = "end_of_term",
) -> Effective:
    """The order's `effectiveDate`, else the rule of the item's offer, else `default`.

    A day outside the term moves to the nearest end of it, with a warning.
    """
    return taken(step, subscription, wanted(step, item) or default)


def wanted(step: Step[ZuoraOptions], item: Mapping[str, Any] | None) -> Policy | date | None:
    """What the order or the item's offer says, if they do: an order's own word wins."""
    said = _rule(text(step.order, "effectiveDate"), "effectiveDate", ErrorKind.PERMANENT)
    if said is not None:
        return said
    name = step.options.effective_date_attribute
    return _rule(text(offer_attributes(item or {}), name), f"the offer's {name}")


def taken(step: Step[ZuoraOptions], subscription: Subscription, rule: Policy | date) -> Effective:
    """The day that the rule means for the subscription."""
    if isinstance(rule, date):
        return _within_term(subscription, rule)
    return _by_policy(step, subscription, rule)


def _by_policy(step: Step[ZuoraOptions], subscription: Subscription, policy: Policy) -> Effective:
    today = today_of(step)
    if policy == "immediately":
        return _within_term(subscription, today)
    if policy == "end_of_term" and subscription.term_end is not None:
        return Effective(subscription.term_end)
    warnings: tuple[str, ...] = ()
    if policy == "end_of_term":
        words = "has no end of term, so the change takes effect at the end of its billing period"
        warnings = (f"the subscription {subscription.number} {words}",)
    # What was never billed has no period to wait for.
    found = _within_term(subscription, max(subscription.charged_through or today, today))
    return Effective(found.day, (*warnings, *found.warnings))


def _rule(
    said: str | None, place: str, kind: ErrorKind = ErrorKind.MISCONFIGURED
) -> Policy | date | None:
    if said is None:
        return None
    rule = day(said) or _POLICIES.get(_BETWEEN_WORDS.sub("_", said.lower()).strip("_"))
    if rule is None:
        known = "immediately, end of billing period, end of term, or a date such as 2026-03-01"
        raise unfit("effective_date", f"{place} {said!r} is none of {known}", kind)
    return rule


def _within_term(subscription: Subscription, asked: date) -> Effective:
    start, end = subscription.term_start, subscription.term_end
    moved = asked
    if end is not None and asked > end:
        moved = end
    elif start is not None and asked < start:
        moved = start
    if moved == asked:
        return Effective(asked)
    term = f"{start or '...'} to {end or '...'}"
    message = f"the effective date {asked} is outside the term ({term}) and was moved to {moved}"
    return Effective(moved, (message,))
