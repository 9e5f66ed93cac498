"""Switches: terms, the old plan off, the new one on, all from one day."""

import pytest

from plugins.api import Done, NotDone, Reply
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    ACCOUNT,
    END,
    HELD_PLAN,
    HOSTED_PAGE,
    METHOD,
    NUMBER,
    OTHER_FEE,
    OTHER_PLAN,
    PLAN,
    SUBSCRIPTION,
    changed,
    found,
    offer,
    order,
    ordered,
    refused,
    step,
    subscription,
)
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_changes import (
    action_of,
    days_of,
    kinds_of,
    order_of,
    refusal_of,
    sent,
)

TODAY = "2026-04-15"
OK = Reply(200, {"success": True, "id": METHOD})
BUNDLE = offer("UK Bundle Quarterly", "55")
NOW = offer("UK Bundle Quarterly", "55", effective_date__limio="immediately")


def switch(*offers, **more):
    return order("change_offer", *(offers or (BUNDLE,)), **more)


def plan(key, product, name, **more):
    charge = {"number": f"C-{key}", "model": "FlatFee"}
    return {
        "id": key,
        "productRatePlanId": product,
        "ratePlanName": name,
        "ratePlanCharges": [charge],
        **more,
    }


def test_the_three_actions_count_from_the_end_of_the_term(talk):
    asked, outcome = sent(talk, step(switch()), subscription())
    assert kinds_of(asked) == ["TermsAndConditions", "RemoveProduct", "AddProduct"]
    assert days_of(asked) == [END, END, END]
    body = order_of(asked)
    assert body["existingAccountNumber"] == ACCOUNT
    assert body["orderNumber"] == NUMBER
    assert body["subscriptions"][0]["subscriptionNumber"] == SUBSCRIPTION
    assert outcome == Done(**changed(END))


def test_the_new_term_begins_with_the_change_and_renews_as_the_offer_does(talk):
    asked, _ = sent(talk, step(switch()), subscription())
    assert action_of(asked, "TermsAndConditions")["termsAndConditions"] == {
        "lastTerm": {"termType": "TERMED", "period": 3, "periodType": "Month", "startDate": END},
        "autoRenew": True,
        "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
        "renewalTerms": [{"period": 3, "periodType": "Month"}],
    }


def test_the_old_plan_goes_and_the_new_one_comes_at_the_buyers_price(talk):
    asked, _ = sent(talk, step(switch()), subscription())
    assert action_of(asked, "RemoveProduct")["removeProduct"] == {"ratePlanId": HELD_PLAN}
    added = action_of(asked, "AddProduct")["addProduct"]
    assert added["productRatePlanId"] == OTHER_PLAN
    [override] = added["chargeOverrides"]
    assert override["productRatePlanChargeId"] == OTHER_FEE
    assert override["pricing"]["recurringFlatFee"]["listPrice"] == 55


def test_what_counts_later_is_billed_later_and_never_collected_now(talk):
    at = step(switch(payment={"type": "zuora", "paymentMethodId": METHOD}), collectPayment=True)
    asked, _ = sent(talk, at, subscription())
    assert order_of(asked)["processingOptions"] == {"runBilling": False}


def test_what_counts_at_once_is_billed_and_collected_by_the_method_named(talk):
    had = {"type": "zuora", "zuora": {"paymentMethodId": METHOD}}
    asked, _ = sent(talk, step(switch(NOW, payment=had), collectPayment=True), subscription())
    assert order_of(asked)["processingOptions"] == {
        "runBilling": True,
        "collectPayment": True,
        "applyCredit": True,
        "applicationOrder": ["CreditMemo", "UnappliedPayment"],
        "billingOptions": {"targetDate": TODAY, "documentDate": TODAY},
        "electronicPaymentOptions": {"paymentMethodId": METHOD},
    }


def test_without_a_method_the_member_that_collects_is_left_out(talk):
    asked, _ = sent(talk, step(switch(NOW), collectPayment=True), subscription())
    assert "collectPayment" not in order_of(asked)["processingOptions"]


