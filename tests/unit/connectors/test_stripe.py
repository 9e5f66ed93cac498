"""New orders in Stripe: customer, prices, one subscription, and how it is paid."""

from datetime import UTC, datetime

import pytest

from plugins.api import Done, Failed, Reply, Step
from plugins.connectors.stripe import StripeOptions, stripe
from plugins.connectors.stripe.prices import prices_of
from schemas.steps import ErrorKind

PAID = {"payment": {"type": "stripe", "stripe": {"paymentMethodId": "pm_1"}}, "total": {}}
NONE = Reply(200, {"data": []})
CUSTOMER = Reply(200, {"id": "cus_1"})
HELD = {
    "id": "sub_1",
    "customer": "cus_1",
    "status": "active",
    "metadata": {"order_id": "order-1"},
    "latest_invoice": {"id": "in_1", "number": "WB-1", "status": "open"},
}
MADE = Reply(200, HELD)


def step(order, mapped=None, **given):
    options = StripeOptions.model_validate(given)
    return Step(id="stripe", order=order, options=options, mapped=mapped or {})


@pytest.fixture
def paid(order):
    def make(**changes):
        document = order(changes={**PAID, **changes})
        document["orderItems"][0]["startDate"] = None
        return document

    return make


def prices(at):
    listed = [
        {"id": f"price_{place}", "lookup_key": price.lookup_key}
        for place, price in enumerate(prices_of(at), start=1)
    ]
    return Reply(200, {"data": listed})


def conversation(talk, at, customers=NONE, found=None, end=(MADE,)):
    replies = [customers, CUSTOMER, Reply(200, {"id": "pm_1"}), found or prices(at), *end]
    asked, outcome = talk(stripe.perform(at), *replies)
    return {request.call or request.path: request for request in asked}, outcome


def at_midnight(*day):
    return str(int(datetime(*day, tzinfo=UTC).timestamp()))


def test_a_new_buyer_gets_a_customer_and_a_subscription(talk, paid):
    asked, outcome = conversation(talk, step(paid()))
    assert list(asked) == [
        "/v1/customers",
        "create-customer",
        "attach-payment-method",
        "/v1/prices",
        "create-subscription",
    ]
    assert all(request.headers == {"Stripe-Version": "2024-06-20"} for request in asked.values())
    assert asked["create-customer"].form
    body = asked["create-customer"].body
    assert body["name"] == "Maren Tidewell"
    assert body["address[line1]"] == "12 Lantern Row"
    assert body["shipping[address][line1]"] == "The Boathouse"
    assert body["metadata[owner]"] == "id-41"
    assert outcome == Done(
        customerId="cus_1",
        subscriptionId="sub_1",
        status="active",
        invoiceId="in_1",
        invoiceNumbers=["WB-1"],
        effectiveDate="2026-11-20",
    )


def test_the_subscription_is_paid_with_the_orders_method_or_not_made(talk, paid):
    asked, _ = conversation(talk, step(paid()))
    assert asked["attach-payment-method"].body == {"customer": "cus_1"}
    body = asked["create-subscription"].body
    assert body["default_payment_method"] == "pm_1"
    assert body["payment_behavior"] == "error_if_incomplete"
    assert body["items[0][price]"] == "price_1"
    assert body["items[0][quantity]"] == "1"
    assert body["metadata[order_id]"] == "order-1"
    assert body["metadata[subscription_reference]"] == "SUBK3V7Q2WXA"
    assert "trial_end" not in body
    assert "cancel_at" not in body


def test_who_is_known_by_e_mail_is_updated_the_owners_own_first(talk, paid):
    listed = [{"id": "cus_0", "metadata": {}}, {"id": "cus_9", "metadata": {"owner": "id-41"}}]
    asked, _ = conversation(talk, step(paid()), customers=Reply(200, {"data": listed}))
    assert asked["update-customer"].path == "/v1/customers/cus_9"


