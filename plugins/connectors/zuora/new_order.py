"""New order: account, contacts, subscriptions, invoice and payment in one Zuora order."""

from collections.abc import Generator, Mapping, Sequence
from datetime import date
from typing import Any

from plugins.api import Conversation, Done, Failed, Outcome, Reply, Request, Step, Unknown
from plugins.connectors.zuora import change_address, discounts, gift
from plugins.connectors.zuora.account import (
    account_number,
    account_part,
    currency_of,
    existing_number,
)
from plugins.connectors.zuora.asking import found, not_in_force, path_of
from plugins.connectors.zuora.custom_fields import custom_fields, given, rate_plan_fields
from plugins.connectors.zuora.envelope import headers, refusal, unfit
from plugins.connectors.zuora.numbers import order_number, subscription_number
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.payment_methods import (
    Method,
    apm_fields,
    method_of,
    profile,
    taken_over,
)
from plugins.connectors.zuora.prices import subscribed
from plugins.connectors.zuora.rate_plans import Plans, RatePlan, resolved
from plugins.connectors.zuora.reference_fields import order_head
from plugins.connectors.zuora.terms import (
    has_term,
    needs_activation,
    start_of,
    terms_of,
)
from plugins.limio import items, part, parts, text
from plugins.zuora import triggers
from schemas.steps import ErrorKind

_Sold = tuple[Mapping[str, Any], tuple[RatePlan, ...]]


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """One order, with a look-up before it where something of the offer is not known.

    A gift that is bought has no subscription yet: it is billed by a debit memo.
    """
    if gift.is_bought(step):
        return (yield from gift.perform(step))
    body = yield from planned(step)
    existing = existing_number(step)
    if existing is not None:
        yield from taken_over(step, existing, _method(step))
        yield from _delivered(step, existing, body)
    reply = yield Request.post(
        "/v1/orders",
        body,
        call="create-order",
        query={"returnIds": "true"},
        headers=headers(step),
    )
    return refusal(reply) or _done(step, reply)


def _delivered(
    step: Step[ZuoraOptions], account: str, body: Mapping[str, Any]
) -> Generator[Request, Reply, None]:
    """Where the subscription has contacts of its own; the account's stay as they are."""
    addressed = part(step.order, "billingDetails") or part(step.order, "deliveryDetails")
    if step.options.contacts_per == "subscription" and addressed:
        ids = yield from change_address.new_contacts(step, account)
        for subscription in body["subscriptions"]:
            subscription["orderActions"][0]["createSubscription"] |= ids


def planned(step: Step[ZuoraOptions]) -> Generator[Request, Reply, dict[str, Any]]:
    """The order as it will be sent; nothing is changed."""
    _check(step)
    plans = yield from resolved(step, discounts.sold(step))
    return order_body(step, plans, _method(step))


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """By our order number. What is adopted must be ours: the account tells."""
    if gift.is_bought(step):
        return (yield from gift.look_up(step))
    reply = yield from found(step, path_of("orders", order_number(step)))
    if reply is None:
        return step.not_done()
    problem = _foreign(step, reply["order"])
    if problem is not None:
        return problem
    order = reply["order"]
    return Done(
        **_numbers(step, order, account_number(step)),
        **(yield from _adopted(step)),
    )


def order_body(step: Step[ZuoraOptions], plans: Plans, method: Method | None) -> dict[str, Any]:
    """The order, a pure function of the step: a repetition sends the same bytes."""
    account = account_part(step, method)
    currency = text(part(account, "newAccount"), "currency")
    sold = list(zip(discounts.sold(step), plans, strict=True))
    groups = discounts.together(sold, one_subscription=step.options.one_subscription)
    return given(
        **order_head(step),
        **account,
        subscriptions=[
            _subscription(step, offers, position, currency, method)
            for position, offers in enumerate(groups, start=1)
        ],
        processingOptions=_processing(step, method),
    )


def _check(step: Step[ZuoraOptions]) -> None:
    """What can be known to be wrong before anything is asked."""
    sold = items(step.order)
    if not sold:
        message = "the order has no orderItems for zuora; check `items` of the plugin's entry"
        raise unfit("items_missing", message, ErrorKind.PERMANENT)
    if not step.options.one_subscription:
        return
    recurring = [item for item in sold if has_term(item) and not discounts.is_discount(item)]
    terms = [terms_of(item, start_of(step, item)) for item in recurring]
    if any(one != terms[0] for one in terms):
        message = (
            "the offers differ in term, renewal or start date, so they cannot be one subscription; "
            "sell them in orders of their own, or switch oneSubscription off"
        )
        words = "These offers cannot be bought together. Please order them one by one."
        raise unfit("terms_differ", message, ErrorKind.PERMANENT, words)


def _method(step: Step[ZuoraOptions]) -> Method | None:
    """Who redeems a gift pays nothing."""
    return None if gift.is_redeemed(step) else method_of(step)


