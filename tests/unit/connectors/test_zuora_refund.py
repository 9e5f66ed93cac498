import pytest

from plugins.api import Done, Failed, NotDone, Unknown
from plugins.connectors.zuora import zuora
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_shapes import (
    ACCOUNT,
    CHARGE,
    COMMENT,
    change,
    memo,
    methods,
    refund_plan,
    subscription,
)
from tests.unit.connectors.zuora_talk import ABSENT, METHOD, OK, paths, said, says_no, step

PROCESSED = said(id="8ref", number="R-1", status="Processed", amount=10)
TAKEN = says_no(51700330, "The credit memo number already exists.")


def at(order, amount=10, members=None, **options):
    usual = {"total": {"currency": "GBP", "amount": 55}, "refund": {"amount": amount}}
    wanted = change(order, "refund", **(usual | (members or {})))
    return step(wanted, **({"refundRatePlan": "Refund"} | options))


def before(price=55):
    return subscription(price), refund_plan(), methods()


def test_the_money_goes_back_by_a_memo_and_a_refund_that_names_no_payment(talk, order):
    asked, outcome = talk(zuora.perform(at(order)), *before(), memo(), PROCESSED)
    charge = {"productRatePlanChargeId": CHARGE, "amount": 10, "serviceStartDate": "2026-11-20"}
    assert paths(asked) == [
        "GET /v1/subscriptions/SUBK3V7Q2WXA",
        "GET /object-query/product-rate-plans",
        f"GET /v1/accounts/{ACCOUNT}/payment-methods",
        "POST /v1/credit-memos",
        "POST /v1/credit-memos/CM-7Q2KX5M9ADLP/refund",
    ]
    assert asked[3].body == {
        "accountNumber": ACCOUNT,
        "number": "CM-7Q2KX5M9ADLP",
        "autoPost": True,
        "currency": "GBP",
        "effectiveDate": "2026-11-20",
        "excludeFromAutoApplyRules": True,
        "comment": COMMENT,
        "charges": [charge],
    }
    assert asked[4].body == {
        "type": "Electronic",
        "totalAmount": 10,
        "refundDate": "2026-11-20",
        "comment": COMMENT,
        "paymentMethodId": METHOD,
    }
    assert outcome == Done(
        creditMemoNumber="CM-7Q2KX5M9ADLP",
        accountNumber=ACCOUNT,
        amount="10.00",
        currency="GBP",
        refundNumber="R-1",
        refundStatus="Processed",
        refund="processed",
    )


def test_the_money_goes_to_what_the_subscription_is_paid_by(talk, order):
    both = methods()
    both.body["creditcard"].append({"id": "8own", "type": "CreditCard", "status": "Active"})
    own = subscription(PaymentMethodId__c="8own")
    for options, paid_by in (({"apm": True}, "8own"), ({}, METHOD)):
        replies = (own, refund_plan(), both, memo(), PROCESSED)
        asked, _ = talk(zuora.perform(at(order, **options)), *replies)
        assert asked[-1].body["paymentMethodId"] == paid_by


def test_a_refund_that_is_under_way_counts_as_such(talk, order):
    slow = said(number="R-1", status="Processing")
    _, outcome = talk(zuora.perform(at(order)), *before(), memo(), slow)
    assert outcome.output["refund"] == "processing"


def test_a_refund_that_failed_inside_a_success_is_a_failed_refund(talk, order):
    broken = said(number="R-1", status="Error", gatewayResponse="The gateway is away")
    _, outcome = talk(zuora.perform(at(order)), *before(), memo(), broken)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "refund_failed")
    assert "CM-7Q2KX5M9ADLP" in outcome.message
    assert "The gateway is away" in outcome.message
    assert "touch" in outcome.buyer_message


def test_a_gateway_that_breaks_leaves_open_whether_the_money_went(talk, order):
    _, outcome = talk(zuora.perform(at(order)), *before(), memo(), says_no(51700399, "timeout"))
    assert isinstance(outcome, Unknown)