def test_matching_can_be_left_out(talk, paid):
    at = step(paid(), matchByEmail=False)
    replies = [CUSTOMER, Reply(200, {"id": "pm_1"}), prices(at), MADE]
    asked, _ = talk(stripe.perform(at), *replies)
    assert asked[0].call == "create-customer"


def test_a_price_that_is_not_there_is_made_in_small_coins(talk, paid):
    made = Reply(200, {"id": "price_new"})
    at = step(paid())
    asked, _ = conversation(talk, at, found=NONE, end=(made, MADE))
    body = asked["create-price-1"].body
    assert (body["unit_amount"], body["currency"]) == ("5500", "gbp")
    assert (body["recurring[interval]"], body["recurring[interval_count]"]) == ("month", "3")
    assert body["lookup_key"] == prices_of(at)[0].lookup_key
    assert asked["create-subscription"].body["items[0][price]"] == "price_new"


@pytest.mark.parametrize(
    ("value", "currency", "coins"),
    [("55", "GBP", "5500"), ("19.99", "EUR", "1999"), ("1200", "JPY", "1200"),
     ("1.234", "KWD", "1234"), ("500", "ISK", "50000"), ("0", "GBP", "0")],
)  # fmt: skip
def test_amounts_are_counted_as_stripe_counts_the_currency(talk, paid, value, currency, coins):
    document = paid()
    [charge] = document["orderItems"][0]["offer"]["data"]["attributes"]["price__limio"]
    charge |= {"value": value, "currencyCode": currency}
    asked, _ = conversation(talk, step(document), found=NONE, end=(Reply(200, {"id": "p"}), MADE))
    assert asked["create-price-1"].body["unit_amount"] == coins


@pytest.mark.parametrize(
    "change",
    [{"value": "26"}, {"currencyCode": "EUR"}, {"repeat_interval": 1}, {"label": "Other"}],
)
def test_what_makes_another_price_has_another_key(paid, change):
    before = prices_of(step(paid()))[0].lookup_key
    document = paid()
    [charge] = document["orderItems"][0]["offer"]["data"]["attributes"]["price__limio"]
    charge |= change
    assert prices_of(step(document))[0].lookup_key != before


def test_a_payment_made_in_the_checkout_is_attached_to_the_first_invoice(talk, paid):
    payment = {"type": "stripe", "stripe": {"paymentIntentId": "pi_1"}}
    at = step(paid(payment=payment))
    waiting = Reply(200, {**HELD, "status": "incomplete"})
    settled = Reply(200, {"id": "in_1", "status": "paid"})
    asked, outcome = talk(stripe.perform(at), NONE, CUSTOMER, prices(at), waiting, settled)
    assert outcome.output["status"] == "active"
    assert asked[-2].body["payment_behavior"] == "default_incomplete"
    assert (asked[-1].path, asked[-1].body) == (
        "/v1/invoices/in_1/attach_payment",
        {"payment_intent": "pi_1"},
    )


def test_who_pays_by_invoice_is_sent_one(talk, paid):
    at = step(paid(payment={"type": "invoice"}), daysUntilDue=14)
    asked, _ = talk(stripe.perform(at), NONE, CUSTOMER, prices(at), MADE)
    body = asked[-1].body
    assert (body["collection_method"], body["days_until_due"]) == ("send_invoice", "14")


def test_a_card_that_the_customer_happens_to_have_is_never_charged(talk, paid):
    asked, outcome = talk(stripe.perform(step(paid(payment={"type": "stripe"}))))
    assert asked == []
    assert outcome.code == "payment_missing"


def test_what_begins_later_is_free_until_then(talk, paid):
    document = paid()
    document["orderItems"][0]["startDate"] = "2026-12-01"
    asked, _ = conversation(talk, step(document))
    assert asked["create-subscription"].body["trial_end"] == at_midnight(2026, 12, 1)