def test_a_method_of_the_hosted_page_is_attached_first_then_used(talk):
    at = step(switch(NOW, payment=HOSTED_PAGE), collectPayment=True, paymentProfiles=True)
    asked, _ = sent(talk, at, subscription(), OK)
    attach = asked[-2]
    assert (attach.method, attach.path) == ("PUT", f"/v1/payment-methods/{METHOD}")
    assert attach.body == {"accountKey": ACCOUNT}
    terms = action_of(asked, "TermsAndConditions")["termsAndConditions"]
    assert terms["paymentProfile"] == {"paymentMethodId": METHOD}


def test_the_payment_manager_finds_the_method_on_the_subscription(talk):
    at = step(switch(NOW, payment=HOSTED_PAGE), apm=True, paymentGateway="Adyen UK")
    asked, _ = sent(talk, at, subscription(), OK)
    assert order_of(asked)["subscriptions"][0]["customFields"] == {
        "PaymentMethodId__c": METHOD,
        "PaymentGateway__c": "Adyen UK",
    }


def test_one_plan_for_one_may_go_as_change_plan(talk):
    asked, _ = sent(talk, step(switch(), changePlan=True), subscription())
    assert kinds_of(asked) == ["TermsAndConditions", "ChangePlan"]
    changed_plan = action_of(asked, "ChangePlan")["changePlan"]
    assert changed_plan["ratePlanId"] == HELD_PLAN
    assert changed_plan["effectivePolicy"] == "SpecificDate"
    assert changed_plan["newProductRatePlan"]["productRatePlanId"] == OTHER_PLAN


def test_two_plans_for_one_go_as_remove_and_add_even_so(talk):
    held = [plan("rp1", PLAN, "UK Digital Quarterly"), plan("rp2", "8ad", "Archive")]
    bundles = [{"rate_plan": "UK Digital Quarterly"}, {"rate_plan": "Archive"}]
    both = {"data": {"productBundles": bundles}}
    at = step(switch(originalOffer=both), changePlan=True)
    asked, _ = sent(talk, at, subscription(ratePlans=held))
    assert kinds_of(asked) == [
        "TermsAndConditions",
        "RemoveProduct",
        "RemoveProduct",
        "AddProduct",
    ]


def test_the_original_offer_says_which_plan_goes(talk):
    held = [plan("rp1", PLAN, "UK Digital Quarterly"), plan("rp2", "8ad", "Archive")]
    original = {"data": {"attributes": {"rate_plan__zuora": "Archive"}}}
    at = step(switch(originalOffer=original))
    asked, _ = sent(talk, at, subscription(ratePlans=held))
    assert action_of(asked, "RemoveProduct")["removeProduct"] == {"ratePlanId": "rp2"}


def test_where_several_plans_could_go_the_order_must_say_which(talk):
    held = [plan("rp1", PLAN, "UK Digital Quarterly"), plan("rp2", "8ad", "Archive")]
    outcome = refusal_of(talk, step(switch()), subscription(ratePlans=held))
    assert outcome.code == "original_offer_missing"
    assert "originalOffer" in outcome.message


def test_discounts_and_what_is_removed_already_do_not_count(talk):
    discount = plan("rp2", "8ad", "20 % off")
    discount["ratePlanCharges"][0]["model"] = "DiscountPercentage"
    held = [
        plan("rp0", "8ae", "Old", lastChangeType="Remove"),
        discount,
        plan("rp1", PLAN, "UK Digital Quarterly"),
    ]
    asked, _ = sent(talk, step(switch()), subscription(ratePlans=held))
    assert action_of(asked, "RemoveProduct")["removeProduct"] == {"ratePlanId": "rp1"}


def test_a_plan_that_went_already_is_refused_after_our_own_order_was_looked_for(talk):
    original = {"data": {"attributes": {"rate_plan__zuora": "Archive"}}}
    at = step(switch(originalOffer=original))
    outcome = refusal_of(talk, at, subscription(), looks_it_up=True)
    assert outcome.code == "rate_plan_not_on_subscription"
    assert "Archive" in outcome.message