@pytest.mark.parametrize(
    "answer",
    [
        says_no(51700330, "The gateway does not support non-referenced credit."),
        says_no(51700399, "Gateway: refund without a payment is unsupported."),
        said(number="R-1", status="Error", gatewayResponse="Refund is not supported"),
    ],
    ids=["by a rule", "by the gateway", "within a success"],
)
def test_what_the_gateway_cannot_do_leaves_the_memo_open_for_a_person(talk, order, answer):
    _, outcome = talk(zuora.perform(at(order)), *before(), memo(), answer)
    assert outcome.output["refund"] == "not_possible"
    assert outcome.output["follow_up"]["code"] == "refund_not_possible"
    assert "CM-7Q2KX5M9ADLP over 10.00 GBP" in outcome.output["follow_up"]["message"]
    assert "refundNumber" not in outcome.output


@pytest.mark.parametrize("held", [said(), methods("SEPA"), methods(status="Closed")])
def test_without_a_method_for_it_no_refund_is_tried(talk, order, held):
    replies = (subscription(), refund_plan(), held, memo())
    asked, outcome = talk(zuora.perform(at(order)), *replies)
    assert paths(asked)[-1] == "POST /v1/credit-memos"
    assert outcome.output["refund"] == "not_possible"


def test_where_it_is_to_fail_nothing_is_booked_before(talk, order):
    failing = at(order, onRefundNotPossible="fail")
    asked, outcome = talk(zuora.perform(failing), subscription(), refund_plan(), said())
    assert all(request.method == "GET" for request in asked)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "refund_not_possible")
    assert "nothing was booked" in outcome.message


def test_an_external_refund_is_recorded_only_where_the_tenant_says_so(talk, order):
    outside = at(order, onRefundNotPossible="external", externalRefundMethod="BankTransfer")
    replies = (
        subscription(),
        refund_plan(),
        said(),
        memo(),
        said(number="R-2", status="Processed"),
    )
    asked, outcome = talk(zuora.perform(outside), *replies)
    assert asked[-1].body["type"] == "External"
    assert asked[-1].body["methodType"] == "BankTransfer"
    assert (outcome.output["refund"], outcome.output["refundNumber"]) == ("external", "R-2")


def referenced(order, **refund):
    return at(order, members={"refund": {"amount": 10, **refund}}, onRefundNotPossible="referenced")


def test_the_payment_itself_is_refunded_and_the_memo_settles_what_that_opens(talk, order):
    payments = said(
        payments=[
            {"number": "P-1", "amount": 5, "status": "Processed", "type": "Electronic"},
            {"number": "P-2", "amount": 55, "status": "Processed", "type": "Electronic"},
        ]
    )
    replies = (
        *(subscription(), refund_plan(), said(), memo()),
        *(said(refunds=[]), payments, said(parts=[{"invoiceId": "8inv", "amount": 55}])),
        *(PROCESSED, OK),
    )
    asked, outcome = talk(zuora.perform(referenced(order)), *replies)
    assert paths(asked)[-3:] == [
        "GET /v1/payments/P-2/parts",
        "POST /v1/payments/P-2/refunds/unapply",
        "PUT /v1/credit-memos/CM-7Q2KX5M9ADLP/apply",
    ]
    assert asked[-2].body["invoices"] == [{"invoiceId": "8inv", "amount": 10}]
    assert asked[-1].body == {"invoices": [{"invoiceId": "8inv", "amount": 10}]}
    assert outcome.output["refund"] == "processed"


def test_the_order_may_name_payment_and_invoice(talk, order):
    replies = (subscription(), refund_plan(), said(), memo(), said(refunds=[]), said(id="8inv"))
    named = referenced(order, payment="P-9", invoice="INV1")
    asked, _ = talk(zuora.perform(named), *replies, PROCESSED, OK)
    assert "GET /v1/invoices/INV1" in paths(asked)
    assert "POST /v1/payments/P-9/refunds/unapply" in paths(asked)


OPENS = {"number": "R-1", "comment": f"{COMMENT}, opens invoiceId 8inv", "status": "Processed"}


