"""Cancellations and changed addresses in Stripe, and what its errors mean."""

from datetime import UTC, datetime

import pytest

from plugins.api import Done, Failed, NotDone, Reply, Step, Unknown
from plugins.connectors.stripe import StripeOptions, stripe
from plugins.connectors.stripe.talking import errors
from schemas.steps import ErrorKind

END = int(datetime(2027, 2, 1, tzinfo=UTC).timestamp())
HELD = {"id": "sub_1", "customer": "cus_1", "status": "active", "current_period_end": END}
FOUND = Reply(200, {"data": [HELD]})
OURS = {"cancellation_details": {"comment": "too dear (order-1)"}}


def step(order, mapped=None, **given):
    options = StripeOptions.model_validate(given)
    return Step(id="stripe", order=order, options=options, mapped=mapped or {})


@pytest.fixture
def cancel(order):
    def make(**changes):
        reason = {"reason": {"id": "dear", "text": "too dear"}}
        return order(changes={"order_type": "cancel_subscription", "data": reason, **changes})

    return make


@pytest.fixture
def move(order):
    def make(**changes):
        return order(changes={"order_type": "change_address", **changes})

    return make


def test_a_cancellation_waits_for_the_end_of_what_is_paid(talk, cancel):
    ended = Reply(200, {**HELD, "cancel_at_period_end": True})
    asked, outcome = talk(stripe.perform(step(cancel())), FOUND, ended)
    assert asked[0].query["query"] == 'metadata["subscription_reference"]:"SUBK3V7Q2WXA"'
    assert (asked[1].method, asked[1].path) == ("POST", "/v1/subscriptions/sub_1")
    assert asked[1].body == {
        "cancel_at_period_end": "true",
        "proration_behavior": "none",
        "cancellation_details[comment]": "too dear (order-1)",
    }
    assert outcome == Done(
        subscriptionId="sub_1", customerId="cus_1", status="active", effectiveDate="2027-02-01"
    )


def test_a_day_that_the_order_names_wins(talk, cancel):
    on = int(datetime(2026, 12, 24, tzinfo=UTC).timestamp())
    ended = Reply(200, {**HELD, "cancel_at": on})
    at = step(cancel(effectiveDate="2026-12-24"), cancel="now")
    asked, outcome = talk(stripe.perform(at), FOUND, ended)
    assert asked[1].body["cancel_at"] == str(on)
    assert "cancel_at_period_end" not in asked[1].body
    assert outcome.output["effectiveDate"] == "2026-12-24"


def test_a_tenant_can_have_cancellations_count_at_once(talk, cancel):
    ended = Reply(200, {**HELD, "status": "canceled", "ended_at": END - 86_400})
    asked, outcome = talk(stripe.perform(step(cancel(), cancel="now")), FOUND, ended)
    assert (asked[1].method, asked[1].call) == ("DELETE", "cancel-subscription")
    assert outcome.output["effectiveDate"] == "2027-01-31"


@pytest.mark.parametrize(
    ("said", "method"), [("immediately", "DELETE"), ("End of billing period", "POST")]
)
def test_an_order_can_say_it_in_words(talk, cancel, said, method):
    options = {"cancel": "end_of_period" if method == "DELETE" else "now"}
    at = step(cancel(effectiveDate=said), **options)
    asked, _ = talk(stripe.perform(at), FOUND, Reply(200, HELD))
    assert asked[1].method == method


def test_a_day_that_is_none_is_refused_before_anything_is_asked(talk, cancel):
    asked, outcome = talk(stripe.perform(step(cancel(effectiveDate="soon"))))
    assert asked == []
    assert outcome.code == "effective_date"


def test_an_id_of_stripes_is_asked_for_by_itself(talk, cancel):
    at = step(cancel(subscriptionReference="sub_9"))
    asked, _ = talk(stripe.perform(at), Reply(200, {**HELD, "id": "sub_9"}), Reply(200, HELD))
    assert asked[0].path == "/v1/subscriptions/sub_9"
    asked, _ = talk(stripe.perform(step(cancel(), {"subscriptionId": "sub_8"})),
                    Reply(200, HELD), Reply(200, HELD))  # fmt: skip
    assert asked[0].path == "/v1/subscriptions/sub_8"