def test_what_an_earlier_attempt_did_is_found_though_its_plan_is_gone(talk):
    gone = [plan("rp1", OTHER_PLAN, "UK Bundle Quarterly")]
    original = {"data": {"attributes": {"rate_plan__zuora": "UK Digital Quarterly"}}}
    at = step(switch(originalOffer=original))
    asked, outcome = talk(zuora.perform(at), subscription(ratePlans=gone), found(END))
    assert outcome == Done(**changed(END))
    assert all(request.call is None for request in asked)


def test_the_version_that_is_our_own_order_is_not_changed_again(talk):
    asked, outcome = talk(
        zuora.perform(step(switch())), subscription(orderNumber=NUMBER), found(END)
    )
    assert outcome == Done(**changed(END))
    assert [request.method for request in asked] == ["GET", "GET"]


def test_a_cancelled_subscription_is_not_switched_and_the_buyer_is_told(talk):
    over = subscription(status="Cancelled", subscriptionEndDate="2026-04-01")
    outcome = refusal_of(talk, step(switch()), over, looks_it_up=True)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "subscription_cancelled")
    assert "cancelled" in (outcome.buyer_message or "")


def test_an_unknown_subscription_is_refused(talk):
    outcome = refusal_of(talk, step(switch()), Reply(404, {"success": False}))
    assert outcome.code == "subscription_unknown"
    assert "forSubscription" in outcome.message


def test_a_discount_is_not_changed_to(talk):
    discount = offer(offer_type__limio="discount")
    assert refusal_of(talk, step(switch(discount)), subscription()).code == "discount_offer"


def test_another_currency_is_a_new_subscription(talk):
    euros = {**BUNDLE, "price": {"currency": "EUR", "amount": 60}}
    outcome = refusal_of(talk, step(switch(euros)), subscription())
    assert outcome.code == "currency_differs"
    assert "currency" in (outcome.buyer_message or "")


def test_offers_of_one_subscription_need_equal_terms(talk):
    yearly = offer(term__limio={"length": 1, "type": "years"})
    assert refusal_of(talk, step(switch(BUNDLE, yearly)), subscription()).code == "terms_differ"


def cancelling(number="9XB2MT6VCJHD", created="2026-04-01", **more):
    actions = [{"type": "CancelSubscription"}]
    return {
        "orderNumber": number,
        "status": "Completed",
        "createdDate": created,
        "subscriptions": [{"subscriptionNumber": SUBSCRIPTION, "orderActions": actions}],
        **more,
    }


ENDS = {"statusHistory": [{"status": "Cancelled", "startDate": END}]}


def test_a_cancellation_to_come_is_deleted_once_the_switch_is_known_to_be_possible(talk):
    orders = Reply(
        200, {"success": True, "orders": [cancelling(), cancelling("OLD", "2026-03-01")]}
    )
    asked, outcome = sent(
        talk, step(switch()), subscription(**ENDS), orders, OK, subscription(version=3)
    )
    assert [(one.method, one.path) for one in asked] == [
        ("GET", f"/v1/subscriptions/{SUBSCRIPTION}"),
        ("GET", f"/v1/orders/subscription/{SUBSCRIPTION}"),
        ("DELETE", "/v1/orders/9XB2MT6VCJHD"),
        ("GET", f"/v1/subscriptions/{SUBSCRIPTION}"),
        ("POST", "/v1/orders"),
    ]
    assert outcome == Done(**changed(END))


def coming_back(talk, *answers):
    orders = Reply(200, {"success": True, "orders": [cancelling()]})
    before = (subscription(**ENDS), orders, OK, subscription(version=3))
    asked, outcome = talk(zuora.perform(step(switch())), *before, *answers)
    return asked[-1], outcome


