"""Cancellations: when, what is given back, and to whom that is allowed."""

import pytest

from plugins.api import Done, NotDone, Reply
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    ACCOUNT_ID,
    END,
    NUMBER,
    changed,
    found,
    order,
    ordered,
    step,
    subscription,
)
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_changes import action_of, days_of, order_of, refusal_of, sent

TODAY = "2026-04-15"
MAY = {"permissions": ["order:update_refund"]}


def ending(effective=None, **more):
    wanted = {"effectiveDate": effective} if effective else {}
    return order("cancel_subscription", **wanted, **more)


def foreseen(*, credit="0", invoice="0", sign=-1):
    memos = [{"amount": sign * float(credit)}] if float(credit) else []
    invoices = [{"amount": float(invoice)}] if float(invoice) else []
    return Reply(
        200, {"success": True, "previewResult": {"creditMemos": memos, "invoices": invoices}}
    )


@pytest.mark.parametrize(
    ("effective", "member", "day"),
    [
        (None, {"cancellationPolicy": "EndOfCurrentTerm"}, END),
        ("end of term", {"cancellationPolicy": "EndOfCurrentTerm"}, END),
        ("end of billing period", {"cancellationPolicy": "EndOfLastInvoicePeriod"}, END),
        (
            "immediately",
            {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": TODAY},
            TODAY,
        ),
        (
            "2026-05-10",
            {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": "2026-05-10"},
            "2026-05-10",
        ),
    ],
)
def test_the_order_says_when_by_default_at_the_end_of_the_term(talk, effective, member, day):
    asked, outcome = sent(talk, step(ending(effective)), subscription())
    assert action_of(asked, "CancelSubscription")["cancelSubscription"] == member
    assert outcome == Done(**changed(day))


@pytest.mark.parametrize(
    ("policy", "member"),
    [
        ("Immediately", "SpecificDate"),
        ("EndOfLastInvoicePeriod", "EndOfLastInvoicePeriod"),
        ("EndOfCurrentTerm", "EndOfCurrentTerm"),
    ],
)
def test_the_option_says_it_for_orders_that_do_not(talk, policy, member):
    asked, _ = sent(talk, step(ending(), cancellationPolicy=policy), subscription())
    cancelled = action_of(asked, "CancelSubscription")["cancelSubscription"]
    assert cancelled["cancellationPolicy"] == member


def test_what_runs_for_ever_ends_with_what_was_billed_and_says_so(talk):
    endless = subscription(termType="EVERGREEN", termEndDate=None)
    asked, outcome = sent(talk, step(ending()), endless)
    cancelled = action_of(asked, "CancelSubscription")["cancelSubscription"]
    assert cancelled == {"cancellationPolicy": "EndOfLastInvoicePeriod"}
    assert "no end of term" in outcome.output["warnings"][0]


def test_a_day_beyond_the_term_moves_to_its_end_with_a_warning(talk):
    _, outcome = sent(talk, step(ending("2026-09-01")), subscription())
    assert outcome.output["effectiveDate"] == END
    assert "2026-09-01" in outcome.output["warnings"][0]


def test_an_end_that_has_come_is_billed_so_that_zuora_makes_the_credit_memo(talk):
    at = step(ending("immediately"), creditMemoReasonCode="Cancellation")
    asked, _ = sent(talk, at, subscription())
    assert order_of(asked)["processingOptions"] == {
        "runBilling": True,
        "billingOptions": {
            "targetDate": TODAY,
            "documentDate": TODAY,
            "creditMemoReasonCode": "Cancellation",
        },
    }


@pytest.mark.parametrize("effective", [None, "2026-05-10"])
def test_an_end_to_come_is_left_to_the_bill_run_of_its_day(talk, effective):
    asked, _ = sent(talk, step(ending(effective)), subscription())
    assert order_of(asked)["processingOptions"] == {"runBilling": False}


def test_an_end_in_the_past_counts_from_that_day(talk):
    asked, _ = sent(talk, step(ending("2026-04-01")), subscription())
    assert days_of(asked) == ["2026-04-01"]


def test_the_reason_is_counted_and_kept(talk):
    why = {"reason": {"id": "too_expensive", "text": "It has become too dear."}}
    at = step(ending(data=why), customFields=["CancellationReason__c"])
    asked, _ = sent(talk, at, subscription())
    body = order_of(asked)
    assert body["reasonCode"] == "too_expensive"
    assert action_of(asked, "CancelSubscription")["changeReason"] == "too_expensive"
    assert body["subscriptions"][0]["notes"] == "It has become too dear."
    assert body["subscriptions"][0]["customFields"] == {"CancellationReason__c": "too_expensive"}


def test_what_is_cancelled_is_not_cancelled_again(talk):
    over = subscription(status="Cancelled", subscriptionEndDate="2026-04-01")
    outcome = refusal_of(talk, step(ending()), over, looks_it_up=True)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "subscription_cancelled")
    assert "already cancelled" in (outcome.buyer_message or "")


def test_what_will_be_cancelled_is_not_cancelled_again_either(talk):
    ends = subscription(statusHistory=[{"status": "Cancelled", "startDate": END}])
    outcome = refusal_of(talk, step(ending("immediately")), ends, looks_it_up=True)
    assert outcome.code == "subscription_cancelled"
    assert END in (outcome.buyer_message or "")


def test_our_own_cancellation_is_found_when_it_is_met_again(talk):
    ends = subscription(statusHistory=[{"status": "Cancelled", "startDate": END}])
    asked, outcome = talk(zuora.perform(step(ending())), ends, found(TODAY), ends)
    assert outcome == Done(**changed(END))
    assert all(request.call is None for request in asked)


def test_money_that_is_left_is_refunded_in_the_same_order(talk):
    at = step(ending("immediately", **MAY), refundOnCancel=True, refundReasonCode="Cancelled")
    asked, outcome = talk(
        zuora.perform(at),
        subscription(),
        foreseen(credit="12.5", invoice="2"),
        ordered(creditMemoNumbers=["CM1"], refunds=[{"number": "R1", "status": "Success"}]),
    )
    preview, body = asked[1], order_of(asked)
    assert (preview.path, preview.call) == ("/v1/orders/preview", None)
    assert preview.body["previewOptions"]["specificPreviewThruDate"] == TODAY
    assert body["processingOptions"] == {
        "runBilling": True,
        "refund": True,
        "refundAmount": 10.5,
        "refundReasonCode": "Cancelled",
        "billingOptions": {"targetDate": TODAY, "documentDate": TODAY},
    }
    assert outcome.output["refund"] == "processed"
    assert (outcome.output["amount"], outcome.output["currency"]) == ("10.50", "GBP")
    assert "follow_up" not in outcome.output


@pytest.mark.parametrize("sign", [1, -1])
def test_a_memo_is_given_back_whatever_its_sign(talk, sign):
    at = step(ending("immediately", **MAY), refundOnCancel=True)
    asked, _ = sent(talk, at, subscription(), foreseen(credit="12.5", sign=sign))
    assert order_of(asked)["processingOptions"]["refundAmount"] == 12.5


@pytest.mark.parametrize("amounts", [{}, {"invoice": "3"}, {"credit": "3", "invoice": "3"}])
def test_where_no_money_is_left_nothing_is_refunded(talk, amounts):
    at = step(ending("immediately", **MAY), refundOnCancel=True)
    asked, outcome = sent(talk, at, subscription(), foreseen(**amounts))
    assert "refund" not in order_of(asked)["processingOptions"]
    assert "refund" not in outcome.output


@pytest.mark.parametrize("effective", [None, "end of billing period"])
def test_at_the_end_of_what_is_paid_there_is_nothing_to_refund(talk, effective):
    asked, _ = sent(talk, step(ending(effective), refundOnCancel=True), subscription())
    assert len(asked) == 2


@pytest.mark.parametrize("permissions", [None, [], "order:update_refund", ["order:update"]])
def test_who_may_not_refund_is_refused_before_anything_is_asked(talk, permissions):
    at = step(ending("immediately", permissions=permissions), refundOnCancel=True)
    asked, outcome = talk(zuora.perform(at))
    assert asked == []
    assert outcome.code == "refund_not_permitted"
    assert "order:update_refund" in outcome.message


@pytest.mark.parametrize(
    ("refunds", "fate"),
    [([{"number": "R1", "status": "Error"}], "failed"), ([], "not_possible")],
)
def test_a_refund_that_fails_is_a_failed_refund_not_a_failed_cancellation(talk, refunds, fate):
    at = step(ending("immediately", **MAY), refundOnCancel=True)
    _, outcome = talk(
        zuora.perform(at), subscription(), foreseen(credit="12.5"), ordered(refunds=refunds)
    )
    assert isinstance(outcome, Done)
    assert outcome.output["refund"] == fate
    assert outcome.output["follow_up"]["code"] == f"refund_{fate}"
    assert "12.50 GBP" in outcome.output["follow_up"]["message"]


def looked_up(talk, *replies):
    look_up = zuora.look_up
    assert look_up is not None
    at = step(ending("immediately", **MAY), refundOnCancel=True)
    return talk(look_up(at), *replies)


def refunds(*statuses, on=TODAY):
    listed = [
        {"number": f"R{place}", "status": status, "amount": 12.5, "refundDate": on}
        for place, status in enumerate(statuses)
    ]
    return Reply(200, {"success": True, "refunds": listed})


OURS = found(TODAY)
OVER = subscription(status="Cancelled", subscriptionEndDate=TODAY)


@pytest.mark.parametrize(
    ("status", "fate"),
    [("Processed", "processed"), ("Processing", "processing"), ("Error", "failed")],
)
def test_after_an_unknown_outcome_the_refund_is_looked_for_too(talk, status, fate):
    asked, outcome = looked_up(talk, OURS, OVER, refunds(status))
    assert asked[0].path == f"/v1/orders/{NUMBER}"
    assert asked[-1].query["accountId"] == ACCOUNT_ID
    assert outcome.output["refund"] == fate
    assert outcome.output["effectiveDate"] == TODAY
    assert outcome.output["amount"] == "12.50"
    assert ("follow_up" in outcome.output) is (fate == "failed")


@pytest.mark.parametrize(
    "listed", [refunds(), refunds("Processed", "Processed"), refunds("Processed", on="2026-01-01")]
)
def test_a_refund_that_could_be_anothers_is_left_to_a_person(talk, listed):
    _, outcome = looked_up(talk, OURS, OVER, listed)
    assert outcome.output["follow_up"]["code"] == "refund_unconfirmed"
    assert "refund" not in outcome.output


def test_an_order_that_never_came_is_not_done(talk):
    asked, outcome = looked_up(talk, ABSENT)
    assert (len(asked), outcome) == (1, NotDone())
