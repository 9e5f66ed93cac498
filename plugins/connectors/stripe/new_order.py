"""New order: customer, prices and one subscription, paid as the checkout settled it."""

from collections.abc import Generator, Mapping
from datetime import date
from typing import Any
from urllib.parse import quote

from plugins.api import Conversation, Done, Outcome, Reply, Request, Step
from plugins.connectors.stripe.customer import customer, known_customer, with_email
from plugins.connectors.stripe.options import StripeOptions
from plugins.connectors.stripe.prices import Price, price_ids, prices_of, span_of
from plugins.connectors.stripe.talking import (
    errors,
    get,
    id_of,
    post,
    record_of,
    timestamp,
    unfit,
)
from plugins.journeys import StoppedError
from plugins.limio import day, flag, items, number, offer_attributes, part, parts, text

_OPEN = frozenset({"draft", "open"})


def perform(step: Step[StripeOptions]) -> Conversation:
    """Up to the payment; what is there already is found again, not made twice."""
    prices = prices_of(step)
    _checked_payment(step, prices)
    holder = yield from customer(step)
    method, intent = _method(step), _intent(step)
    if method and not intent:
        path = f"/v1/payment_methods/{quote(method, safe='')}/attach"
        attached = yield post(step, path, {"customer": holder}, call="attach-payment-method")
        id_of(attached)
    ids = yield from price_ids(step, prices)
    body = _subscription(step, holder, prices, ids)
    made = yield from _sold(step, body)
    invoice = text(made, "latest_invoice", "id")
    if intent and invoice:
        path = f"/v1/invoices/{quote(invoice, safe='')}/attach_payment"
        settled = yield post(step, path, {"payment_intent": intent}, call="attach-payment")
        id_of(settled)
        if text(settled.body, "status") == "paid":
            made["status"] = "active"
    return _done(step, made)


def _sold(
    step: Step[StripeOptions], body: dict[str, Any]
) -> Generator[Request, Reply, dict[str, Any]]:
    """The subscription. Only Stripe can tell whether a trial's end has gone by already."""
    path, refused = "/v1/subscriptions", frozenset({400})
    reply = yield post(step, path, body, call="create-subscription", accept=refused)
    if text(reply.body, "error", "param") == "trial_end":
        at_once = {name: value for name, value in body.items() if name != "trial_end"}
        reply = yield post(step, path, at_once, call="create-subscription-at-once", accept=refused)
    problem = None if reply.ok else errors(reply)
    if problem is not None:
        raise StoppedError(problem)
    return record_of(reply)


def look_up(step: Step[StripeOptions]) -> Conversation:
    """By the order's id, which its subscription carries, among all that the buyer has."""
    known = known_customer(step)
    found: list[str | None] = [known]
    if known is None:
        found = [text(one, "id") for one in (yield from with_email(step))]
    for holder in found:
        subscription = yield from _made(step, holder)
        if subscription is not None:
            return _done(step, subscription, found_again=True)
    return step.not_done()


def _made(
    step: Step[StripeOptions], holder: str | None
) -> Generator[Request, Reply, Mapping[str, Any] | None]:
    query = {
        "customer": holder,
        "status": "all",
        "limit": 100,
        "expand": ["data.latest_invoice"],
    }
    reply = yield get(step, "/v1/subscriptions", query)
    mine = (
        one
        for one in parts({"data": reply["data"]}, "data")
        if text(one, "metadata", "order_id") == str(step.order["id"])
    )
    return next(mine, None)


def _subscription(
    step: Step[StripeOptions], holder: str, prices: list[Price], ids: Mapping[str, str]
) -> dict[str, Any]:
    return {
        "customer": holder,
        "items": _entries([price for price in prices if price.every], ids),
        "add_invoice_items": _entries([price for price in prices if not price.every], ids),
        **_paid_by(step),
        **_times(step, prices),
        "metadata": {
            **{name: str(value) for name, value in step.mapped.items() if name != "customerId"},
            "order_id": step.order["id"],
            "order_reference": text(step.order, "order_reference"),
            "subscription_reference": text(step.order, "subscriptionReference"),
            "owner": text(step.order, "owner"),
        },
        "expand": ["latest_invoice"],
    }


