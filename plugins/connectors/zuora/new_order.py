"""New order: account, contacts, subscriptions, invoice and payment in one Zuora order."""

from collections.abc import Generator, Mapping
from datetime import date
from typing import Any
from urllib.parse import quote

from plugins.api import Conversation, Done, Failed, Outcome, Reply, Request, Step, Unknown
from plugins.connectors.zuora.account import (
    account_number,
    account_part,
    currency_of,
    existing_number,
    payment_method,
)
from plugins.connectors.zuora.custom_fields import (
    custom_fields,
    given,
    order_fields,
    rate_plan_fields,
)
from plugins.connectors.zuora.envelope import headers, not_found, refusal, unfit
from plugins.connectors.zuora.numbers import order_number, subscription_number
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.connectors.zuora.prices import subscribed
from plugins.connectors.zuora.rate_plans import Plans, RatePlan, resolved
from plugins.connectors.zuora.terms import start_of, terms_of, triggers
from plugins.limio import items, part, parts, text
from schemas.steps import ErrorKind

_IN_FORCE = frozenset({"Completed", "Pending", "Draft", "Scheduled", "Executing"})


def perform(step: Step[ZuoraOptions]) -> Conversation:
    """One order, with a look-up before it where an offer knows its rate plan by name only."""
    plans = yield from resolved(step)
    reply = yield Request.post(
        "/v1/orders",
        order_body(step, plans),
        call="create-order",
        query={"returnIds": "true"},
        headers=headers(step),
    )
    return refusal(reply) or _done(step, reply)


def look_up(step: Step[ZuoraOptions]) -> Conversation:
    """By our order number. What is adopted must be ours: the account tells."""
    reply = yield _get(step, f"/v1/orders/{quote(order_number(step), safe='')}")
    if not_found(reply):
        return step.not_done()
    problem = refusal(reply) or _foreign(step, reply["order"])
    if problem is not None:
        return problem
    order = reply["order"]
    return Done(
        **_numbers(order, account_number(step)),
        **(yield from _adopted(step)),
    )


def order_body(step: Step[ZuoraOptions], plans: Plans) -> dict[str, Any]:
    """The order, a pure function of the step: a repetition sends the same bytes."""
    found = items(step.order)
    if not found:
        message = "the order has no orderItems for zuora; check `items` of the plugin's entry"
        raise unfit("items_missing", message, ErrorKind.PERMANENT)
    account = account_part(step)
    currency = text(part(account, "newAccount"), "currency")
    return given(
        orderDate=str(step.order["effective_date"]),
        orderNumber=order_number(step),
        customFields=order_fields(step),
        **account,
        subscriptions=[
            _subscription(step, item, number, plans[number - 1], currency)
            for number, item in enumerate(found, start=1)
        ],
        processingOptions=_processing(step),
    )


def _subscription(
    step: Step[ZuoraOptions],
    item: Mapping[str, Any],
    position: int,
    plans: tuple[RatePlan, ...],
    account_currency: str | None,
) -> dict[str, Any]:
    start, options, method = start_of(step, item), step.options, payment_method(step.order)
    currency = currency_of(step, item)
    own_currency = account_currency is not None and currency != account_currency
    fields = rate_plan_fields(step, item)
    created = given(
        subscriptionNumber=subscription_number(step, position),
        terms=terms_of(item, start),
        subscribeToRatePlans=[
            given(**entry, customFields=fields)
            for entry in subscribed(step, item, plans, date.fromisoformat(start))
        ],
        invoiceSeparately=options.invoice_separately,
        currency=currency if own_currency else None,
        # A new account has the method as its default.
        paymentProfile=given(paymentMethodId=method) if existing_number(step) else None,
    )
    action = {
        "type": "CreateSubscription",
        "triggerDates": triggers(start),
        "createSubscription": created,
    }
    return given(customFields=_subscription_fields(step, method), orderActions=[action])


def _subscription_fields(step: Step[ZuoraOptions], method: str | None) -> dict[str, Any]:
    """The Advanced Payment Manager reads the method from the subscription."""
    gateway = step.options.payment_gateway
    apm = {"PaymentMethodId__c": method, "PaymentGateway__c": gateway if method else None}
    return {**(given(**apm) if step.options.apm else {}), **custom_fields(step, "subscription")}


def _processing(step: Step[ZuoraOptions]) -> dict[str, Any]:
    options, method = step.options, payment_method(step.order)
    starts = [start_of(step, item) for item in items(step.order)]
    today = str(step.order["effective_date"])
    billing = {"targetDate": max(today, *starts), "documentDate": today}
    collect = options.collect_payment and method is not None
    return given(
        runBilling=options.run_billing,
        collectPayment=collect,
        billingOptions=billing if options.run_billing else None,
        electronicPaymentOptions={"paymentMethodId": method} if collect else None,
    )


def _done(step: Step[ZuoraOptions], reply: Reply) -> Outcome:
    if reply["orderNumber"] != order_number(step):
        message = f"Zuora answered for the order {reply['orderNumber']!r}, not for ours"
        return Unknown("order_number", message)
    return Done(
        **_numbers(reply.body, str(reply["accountNumber"])),
        **given(
            accountId=text(reply.body, "accountId"),
            invoiceNumbers=reply.body.get("invoiceNumbers"),
            paymentNumber=text(reply.body, "paymentNumber"),
        ),
    )


def _numbers(order: Mapping[str, Any], account: str) -> dict[str, Any]:
    numbers = [str(one["subscriptionNumber"]) for one in parts(order, "subscriptions")]
    return given(
        accountNumber=account,
        orderNumber=str(order["orderNumber"]),
        status=text(order, "status"),
        subscriptionNumber=next(iter(numbers), None),
        subscriptionNumbers=numbers,
    )


def _foreign(step: Step[ZuoraOptions], order: Mapping[str, Any]) -> Failed | None:
    number, holder = order_number(step), text(order, "existingAccountNumber")
    if holder != account_number(step):
        message = f"the Zuora order {number} belongs to the account {holder}, not to this order"
        return Failed(ErrorKind.PERMANENT, "order_number_taken", message)
    status = text(order, "status")
    if status not in _IN_FORCE:
        message = f"the Zuora order {number} is {status}: settle it there, then resolve the step"
        return Failed(ErrorKind.PERMANENT, "order_not_in_force", message)
    return None


def _adopted(step: Step[ZuoraOptions]) -> Generator[Request, Reply, dict[str, Any]]:
    """What the order itself does not tell. All that a new account has is this order's."""
    if existing_number(step) is not None:
        return {}
    account = quote(account_number(step), safe="")
    found = yield _get(step, f"/v1/accounts/{account}/summary")
    if not_found(found) or refusal(found) is not None:
        return {}
    payments = _texts(found.body, "payments", "paymentNumber")
    return given(
        accountId=text(found.body, "basicInfo", "id"),
        invoiceNumbers=_texts(found.body, "invoices", "invoiceNumber"),
        paymentNumber=next(iter(payments), None),
    )


def _texts(body: Any, members: str, name: str) -> list[str]:
    return [found for one in parts(body, members) if (found := text(one, name))]


def _get(step: Step[ZuoraOptions], path: str) -> Request:
    return Request("GET", path, headers=headers(step), accept=frozenset({404}))
