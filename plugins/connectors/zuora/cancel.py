"""Cancel: at the end of the term or of what was billed, now or on a day, and give money back."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Final

from plugins.api import Conversation, Done, Reply, Request, Step
from plugins.connectors.zuora.amounts import amount_of, json_amount, text_amount
from plugins.connectors.zuora.asking import found
from plugins.connectors.zuora.changing import Change, action, adopted, carried_out
from plugins.connectors.zuora.custom_fields import given
from plugins.connectors.zuora.effective import Effective, Policy, taken, wanted
from plugins.connectors.zuora.envelope import unfit
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.previewing import balance_of, foretold, previewed
from plugins.connectors.zuora.reference_fields import reason_fields
from plugins.connectors.zuora.subscription import (
    Subscription,
    overtaken,
    read,
    require_active,
    today_of,
)
from plugins.limio import parts, text
from schemas.steps import ErrorKind

_MAY_REFUND = "order:update_refund"
_PROCESSED = "Processed"
_FATES = {"Success": "processed", _PROCESSED: "processed", "Processing": "processing"}
_GIVEN_BACK = frozenset(_FATES.values())
_POLICIES: Final[Mapping[str, Policy]] = {
    "EndOfCurrentTerm": "end_of_term",
    "EndOfLastInvoicePeriod": "end_of_billing_period",
    "Immediately": "immediately",
}


@dataclass(frozen=True, slots=True)
class _End:
    """The subscription's last day but one, in Zuora's terms."""

    policy: str
    at: Effective

    @property
    def member(self) -> dict[str, str]:
        """The action's own member."""
        day = {"cancellationEffectiveDate": self.at.iso} if self.policy == "SpecificDate" else {}
        return {"cancellationPolicy": self.policy, **day}


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """One order. Who may not refund is told before anything is asked."""
    _require_permission(step)
    outcome = yield from carried_out(step, planned, again=look_up)
    return _refund_told(outcome) if isinstance(outcome, Done) else outcome


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """By our order number; a refund that it may have asked for is looked for, too."""
    outcome = yield from adopted(step)
    if not isinstance(outcome, Done):
        return outcome
    subscription = yield from read(step)
    ends = subscription.cancelled_from or subscription.scheduled_cancel or subscription.end
    day = given(effectiveDate=ends and ends.isoformat())
    refund = (yield from _refund_found(step, subscription)) if _gives_back(step) else {}
    return Done(**{**outcome.output, **day, **refund})


def preview(step: Step[ZuoraOptions]) -> Conversation:
    """What would be given back, and the day of the end."""
    _require_permission(step)
    return (yield from foretold(step, planned))


def planned(
    step: Step[ZuoraOptions], subscription: Subscription
) -> Generator[Request, Reply, Change]:
    """The cancellation; with a refund only where the preview leaves money to give back."""
    require_active(step, subscription)
    _require_no_other(step, subscription)
    end, today = _end(step, subscription), today_of(step)
    begun = max(today, subscription.term_start or today)
    counts = min(begun, end.at.day).isoformat()
    plain = Change(
        actions=[action(step, "CancelSubscription", counts, cancelSubscription=end.member)],
        effective=end.at,
        processing=_billing(step, end.at),
        fields=reason_fields(step),
    )
    if not _gives_back(step):
        return plain
    result = yield from previewed(step, subscription, plain, max(end.at.day, today))
    surplus, currency = -balance_of(result), subscription.currency or ""
    if surplus <= 0:
        return plain
    return replace(
        plain,
        processing=_refunding(step, end.at, surplus, currency),
        output={"amount": text_amount(surplus, currency), "currency": currency},
    )


def _end(step: Step[ZuoraOptions], subscription: Subscription) -> _End:
    rule = _rule(step)
    at = taken(step, subscription, rule)
    if rule == "end_of_term" and subscription.term_end is not None:
        return _End("EndOfCurrentTerm", at)
    if rule in ("end_of_term", "end_of_billing_period"):
        return _End("EndOfLastInvoicePeriod", at)
    return _End("SpecificDate", at)


def _rule(step: Step[ZuoraOptions]) -> Policy | date:
    return wanted(step, None) or _POLICIES[step.options.cancellation_policy]