def test_what_is_cancelled_already_says_so_to_the_buyer(talk, cancel):
    gone = Reply(200, {"data": [{**HELD, "status": "canceled"}]})
    _, outcome = talk(stripe.perform(step(cancel())), gone)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "subscription_cancelled")
    assert outcome.buyer_message


def test_what_an_earlier_attempt_cancelled_is_done(talk, cancel):
    gone = Reply(200, {"data": [{**HELD, **OURS, "status": "canceled", "ended_at": END}]})
    _, outcome = talk(stripe.perform(step(cancel())), gone)
    assert isinstance(outcome, Done)


def test_what_the_search_does_not_have_yet_is_looked_for_again(talk, cancel):
    _, outcome = talk(stripe.perform(step(cancel())), Reply(200, {"data": []}))
    assert (outcome.kind, outcome.code) == (ErrorKind.TRANSIENT, "subscription_unknown")
    at = step(cancel(subscriptionReference="sub_9"))
    _, outcome = talk(stripe.perform(at), Reply(404, {"error": {}}))
    assert outcome.kind is ErrorKind.PERMANENT


def test_two_subscriptions_with_one_reference_are_not_guessed_between(talk, cancel):
    _, outcome = talk(stripe.perform(step(cancel())), Reply(200, {"data": [HELD, HELD]}))
    assert outcome.code == "several_subscriptions_found"


@pytest.mark.parametrize(
    ("held", "done"),
    [
        ({**OURS, "cancel_at_period_end": True}, True),
        ({**OURS, "status": "canceled"}, True),
        ({"cancel_at_period_end": True}, False),
        ({**OURS, "cancel_at_period_end": False}, False),
    ],
)
def test_a_look_up_adopts_only_an_end_that_this_order_set(talk, cancel, held, done):
    reply = Reply(200, {"data": [{**HELD, **held}]})
    _, outcome = talk(stripe.look_up(step(cancel())), reply)
    assert isinstance(outcome, Done if done else NotDone)


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ("billing", ["billing"]),
        ("delivery", ["delivery"]),
        ("both", ["billing", "delivery"]),
        ("all", ["billing", "delivery"]),
        (None, ["billing", "delivery"]),
    ],
)
def test_an_address_goes_where_the_order_says(talk, move, said, changed):
    asked, outcome = talk(
        stripe.perform(step(move(addressType=said))), FOUND, Reply(200, {"id": "cus_1"})
    )
    assert asked[1].path == "/v1/customers/cus_1"
    body = asked[1].body
    assert ("address[city]" in body, "shipping[address][city]" in body) == (
        "billing" in changed,
        "delivery" in changed,
    )
    assert outcome == Done(customerId="cus_1", changed=changed)


@pytest.mark.parametrize("said", ["delivery", "nowhere"])
def test_an_address_that_is_not_there_is_refused_before_anything_is_asked(talk, move, said):
    asked, outcome = talk(stripe.perform(step(move(addressType=said, deliveryDetails={}))))
    assert asked == []
    assert outcome.code == "address_missing"


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (402, {"type": "card_error", "code": "card_declined"}, ErrorKind.DECLINED),
        (429, {"type": "invalid_request_error", "code": "lock_timeout"}, ErrorKind.CONTENTION),
        (429, {"type": "invalid_request_error", "code": "rate_limit"}, ErrorKind.RATE_LIMITED),
        (401, {"type": "invalid_request_error"}, ErrorKind.MISCONFIGURED),
        (403, {"type": "invalid_request_error"}, ErrorKind.MISCONFIGURED),
        (404, {"code": "resource_missing"}, ErrorKind.PERMANENT),
        (400, {"code": "parameter_invalid_integer"}, ErrorKind.PERMANENT),
        (
            400,
            {"message": "A price (`price_1`) already uses that lookup key."},
            ErrorKind.CONTENTION,
        ),
    ],
)
def test_errors_have_their_class(status, error, kind):
    found = errors(Reply(status, {"error": error}))
    assert isinstance(found, Failed)
    assert found.kind is kind


def test_a_key_that_went_out_with_another_body_leaves_it_open():
    reply = Reply(400, {"error": {"type": "idempotency_error", "message": "m"}})
    assert isinstance(errors(reply), Unknown)


@pytest.mark.parametrize("status", [409, 500, 502, 503])
def test_what_leaves_the_outcome_open_is_left_to_the_general_rules(status):
    assert errors(Reply(status, {"error": {"type": "api_error"}})) is None