def test_a_payment_that_went_back_before_does_not_go_back_again(talk, order):
    replies = (subscription(), refund_plan(), said(), memo(), said(refunds=[OPENS]))
    asked, outcome = talk(zuora.perform(referenced(order)), *replies, memo(), OK)
    assert not any("unapply" in request.path for request in asked)
    assert asked[-1].body == {"invoices": [{"invoiceId": "8inv", "amount": 10}]}
    assert outcome.output["refundNumber"] == "R-1"


def test_a_memo_that_settled_the_invoice_before_is_not_applied_again(talk, order):
    replies = (subscription(), refund_plan(), said(), memo(), said(refunds=[OPENS]))
    asked, outcome = talk(zuora.perform(referenced(order)), *replies, memo(appliedAmount=10))
    assert not any(request.method == "PUT" for request in asked)
    assert outcome.output["refundNumber"] == "R-1"
    for applied, ended in ((0, NotDone), (10, Done)):
        settled = memo(appliedAmount=applied)
        _, outcome = talk(zuora.look_up(referenced(order)), settled, said(refunds=[OPENS]))
        assert isinstance(outcome, ended)


def test_without_a_payment_a_person_is_asked(talk, order):
    replies = (subscription(), refund_plan(), said(), memo(), said(refunds=[]), said(payments=[]))
    _, outcome = talk(zuora.perform(referenced(order)), *replies)
    assert outcome.output["refund"] == "not_possible"


def test_a_memo_that_an_earlier_attempt_made_is_adopted(talk, order):
    asked, outcome = talk(zuora.perform(at(order)), *before(), TAKEN, memo(), PROCESSED)
    assert paths(asked)[4] == "GET /v1/credit-memos/CM-7Q2KX5M9ADLP"
    assert isinstance(outcome, Done)


def test_money_that_was_paid_out_before_is_not_paid_again(talk, order):
    ours = {"number": "R-1", "comment": COMMENT, "status": "Processed", "creditMemoId": "8memo"}
    replies = (*before(), TAKEN, memo(refundAmount=10), said(refunds=[ours]))
    asked, outcome = talk(zuora.perform(at(order)), *replies)
    assert not any(request.path.endswith("/refund") for request in asked)
    assert outcome.output["refundNumber"] == "R-1"


@pytest.mark.parametrize("theirs", [{"comment": "another"}, {"amount": 11}])
def test_a_memo_of_somebody_elses_is_not_adopted(talk, order, theirs):
    _, outcome = talk(zuora.perform(at(order)), *before(), TAKEN, memo(**theirs))
    assert isinstance(outcome, Failed)
    assert outcome.code == "memo_number_taken"


def test_more_than_the_subscription_costs_is_refused_unless_allowed(talk, order):
    asked, outcome = talk(zuora.perform(at(order, 60)), subscription())
    assert len(asked) == 1
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "refund_too_large")
    allowed = at(order, 60, refundAbovePrice=True)
    _, outcome = talk(zuora.perform(allowed), *before(), memo(60), PROCESSED)
    assert outcome.output["amount"] == "60.00"


@pytest.mark.parametrize("amount", [0, -5, "ten", None, "1e999999", 1.005])
def test_an_amount_that_is_none_is_refused_before_anything_is_booked(talk, order, amount):
    members = {"total": {"currency": "GBP", "amount": amount}} if amount is None else None
    asked, outcome = talk(zuora.perform(at(order, amount, members)), subscription())
    assert len(asked) == 1
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "amount")


def test_the_whole_total_is_given_back_where_no_part_is_named(talk, order):
    whole = step(
        change(order, "refund", total={"currency": "GBP", "amount": "55"}),
        refundRatePlan={"id": "8ad", "charges": {"Refund": CHARGE}},
    )
    replies = (subscription(), methods(), memo(55), PROCESSED)
    asked, _ = talk(zuora.perform(whole), *replies)
    assert asked[2].body["charges"][0]["amount"] == 55


def test_another_currency_than_the_subscriptions_is_refused(talk, order):
    euros = at(order, members={"total": {"currency": "EUR", "amount": 10}})
    _, outcome = talk(zuora.perform(euros), subscription())
    assert outcome.code == "currency_differs"