def test_what_has_begun_when_stripe_gets_it_begins_at_once(talk, paid):
    document = paid()
    document["orderItems"][0]["startDate"] = "2026-11-20"
    past = Reply(400, {"error": {"type": "invalid_request_error", "param": "trial_end"}})
    asked, outcome = conversation(talk, step(document), end=(past, MADE))
    assert "trial_end" in asked["create-subscription"].body
    assert "trial_end" not in asked["create-subscription-at-once"].body
    assert outcome.output["subscriptionId"] == "sub_1"
    other = Reply(400, {"error": {"code": "parameter_missing", "message": "m"}})
    _, outcome = conversation(talk, step(document), end=(other,))
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "parameter_missing")


def test_a_free_time_delays_the_first_charge(talk, paid):
    document = paid()
    [charge] = document["orderItems"][0]["offer"]["data"]["attributes"]["price__limio"]
    charge |= {"delay_interval": 1, "delay_interval_type": "months"}
    asked, _ = conversation(talk, step(document))
    assert asked["create-subscription"].body["trial_end"] == at_midnight(2026, 12, 20)


def test_what_does_not_renew_ends_with_its_term(talk, paid):
    document = paid()
    document["orderItems"][0]["offer"]["data"]["attributes"]["autoRenew__limio"] = False
    asked, _ = conversation(talk, step(document))
    assert asked["create-subscription"].body["cancel_at"] == at_midnight(2027, 2, 20)


def test_the_same_price_twice_is_one_entry_with_the_sum(talk, paid):
    document = paid()
    document["orderItems"] = document["orderItems"] * 2
    asked, _ = conversation(talk, step(document))
    body = asked["create-subscription"].body
    assert body["items[0][quantity]"] == "2"
    assert "items[1][price]" not in body


def test_prices_of_different_intervals_make_no_subscription(talk, paid):
    document, monthly = paid(), paid()
    [charge] = monthly["orderItems"][0]["offer"]["data"]["attributes"]["price__limio"]
    charge["repeat_interval"] = 1
    document["orderItems"] += monthly["orderItems"]
    asked, outcome = talk(stripe.perform(step(document)))
    assert asked == []
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "price")


def test_mapped_names_are_metadata(talk, paid):
    at = step(paid(), mapped={"segment": "student", "customerId": "cus_7"})
    asked, _ = talk(stripe.perform(at), CUSTOMER, Reply(200, {"id": "pm_1"}), prices(at), MADE)
    assert asked[0].path == "/v1/customers/cus_7"
    assert asked[-1].body["metadata[segment]"] == "student"
    assert "metadata[customerId]" not in asked[-1].body


def test_a_subscription_is_found_again_among_all_that_the_buyer_has(talk, paid):
    customers = Reply(200, {"data": [{"id": "cus_0"}, {"id": "cus_1"}]})
    other = {**HELD, "metadata": {"order_id": "order-0"}}
    mine = Reply(200, {"data": [other, HELD]})
    asked, outcome = talk(stripe.look_up(step(paid())), customers, NONE, mine)
    assert [request.query.get("customer") for request in asked] == [None, "cus_0", "cus_1"]
    assert all(request.query.get("status") == "all" for request in asked[1:])
    assert outcome.output["subscriptionId"] == "sub_1"
    assert "follow_up" not in outcome.output


def test_a_payment_that_was_not_attached_is_left_to_a_person(talk, paid):
    payment = {"type": "stripe", "stripe": {"paymentIntentId": "pi_1"}}
    customers = Reply(200, {"data": [{"id": "cus_1"}]})
    found = Reply(200, {"data": [HELD]})
    _, outcome = talk(stripe.look_up(step(paid(payment=payment))), customers, found)
    assert outcome.output["follow_up"]["code"] == "payment_not_attached"
    assert "in_1" in outcome.output["follow_up"]["message"]


def test_other_order_types_are_for_other_plugins(talk, paid):
    asked, outcome = talk(stripe.perform(step(paid(order_type="refund"))))
    assert asked == []
    assert isinstance(outcome, Failed)
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "journey_missing")
