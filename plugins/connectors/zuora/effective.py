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
    def date(self) -> str:
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
    wanted = explicit_date(step) or _rule(step, item) or default
    if isinstance(wanted, date):
        return _within_term(subscription, wanted)
    return by_policy(step, subscription, wanted)


def explicit_date(step: Step[ZuoraOptions]) -> date | None:
    """The date that the order itself asks for."""
    given = text(step.order, "effectiveDate")
    found = day(given)
    if given is not None and found is None:
        message = f"effectiveDate {given!r} is no ISO date such as 2026-03-01"
        raise unfit("effective_date", message, ErrorKind.PERMANENT)
    return found


def by_policy(step: Step[ZuoraOptions], subscription: Subscription, policy: Policy) -> Effective:
    """The day that the policy means for the subscription."""
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


def _rule(step: Step[ZuoraOptions], item: Mapping[str, Any] | None) -> Policy | date | None:
    name = step.options.effective_date_attribute
    given = text(offer_attributes(item or {}), name)
    if given is None:
        return None
    found = day(given)
    if found is not None:
        return found
    policy = _POLICIES.get(_BETWEEN_WORDS.sub("_", given.lower()).strip("_"))
    if policy is None:
        known = "immediately, end of billing period, end of term or an ISO date"
        raise unfit("effective_rule", f"the offer's {name} {given!r} is none of {known}")
    return policy


def _within_term(subscription: Subscription, wanted: date) -> Effective:
    start, end = subscription.term_start, subscription.term_end
    moved = wanted
    if end is not None and wanted > end:
        moved = end
    elif start is not None and wanted < start:
        moved = start
    if moved == wanted:
        return Effective(wanted)
    term = f"{start or '...'} to {end or '...'}"
    message = f"the effective date {wanted} is outside the term ({term}) and was moved to {moved}"
    return Effective(moved, (message,))