def test_without_a_rate_plan_to_book_on_the_option_is_named(talk, order):
    bare = step(change(order, "refund", refund={"amount": 10}))
    _, outcome = talk(zuora.perform(bare), subscription())
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "refund_rate_plan_missing")
    assert "refundRatePlan" in outcome.message


def test_the_refund_offer_of_the_order_is_what_it_is_booked_on(talk, order):
    attributes = {"offer_type__limio": "refund", "rate_plan__zuora": "Goodwill"}
    offers = [{"offer": {"data": {"attributes": attributes}}}]
    members = {"orderItems": offers}
    named = refund_plan()
    named.body["data"][0]["name"] = "Goodwill"
    replies = (subscription(), named, methods(), memo(), PROCESSED)
    asked, outcome = talk(zuora.perform(at(order, members=members)), *replies)
    assert asked[1].query["filter[]"] == "name.EQ:Goodwill"
    assert isinstance(outcome, Done)


def test_a_gift_is_refunded_by_its_own_charge_on_the_buyers_account(talk, order):
    gift = {"rate_plan__zuora": "Refund", "offer_type__limio": "gift"}
    members = {"isGift": True, "originalOffer": {"data": {"attributes": gift}}}
    debit = said(number="DM-SUBK3V7Q2WXA", accountNumber=ACCOUNT, amount=50, currency="GBP")
    replies = (debit, refund_plan(), methods(), memo(50), PROCESSED)
    asked, outcome = talk(zuora.perform(at(order, 50, members)), *replies)
    assert paths(asked)[0] == "GET /v1/debit-memos/DM-SUBK3V7Q2WXA"
    assert outcome.output["amount"] == "50.00"


def test_a_gift_gives_back_at_most_what_it_cost(talk, order):
    debit = said(number="DM-SUBK3V7Q2WXA", accountNumber=ACCOUNT, amount=50, currency="GBP")
    _, outcome = talk(zuora.perform(at(order, 51, {"isGift": True})), debit)
    assert outcome.code == "refund_too_large"
    _, outcome = talk(zuora.perform(at(order, 51, {"isGift": True})), ABSENT)
    assert outcome.code == "gift_unknown"


def test_after_an_unknown_outcome_memo_and_refund_tell(talk, order):
    ours = {"number": "R-1", "comment": COMMENT, "status": "Processed"}
    _, outcome = talk(zuora.look_up(at(order)), memo(), said(refunds=[ours]))
    assert outcome.output["refundNumber"] == "R-1"
    for replies in ((ABSENT,), (memo(), said(refunds=[]))):
        _, outcome = talk(zuora.look_up(at(order)), *replies)
        assert outcome == NotDone()
    for theirs in ({"status": "Error"}, {"comment": "order order-2"}):
        _, outcome = talk(zuora.look_up(at(order)), memo(), said(refunds=[{**ours, **theirs}]))
        assert outcome == NotDone()


def test_a_credit_is_a_memo_that_the_next_invoice_uses_up(talk, order):
    credit = step(
        change(order, "credit", refund={"amount": "10"}),
        refundRatePlan={"id": "8ad", "charges": {"Credit": CHARGE}},
        reasonCodes={"late": "Late delivery"},
        mapped={"customFields": {"memo": {"OrderId__c": "x"}}},
    )
    asked, outcome = talk(zuora.perform(credit), subscription(), memo())
    assert paths(asked)[-1] == "POST /v1/credit-memos"
    assert asked[-1].body["excludeFromAutoApplyRules"] is False
    assert asked[-1].body["OrderId__c"] == "x"
    assert outcome == Done(
        creditMemoNumber="CM-7Q2KX5M9ADLP", accountNumber=ACCOUNT, amount="10.00", currency="GBP"
    )
    _, outcome = talk(zuora.look_up(credit), memo())
    assert isinstance(outcome, Done)
    _, outcome = talk(zuora.look_up(credit), ABSENT)
    assert outcome == NotDone()