@pytest.mark.parametrize("status", [200, 400])
def test_who_cannot_come_back_has_still_cancelled(talk, status):
    declined = Reply(status, refused(53100399, "Transaction declined. 05").body)
    again, outcome = coming_back(talk, declined, OK)
    assert (again.path, again.call) == ("/v1/orders", "cancel-as-9XB2MT6VCJHD-R")
    assert again.body["orderNumber"] == "9XB2MT6VCJHD-R"
    [action] = again.body["subscriptions"][0]["orderActions"]
    assert action["cancelSubscription"] == {
        "cancellationPolicy": "SpecificDate",
        "cancellationEffectiveDate": END,
    }
    assert (outcome.kind, outcome.call) == (ErrorKind.DECLINED, "create-order")
    assert f"the cancellation as of {END} is booked again" in outcome.message


def test_a_cancellation_that_cannot_be_booked_again_is_told(talk):
    declined = refused(53100399, "Transaction declined. 05")
    _, outcome = coming_back(talk, declined, refused(53100350, "The account is locked."))
    assert outcome.kind is ErrorKind.DECLINED
    assert "book it again in Zuora" in outcome.message


def test_a_method_is_attached_before_the_cancellation_is_taken_back(talk):
    orders = Reply(200, {"success": True, "orders": [cancelling()]})
    at = step(switch(payment=HOSTED_PAGE), paymentProfiles=True)
    asked, _ = sent(talk, at, subscription(**ENDS), OK, orders, OK, subscription())
    assert [one.method for one in asked] == ["GET", "PUT", "GET", "DELETE", "GET", "POST"]


def test_a_switch_that_cannot_be_leaves_the_cancellation_as_it_is(talk):
    discount = offer(offer_type__limio="discount")
    refusal_of(talk, step(switch(discount)), subscription(**ENDS))


def test_a_cancellation_that_terms_scheduled_is_cleared_with_the_switch(talk):
    asked, _ = sent(talk, step(switch()), subscription(scheduledCancelDate=END))
    terms = action_of(asked, "TermsAndConditions")["termsAndConditions"]
    assert terms["clearingScheduledCancelDate"] is True


def test_a_cancellation_that_no_order_made_is_left_to_a_person(talk):
    orders = Reply(200, {"success": True, "orders": [cancelling(status="Cancelled")]})
    outcome = refusal_of(talk, step(switch()), subscription(**ENDS), orders)
    assert outcome.code == "cancel_order_unknown"


def test_a_date_that_moved_is_told_as_a_warning(talk):
    _, outcome = sent(talk, step(switch(effectiveDate="2027-01-01")), subscription())
    assert isinstance(outcome, Done)
    assert outcome.output["effectiveDate"] == END
    assert "2027-01-01" in outcome.output["warnings"][0]


def test_the_order_is_looked_for_by_our_number_and_must_be_for_the_subscription(talk):
    look_up = zuora.look_up
    assert look_up is not None
    [asked], outcome = talk(look_up(step(switch())), found(END))
    assert asked.path == f"/v1/orders/{NUMBER}"
    assert outcome == Done(**changed(END))
    _, outcome = talk(look_up(step(switch())), ABSENT)
    assert outcome == NotDone()
    foreign = found(END)
    foreign.body["order"]["subscriptions"][0]["subscriptionNumber"] = "ANOTHER"
    _, outcome = talk(look_up(step(switch())), foreign)
    assert outcome.code == "order_number_taken"


@pytest.mark.parametrize("status", ["Cancelled", "Failed"])
def test_an_order_that_is_not_in_force_is_settled_by_a_person(talk, status):
    look_up = zuora.look_up
    assert look_up is not None
    reply = found(END)
    reply.body["order"]["status"] = status
    _, outcome = talk(look_up(step(switch())), reply)
    assert outcome.code == "order_not_in_force"


def test_a_closed_period_is_zuoras_refusal_and_final(talk):
    closed = refused(53100330, "The accounting period is closed.")
    _, outcome = talk(zuora.perform(step(switch())), subscription(), closed)
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "53100330")


def test_the_answer_must_be_for_our_order(talk):
    _, outcome = talk(zuora.perform(step(switch())), subscription(), ordered(orderNumber="X"))
    assert outcome.code == "order_number"