def _entries(prices: list[Price], ids: Mapping[str, str]) -> list[dict[str, Any]]:
    """Stripe takes each price once, with a quantity."""
    keys = dict.fromkeys(price.lookup_key for price in prices)
    counted = {key: sum(one.quantity for one in prices if one.lookup_key == key) for key in keys}
    return [{"price": ids[key], "quantity": quantity} for key, quantity in counted.items()]


def _paid_by(step: Step[StripeOptions]) -> dict[str, Any]:
    """Never by a card that the customer happens to have: an address is no proof of who buys."""
    if _intent(step):
        return {"payment_behavior": "default_incomplete"}
    method = _method(step)
    if method:
        # A declined card leaves no subscription behind.
        return {"default_payment_method": method, "payment_behavior": "error_if_incomplete"}
    if _by_invoice(step):
        due = step.options.days_until_due
        return {"collection_method": "send_invoice", "days_until_due": due}
    return {}


def _times(step: Step[StripeOptions], prices: list[Price]) -> dict[str, Any]:
    """What begins later is free until then; what does not renew ends with its term."""
    item = next(iter(items(step.order)), {})
    given = text(item, "startDate")
    start = day(given or text(step.order, "effective_date"))
    if start is None:
        raise unfit("start_date", f"orderItems[].startDate {given!r} is no ISO date")
    delay = next((price.delay for price in prices if price.every and price.delay), None)
    ordered = day(text(step.order, "orderDate"))
    later = delay is not None or (given is not None and (ordered is None or start > ordered))
    begins = delay.after(start) if delay else start
    times: dict[str, Any] = {"trial_end": timestamp(begins)} if later else {}
    ends = _ends(item, start)
    return {**times, **({"cancel_at": timestamp(ends)} if ends else {})}


def _ends(item: Mapping[str, Any], start: date) -> date | None:
    attributes = offer_attributes(item)
    term = part(attributes, "term__limio")
    if not term or flag(attributes.get("autoRenew__limio")):
        return None
    return span_of(number(term.get("length")), text(term, "type"), "term__limio").after(start)


def _checked_payment(step: Step[StripeOptions], prices: list[Price]) -> None:
    free = all(price.amount == 0 for price in prices)
    if not (free or _method(step) or _intent(step) or _by_invoice(step)):
        message = (
            "nothing says how the order is paid; send payment.stripe.paymentMethodId or "
            "payment.stripe.paymentIntentId, or payment.type invoice"
        )
        raise unfit("payment_missing", message)


def _method(step: Step[StripeOptions]) -> str | None:
    return text(step.order, "payment", "stripe", "paymentMethodId")


def _intent(step: Step[StripeOptions]) -> str | None:
    """A payment that the buyer made in the checkout already."""
    return text(step.order, "payment", "stripe", "paymentIntentId")


def _by_invoice(step: Step[StripeOptions]) -> bool:
    return text(step.order, "payment", "type") == "invoice"


def _done(
    step: Step[StripeOptions], subscription: Mapping[str, Any], *, found_again: bool = False
) -> Outcome:
    invoice = part(subscription, "latest_invoice")
    output: dict[str, Any] = {
        "customerId": text(subscription, "customer"),
        "subscriptionId": text(subscription, "id"),
        "status": text(subscription, "status"),
        "invoiceId": text(invoice, "id"),
        "invoiceNumbers": [text(invoice, "number")] if text(invoice, "number") else None,
        "effectiveDate": text(step.order, "effective_date"),
    }
    intent = _intent(step)
    if found_again and intent and text(invoice, "status") in _OPEN:
        said = f"attach the buyer's payment to the invoice {text(invoice, 'id')} in Stripe"
        output["follow_up"] = {"code": "payment_not_attached", "message": said}
    return Done(**{name: value for name, value in output.items() if value})