def _subscription(
    step: Step[ZuoraOptions],
    offers: Sequence[_Sold],
    position: int,
    account_currency: str | None,
    method: Method | None,
) -> dict[str, Any]:
    # One-off offers beside recurring ones take the term of those.
    lasting = (i for i, _ in offers if has_term(i) and not discounts.is_discount(i))
    leading = next(lasting, offers[0][0])
    start, options = start_of(step, leading), step.options
    currency = currency_of(step, leading)
    own_currency = account_currency is not None and currency != account_currency
    own_method = options.payment_profiles and existing_number(step) is not None
    redeemed = gift.is_redeemed(step)
    created = given(
        subscriptionNumber=subscription_number(step, position),
        terms=terms_of(leading, start, renews=not redeemed),
        subscribeToRatePlans=[
            given(**entry, customFields=rate_plan_fields(step, item))
            for item, plans in offers
            for entry in subscribed(step, item, plans, date.fromisoformat(start), free=redeemed)
        ],
        invoiceSeparately=options.invoice_separately,
        currency=currency if own_currency else None,
        # A new account has the method as its default.
        paymentProfile=profile(step, method) if method and own_method else None,
    )
    waits = any(needs_activation(step, item) for item, _ in offers)
    action = {
        "type": "CreateSubscription",
        "triggerDates": triggers(start)[:1] if waits else triggers(start),
        "createSubscription": created,
    }
    fields = {**apm_fields(step, method), **custom_fields(step, "subscription")}
    return given(customFields=fields, orderActions=[action])


def _processing(step: Step[ZuoraOptions], method: Method | None) -> dict[str, Any]:
    """A gift was billed when it was bought."""
    options = step.options
    starts = [start_of(step, item) for item in items(step.order)]
    today = str(step.order["effective_date"])
    billed = options.run_billing and not gift.is_redeemed(step)
    collects = options.collect_payment and method is not None
    billing = {"targetDate": max(today, *starts), "documentDate": today}
    paid_by = profile(step, method) if method and collects else None
    return given(
        runBilling=billed,
        collectPayment=True if collects else None,
        billingOptions=billing if billed else None,
        electronicPaymentOptions=paid_by,
    )


def _done(step: Step[ZuoraOptions], reply: Reply) -> Outcome:
    if reply["orderNumber"] != order_number(step):
        message = f"Zuora answered for the order {reply['orderNumber']!r}, not for ours"
        return Unknown("order_number", message)
    return Done(
        **_numbers(step, reply.body, str(reply["accountNumber"])),
        **given(
            accountId=text(reply.body, "accountId"),
            invoiceNumbers=reply.body.get("invoiceNumbers"),
            creditMemoNumbers=reply.body.get("creditMemoNumbers") or None,
            paymentNumber=text(reply.body, "paymentNumber"),
            paidAmount=text(reply.body, "paidAmount"),
            warnings=_unpaid(step, reply),
        ),
    )


def _unpaid(step: Step[ZuoraOptions], reply: Reply) -> list[str] | None:
    """Tenants differ in whether an order stands whose payment did not."""
    invoices = reply.body.get("invoiceNumbers")
    collects = step.options.collect_payment and _method(step) is not None
    if not collects or not invoices or text(reply.body, "paymentNumber") is not None:
        return None
    return [f"nothing was collected for {', '.join(map(str, invoices))}: see whether it is unpaid"]


def _numbers(step: Step[ZuoraOptions], order: Mapping[str, Any], account: str) -> dict[str, Any]:
    numbers = [str(one["subscriptionNumber"]) for one in parts(order, "subscriptions")]
    return given(
        accountNumber=account,
        orderNumber=str(order["orderNumber"]),
        status=text(order, "status"),
        subscriptionNumber=next(iter(numbers), None),
        subscriptionNumbers=numbers,
        effectiveDate=min(
            (start_of(step, item) for item in items(step.order)),
            default=str(step.order["effective_date"]),
        ),
    )


def _foreign(step: Step[ZuoraOptions], order: Mapping[str, Any]) -> Failed | None:
    number, holder = order_number(step), text(order, "existingAccountNumber")
    if holder != account_number(step):
        message = f"the Zuora order {number} belongs to the account {holder}, not to this order"
        return Failed(ErrorKind.PERMANENT, "order_number_taken", message)
    return not_in_force(step, order)


def _adopted(step: Step[ZuoraOptions]) -> Generator[Request, Reply, dict[str, Any]]:
    """What the order itself does not tell. All that a new account has is this order's."""
    if existing_number(step) is not None:
        return {}
    reply = yield from found(step, path_of("accounts", account_number(step), "summary"))
    if reply is None:
        return {}
    payments = _texts(reply.body, "payments", "paymentNumber")
    return given(
        accountId=text(reply.body, "basicInfo", "id"),
        invoiceNumbers=_texts(reply.body, "invoices", "invoiceNumber"),
        paymentNumber=next(iter(payments), None),
    )


def _texts(body: Any, members: str, name: str) -> list[str]:
    return [value for one in parts(body, members) if (value := text(one, name))]
