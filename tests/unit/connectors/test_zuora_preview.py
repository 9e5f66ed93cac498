"""Previews: Zuora's billing documents as charges to come and credits; nothing is changed."""

import pytest

from plugins.api import Done, Reply
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.examples.scene import (
    ACCOUNT,
    END,
    HOSTED_PAGE,
    START,
    offer,
    order,
    step,
    subscription,
)

TODAY = "2026-04-15"
BUNDLE = offer("UK Bundle Quarterly", "55", effective_date__limio="immediately")
GBP = {"total": {"currency": "GBP", "amount": 55}}


def item(name, amount, tax=0, **more):
    return {"chargeName": name, "amountWithoutTax": amount, "taxAmount": tax, **more}


def documents(charged=(), credited=()):
    invoice = {"targetDate": TODAY, "amount": 1, "invoiceItems": list(charged)}
    memo = {"targetDate": TODAY, "amount": 1, "creditMemoItems": list(credited)}
    result = {
        "invoices": [invoice] if charged else [],
        "creditMemos": [memo] if credited else [],
    }
    return Reply(200, {"success": True, "previewResult": result})


def preview(talk, at, *replies):
    foretell = zuora.previewer
    assert foretell is not None
    asked, outcome = talk(foretell(at), *replies)
    assert all(request.call is None for request in asked), "a preview changes nothing"
    assert {request.method for request in asked} <= {"GET", "POST"}
    return asked, outcome


def test_a_switch_is_previewed_as_it_would_be_sent(talk):
    at = step(order("change_offer", BUNDLE, payment=HOSTED_PAGE), collectPayment=True)
    reply = documents([item("Fee", 45.83, 9.17, serviceStartDate=TODAY)], [item("Fee", 12.5)])
    asked, outcome = preview(talk, at, subscription(), reply)
    sent = asked[-1]
    assert (sent.method, sent.path) == ("POST", "/v1/orders/preview")
    assert sent.body["existingAccountNumber"] == ACCOUNT
    assert "orderNumber" not in sent.body
    assert "processingOptions" not in sent.body
    assert sent.body["previewOptions"] == {
        "previewThruType": "SpecificDate",
        "specificPreviewThruDate": TODAY,
        "previewTypes": ["BillingDocs"],
    }
    assert outcome == Done(
        effectiveDate=TODAY,
        currency="GBP",
        futureCharges=[
            {
                "date": TODAY,
                "amount": "55.00",
                "description": "Fee",
                "serviceStartDate": TODAY,
            }
        ],
        credits=[{"date": TODAY, "amount": "12.50", "description": "Fee"}],
    )


def test_what_counts_later_is_previewed_up_to_that_day(talk):
    at = step(order("change_offer", offer("UK Bundle Quarterly", "55")))
    asked, outcome = preview(talk, at, subscription(), documents())
    assert asked[-1].body["previewOptions"]["specificPreviewThruDate"] == END
    assert outcome.output["effectiveDate"] == END


def test_a_negative_item_of_an_invoice_is_a_credit(talk):
    at = step(order("cancel_subscription", effectiveDate="immediately"))
    _, outcome = preview(talk, at, subscription(), documents([item("Fee", -12.5)]))
    assert outcome.output["futureCharges"] == []
    assert outcome.output["credits"] == [{"date": TODAY, "amount": "12.50", "description": "Fee"}]


def test_a_date_that_moves_is_told(talk):
    at = step(order("change_offer", BUNDLE, effectiveDate="2027-01-01"))
    _, outcome = preview(talk, at, subscription(), documents())
    assert "2027-01-01" in outcome.output["warnings"][0]


@pytest.mark.parametrize("kind", ["change_offer", "renew"])
def test_zuora_is_not_asked_what_it_cannot_tell_while_a_cancellation_stands(talk, kind):
    ends = {"statusHistory": [{"status": "Cancelled", "startDate": END}]}
    asked, outcome = preview(talk, step(order(kind, BUNDLE)), subscription(**ends))
    assert "/v1/orders/preview" not in [request.path for request in asked]
    assert outcome.output["cancelledFrom"] == END
    assert f"cancelled as of {END}" in outcome.output["warnings"][0]
    assert "futureCharges" not in outcome.output


def test_a_cancellation_to_come_is_told_where_it_stays(talk):
    ends = {"statusHistory": [{"status": "Cancelled", "startDate": END}]}
    at = step(order("add_offer", BUNDLE, effectiveDate=TODAY))
    _, outcome = preview(talk, at, subscription(**ends), documents())
    assert outcome.output["cancelledFrom"] == END


@pytest.mark.parametrize(
    "document",
    [
        order("add_offer", offer("UK Bundle Quarterly")),
        order("cancel_subscription"),
        order("renew"),
        order("update_subscription", {**offer(), "orderItemActionType": "remove"}),
    ],
    ids=lambda document: document["order_type"],
)
def test_the_other_changes_are_previewed_too(talk, document):
    asked, outcome = preview(talk, step(document), subscription(), documents())
    assert asked[-1].path == "/v1/orders/preview"
    assert outcome.output["effectiveDate"] == END


def test_a_sale_to_a_new_account_describes_it_instead_of_opening_it(talk):
    at = step(order("new", offer(), billingDetails={"city": "Saltmarsh", "country": "GB"}, **GBP))
    [asked], outcome = preview(talk, at, documents([item("Fee", 25)]))
    assert "newAccount" not in asked.body
    assert asked.body["previewAccountInfo"] == {
        "currency": "GBP",
        "billCycleDay": 0,
        "soldToContact": {"city": "Saltmarsh", "country": "GB"},
    }
    assert outcome.output["futureCharges"][0]["amount"] == "25.00"


def test_a_sale_to_an_account_that_is_there_names_it(talk):
    at = step(order("new", offer(), **GBP), accountNumber="W-1")
    [asked], _ = preview(talk, at, documents())
    assert asked.body["existingAccountNumber"] == "W-1"
    assert "previewAccountInfo" not in asked.body


def test_what_is_over_is_previewed_as_the_sale_that_it_would_be(talk):
    over = subscription(status="Cancelled", subscriptionEndDate=START)
    asked, _ = preview(talk, step(order("renew", offer())), over, documents())
    assert asked[-1].body["existingAccountNumber"] == ACCOUNT


def test_what_would_be_refused_is_refused(talk):
    at = step(order("cancel_subscription", effectiveDate="immediately"), refundOnCancel=True)
    asked, outcome = preview(talk, at)
    assert asked == []
    assert outcome.code == "refund_not_permitted"


def test_a_type_that_bills_nothing_has_no_preview(talk):
    asked, outcome = preview(talk, step(order("change_address")))
    assert (asked, outcome) == ([], Done())
