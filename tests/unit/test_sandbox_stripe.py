"""The stand-in for Stripe: what it refuses, what it bills, and what time brings."""

from datetime import UTC, datetime
from urllib.parse import urlencode

import orjson
import pytest

from waybill.sandbox.exchange import Call
from waybill.sandbox.stripe import Stripe
from waybill.sandbox.stripe_forms import FORMS, misfits, nested
from waybill.sandbox.stripe_ledger import Ledger, RefusedError

START = int(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp())
QUARTER = {"interval": "month", "interval_count": "3"}


class Clock:
    def __init__(self):
        self.at = START

    def __call__(self):
        return self.at

    def day(self, *day):
        self.at = int(datetime(*day, 12, tzinfo=UTC).timestamp())


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def ledger(clock):
    return Ledger(clock)


def sold(ledger, **more):
    """A subscription of a customer with a card, at 25.00 a quarter."""
    customer, _ = ledger.create_customer("", {"email": "maren@example.test"})
    found = [one for one in ledger.all("price") if one["lookup_key"] == "key"]
    price = found[0] if found else priced(ledger)
    card = f"pm_of_{customer['id']}"
    ledger.attach(card, {"customer": customer["id"]})
    body = {
        "customer": customer["id"],
        "items": [{"price": price["id"]}],
        "default_payment_method": card,
        **more,
    }
    return ledger.create_subscription("", body)[0]


def priced(ledger, amount="2500", **more):
    body = {"currency": "gbp", "unit_amount": amount, "lookup_key": "key", "recurring": QUARTER}
    return ledger.create_price("", {**body, "product_data": {"name": "Digital"}, **more})[0]


def test_a_first_period_is_billed_and_paid_at_once(ledger):
    subscription = sold(ledger)
    invoice = ledger.get("invoice", subscription["latest_invoice"])
    assert subscription["status"] == "active"
    assert (invoice["status"], invoice["amount_paid"]) == ("paid", 2500)


def test_a_trial_bills_nothing_until_it_ends(ledger, clock):
    trial = int(datetime(2026, 4, 1, tzinfo=UTC).timestamp())
    subscription = sold(ledger, trial_end=str(trial))
    assert subscription["status"] == "trialing"
    clock.day(2026, 4, 2)
    ledger.advance()
    assert subscription["status"] == "active"
    assert [one["amount_due"] for one in reversed(ledger.all("invoice"))] == [0, 2500]


def test_periods_follow_one_another_until_the_end(ledger, clock):
    subscription = sold(ledger)
    clock.day(2026, 6, 2)
    ledger.advance()
    assert len(ledger.all("invoice")) == 2
    ledger.change_subscription(subscription["id"], {"cancel_at_period_end": "true"})
    clock.day(2027, 1, 1)
    ledger.advance()
    assert subscription["status"] == "canceled"
    assert subscription["ended_at"] == subscription["current_period_end"]
    assert len(ledger.all("invoice")) == 2


def test_a_declined_card_leaves_no_subscription_where_that_is_asked_for(ledger):
    customer, _ = ledger.create_customer("", {})
    ledger.attach("pm_declined", {"customer": customer["id"]})
    body = {
        "customer": customer["id"],
        "items": [{"price": priced(ledger)["id"]}],
        "default_payment_method": "pm_declined",
        "payment_behavior": "error_if_incomplete",
    }
    with pytest.raises(RefusedError) as refused:
        ledger.create_subscription("", body)
    assert (refused.value.status, refused.value.code) == (402, "card_declined")
    assert ledger.all("subscription") == []
    waiting, _ = ledger.create_subscription("", {**body, "payment_behavior": "allow_incomplete"})
    assert waiting["status"] == "incomplete"


def test_a_payment_from_the_checkout_settles_one_invoice_once(ledger):
    subscription = sold(ledger, default_payment_method=None, payment_behavior="default_incomplete")
    key = subscription["latest_invoice"]
    assert subscription["status"] == "incomplete"
    assert ledger.pay(key, {"payment_intent": "pi_1"})[1] == key
    assert ledger.pay(key, {"payment_intent": "pi_1"})[1] is None
    assert subscription["status"] == "active"
    other = sold(ledger, default_payment_method=None, payment_behavior="default_incomplete")
    with pytest.raises(RefusedError):
        ledger.pay(other["latest_invoice"], {"payment_intent": "pi_1"})


@pytest.mark.parametrize(
    "more",
    [
        {"default_payment_method": None},
        {"default_payment_method": "pm_of_another"},
        {"trial_end": str(START - 1)},
        {"items": []},
        {"collection_method": "send_invoice"},
    ],
    ids=["nothing to pay with", "a foreign card", "a trial in the past", "no items", "no due day"],
)
def test_what_stripe_would_not_sell_is_refused(ledger, more):
    with pytest.raises(RefusedError):
        sold(ledger, **more)


def test_a_lookup_key_is_one_prices(ledger):
    priced(ledger)
    with pytest.raises(RefusedError, match="already uses that lookup key"):
        priced(ledger)


def test_a_method_stays_with_its_customer(ledger):
    first, _ = ledger.create_customer("", {})
    second, _ = ledger.create_customer("", {})
    assert ledger.attach("pm_1", {"customer": first["id"]})[1] == "pm_1"
    assert ledger.attach("pm_1", {"customer": first["id"]})[1] is None
    with pytest.raises(RefusedError):
        ledger.attach("pm_1", {"customer": second["id"]})


def test_forms_are_read_as_nested_values_and_know_their_parameters():
    form = {"items[0][price]": "p", "items[1][price]": "q", "metadata[a]": "1", "customer": "c"}
    body = nested(form)
    assert body == {
        "items": [{"price": "p"}, {"price": "q"}],
        "metadata": {"a": "1"},
        "customer": "c",
    }
    assert misfits(FORMS["subscription"], body) == []
    wrong = nested({"items[0][prize]": "p", "adress[city]": "x"})
    assert misfits(FORMS["subscription"], wrong) == ["items[0][prize]", "adress"]


def asking(form, key="k"):
    raw = urlencode(form).encode()
    headers = {"Authorization": "Bearer sk_test_1", "Idempotency-Key": key}
    call = Call("POST", "/v1/customers", "/v1/customers", "", {}, {}, headers, raw, dict(form))
    call.form = True
    return call


def test_a_key_is_good_for_one_body(clock):
    stripe = Stripe(clock)
    assert stripe.refuse(asking({"email": "a"})) is None
    assert stripe.refuse(asking({"email": "a"})) is None
    assert stripe.refuse(asking({"email": "b"}, key="another")) is None
    refused = stripe.refuse(asking({"email": "b"}))
    assert refused.status == 400
    assert orjson.loads(refused.body)["error"]["type"] == "idempotency_error"


def test_nobody_asks_without_a_secret_key(clock):
    call = asking({})
    call.headers = {"Authorization": "Bearer pk_live_1"}
    assert Stripe(clock).refuse(call).status == 401