def _gives_back(step: Step[ZuoraOptions]) -> bool:
    """At the end of what is paid there is nothing to give back."""
    ends_early = _rule(step) not in ("end_of_term", "end_of_billing_period")
    return step.options.refund_on_cancel and ends_early


def _billing(step: Step[ZuoraOptions], at: Effective) -> dict[str, Any]:
    """Zuora itself gives credit for what was paid beyond the end, when it bills up to it."""
    if not step.options.run_billing or at.day > today_of(step):
        return {"runBilling": False}
    return {"runBilling": True, "billingOptions": _up_to(step, at)}


def _refunding(
    step: Step[ZuoraOptions], at: Effective, surplus: Decimal, currency: str
) -> dict[str, Any]:
    return given(
        runBilling=True,
        refund=True,
        refundAmount=json_amount(surplus, currency),
        refundReasonCode=step.options.refund_reason_code,
        billingOptions=_up_to(step, at),
    )


def _up_to(step: Step[ZuoraOptions], at: Effective) -> dict[str, Any]:
    return given(
        targetDate=max(at.day, today_of(step)).isoformat(),
        documentDate=str(step.order["effective_date"]),
        creditMemoReasonCode=step.options.credit_memo_reason_code,
    )


def _require_permission(step: Step[ZuoraOptions]) -> None:
    allowed = step.order.get("permissions")
    if not _gives_back(step) or (isinstance(allowed, list) and _MAY_REFUND in allowed):
        return
    message = (
        f"the cancellation would refund (refundOnCancel), but the caller lacks {_MAY_REFUND}; "
        "send it in `permissions`, or cancel at the end of the term"
    )
    words = "You may not cancel this subscription with a refund. Please contact customer service."
    raise unfit("refund_not_permitted", message, ErrorKind.PERMANENT, words)


def _require_no_other(step: Step[ZuoraOptions], subscription: Subscription) -> None:
    end = subscription.pending_cancel(today_of(step))
    if end is not None:
        message = f"the subscription {subscription.number} is cancelled already, as of {end}"
        words = f"This subscription is already cancelled and ends on {end}."
        raise overtaken("subscription_cancelled", message, words)


def _refund_told(done: Done) -> Done:
    """A refund that fails inside a good answer is a failed refund, not a failed cancellation."""
    output = done.output
    if "amount" not in output or "refund" in output:
        return done
    status = text(output, "refundStatus")
    fate = _FATES.get(status or "", "failed" if status else "not_possible")
    left = None if fate in _GIVEN_BACK else _left_over(output, fate)
    # An order calls Success what the refund itself calls Processed.
    named = _PROCESSED if fate == "processed" else status
    return Done(**{**output, **given(refundStatus=named, refund=fate, follow_up=left)})


def _left_over(output: Mapping[str, Any], fate: str) -> dict[str, str]:
    said = "refused" if fate == "failed" else "did not make"
    message = (
        f"the subscription is cancelled, but Zuora {said} the refund of {output['amount']} "
        f"{output['currency']}; the credit is open on the account {output.get('accountNumber')}"
    )
    return {"code": f"refund_{fate}", "message": message}


def _refund_found(
    step: Step[ZuoraOptions], subscription: Subscription
) -> Generator[Request, Reply, dict[str, Any]]:
    """The account's refunds since the order; more than one could be another's."""
    query = {"accountId": subscription.account_id or "", "pageSize": "40"}
    reply = yield from found(step, "/v1/refunds", query)
    on = str(step.order["effective_date"])
    refunds = parts(reply and reply.body, "refunds")
    since = [one for one in refunds if (text(one, "refundDate") or on) >= on]
    if len(since) != 1:
        message = (
            f"the subscription {subscription.number} is cancelled; check its account "
            f"{subscription.account_number} for the refund, of which Zuora did not tell"
        )
        return {"follow_up": {"code": "refund_unconfirmed", "message": message}}
    [refund] = since
    currency, status = subscription.currency or "", text(refund, "status")
    output = {
        "accountNumber": subscription.account_number,
        "refundNumber": text(refund, "number"),
        "refundStatus": status,
        "amount": text_amount(amount_of(refund.get("amount")), currency),
        "currency": currency,
    }
    told = _refund_told(Done(**given(**output))).output
    return {name: value for name, value in told.items() if name != "accountNumber"}
