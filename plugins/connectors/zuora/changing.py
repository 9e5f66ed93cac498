"""One Zuora order on an existing subscription: put together, sent once, found again in doubt."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

from plugins.api import Conversation, Done, Failed, Outcome, Reply, Request, Step, Unknown
from plugins.connectors.zuora.asking import found, not_in_force, path_of
from plugins.connectors.zuora.custom_fields import custom_fields, given
from plugins.connectors.zuora.effective import Effective
from plugins.connectors.zuora.envelope import errors, headers, refusal
from plugins.connectors.zuora.numbers import order_number
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.payment_methods import Method, profile
from plugins.connectors.zuora.reference_fields import change_reason, notes, order_head
from plugins.connectors.zuora.subscription import (
    OvertakenError,
    Subscription,
    read,
    subscription_of,
    today_of,
)
from plugins.limio import day, parts, text
from plugins.zuora import triggers
from schemas.steps import ErrorKind

CREATE = "create-order"
_REFUSED = frozenset({400, 404, 422})


@dataclass(frozen=True, slots=True)
class Change:
    """What one order does to the subscription. `output` is handed on beside Zuora's numbers.

    `refused` puts back what was done for the order, where Zuora does not take it.
    """

    actions: Sequence[Mapping[str, Any]]
    effective: Effective
    processing: Mapping[str, Any] = field(default_factory=dict)
    fields: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    output: Mapping[str, Any] = field(default_factory=dict)
    refused: Callable[[Failed], Conversation] | None = None


Planned: TypeAlias = Callable[[Step[ZuoraOptions], Subscription], Generator[Request, Reply, Change]]
"""Makes the change from what Zuora says of the subscription; asks, but changes nothing."""
Prepared: TypeAlias = Callable[
    [Step[ZuoraOptions], Subscription, Change], Generator[Request, Reply, Change]
]
"""What has to be done in Zuora before the order; gives the change that is then sent."""
Again: TypeAlias = Callable[[Step[ZuoraOptions]], Conversation]
"""Finds the order that an earlier attempt made."""


def action(
    step: Step[ZuoraOptions], kind: str, on: str, **member: Mapping[str, Any]
) -> dict[str, Any]:
    """An order action that counts from the day `on`."""
    return given(type=kind, changeReason=change_reason(step), triggerDates=triggers(on), **member)


def carried_out(
    step: Step[ZuoraOptions],
    planned: Planned,
    prepared: Prepared | None = None,
    again: Again | None = None,
) -> Conversation:
    """Read the subscription, plan the change, send the order.

    A repeated step may meet its own doing: then the order is found, not made again.
    """
    found_again = again or adopted
    subscription = yield from read(step)
    if subscription.order_number == order_number(step):
        return (yield from found_again(step))
    try:
        change = yield from planned(step, subscription)
    except OvertakenError as overtaken:
        earlier = yield from found_again(step)
        return earlier if isinstance(earlier, Done) else overtaken.outcome
    if prepared is not None:
        change = yield from prepared(step, subscription, change)
    return (yield from sent(step, subscription, change))


def sent(step: Step[ZuoraOptions], subscription: Subscription, change: Change) -> Conversation:
    """The one request that changes the subscription."""
    reply = yield Request.post(
        "/v1/orders",
        order_body(step, subscription, change),
        call=CREATE,
        query={"returnIds": "true"},
        headers=headers(step),
        accept=_REFUSED if change.refused else frozenset(),
    )
    outcome = refusal(reply) or (done(step, reply, change) if reply.ok else _problem(reply))
    if change.refused is not None and isinstance(outcome, Failed):
        return (yield from change.refused(outcome))
    return outcome


def order_body(
    step: Step[ZuoraOptions], subscription: Subscription, change: Change
) -> dict[str, Any]:
    """The order, a pure function of the step and of the subscription's version."""
    return given(
        **order_head(step),
        existingAccountNumber=subscription.account_number,
        subscriptions=[
            given(
                subscriptionNumber=subscription.number,
                notes=notes(step),
                customFields={**custom_fields(step, "subscription"), **change.fields},
                orderActions=list(change.actions),
            )
        ],
        processingOptions=dict(change.processing),
    )


def billing(
    step: Step[ZuoraOptions], effective: Effective, method: Method | None = None
) -> dict[str, Any]:
    """Bill what counts already; what counts later is left to the bill run of its day.

    With a `method` it is collected as well, where the option says so.
    """
    options, today = step.options, today_of(step)
    if not options.run_billing or effective.day > today:
        return {"runBilling": False}
    return billed(step, today, method)


def billed(step: Step[ZuoraOptions], target: date, method: Method | None = None) -> dict[str, Any]:
    """Bill up to the day `target`, and settle it with open credit first."""
    options = step.options
    collects = options.collect_payment and method is not None
    credit = ["CreditMemo", "UnappliedPayment"] if options.apply_credit else None
    documented = str(step.order["effective_date"])
    return given(
        runBilling=True,
        collectPayment=True if collects else None,
        applyCredit=True if credit else None,
        applicationOrder=credit,
        billingOptions={"targetDate": target.isoformat(), "documentDate": documented},
        electronicPaymentOptions=profile(step, method) if method and collects else None,
    )


def done(step: Step[ZuoraOptions], reply: Reply, change: Change) -> Outcome:
    """What the order came to, for later steps."""
    if reply["orderNumber"] != order_number(step):
        message = f"Zuora answered for the order {reply['orderNumber']!r}, not for ours"
        return Unknown("order_number", message)
    warnings = [*change.warnings, *change.effective.warnings]
    refund = next(iter(parts(reply.body, "refunds")), None)
    return Done(
        **_numbers(step, reply.body, str(reply["accountNumber"])),
        **given(
            accountId=text(reply.body, "accountId"),
            invoiceNumbers=_list(reply, "invoiceNumbers"),
            creditMemoNumbers=_list(reply, "creditMemoNumbers"),
            paymentNumber=text(reply.body, "paymentNumber"),
            paidAmount=text(reply.body, "paidAmount"),
            refundNumber=text(refund, "number"),
            refundStatus=text(refund, "status"),
            effectiveDate=change.effective.iso,
            warnings=warnings or None,
        ),
        **change.output,
    )


def adopted(step: Step[ZuoraOptions]) -> Conversation:
    """Look for the order by our number. It must be for our subscription, and in force."""
    reply = yield from found(step, path_of("orders", order_number(step)))
    if reply is None:
        return step.not_done()
    problem = _foreign(step, reply["order"])
    if problem is not None:
        return problem
    order = reply["order"]
    return Done(
        **_numbers(step, order, text(order, "existingAccountNumber")),
        **given(effectiveDate=_counts_from(order)),
    )


def _problem(reply: Reply) -> Failed | Unknown:
    code, message = f"http_{reply.status}", f"Zuora answered {reply.status}"
    return errors(reply) or Failed(ErrorKind.PERMANENT, code, message)


def _numbers(
    step: Step[ZuoraOptions], order: Mapping[str, Any], account: str | None
) -> dict[str, Any]:
    named = [text(one, "subscriptionNumber") for one in parts(order, "subscriptions")]
    numbers = [number for number in named if number] or [subscription_of(step)]
    return given(
        accountNumber=account,
        orderNumber=str(order["orderNumber"]),
        status=text(order, "status"),
        subscriptionNumber=numbers[0],
        subscriptionNumbers=numbers,
    )


def _foreign(step: Step[ZuoraOptions], order: Mapping[str, Any]) -> Failed | None:
    number, wanted = order_number(step), subscription_of(step)
    held = [text(one, "subscriptionNumber") for one in parts(order, "subscriptions")]
    if wanted not in held:
        whose = ", ".join(str(one) for one in held) or "no subscription"
        message = f"the Zuora order {number} is for {whose}, not for {wanted}"
        return Failed(ErrorKind.PERMANENT, "order_number_taken", message)
    return not_in_force(step, order)


def _counts_from(order: Mapping[str, Any]) -> str | None:
    """The first day that one of its actions counts from."""
    begins = [
        day(text(at, "triggerDate"))
        for one in parts(order, "subscriptions")
        for act in parts(one, "orderActions")
        for at in parts(act, "triggerDates")
        if text(at, "name") == "ContractEffective"
    ]
    days = [at for at in begins if at is not None]
    return min(days).isoformat() if days else None


def _list(reply: Reply, name: str) -> list[str] | None:
    named = reply.body.get(name)
    return [str(one) for one in named] if isinstance(named, list) and named else None
