"""Renewals: one more term, another one, another offer, for ever, early, of its own accord, anew."""

from plugins.api import Done, NotDone, Reply
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    ACCOUNT,
    END,
    HELD_PLAN,
    METHOD,
    NUMBER,
    OTHER_PLAN,
    PLAN,
    START,
    SUBSCRIPTION,
    changed,
    found,
    offer,
    order,
    ordered,
    step,
    subscription,
)
from tests.unit.connectors.zuora_changes import (
    action_of,
    days_of,
    kinds_of,
    order_of,
    refusal_of,
    sent,
)

TODAY = "2026-04-15"
HAD = {"type": "zuora", "zuora": {"paymentMethodId": METHOD}}
ENDS = {"statusHistory": [{"status": "Cancelled", "startDate": END}]}
OVER = {"status": "Cancelled", "subscriptionEndDate": START}
ANEW = f"S-{NUMBER}"


def renewal(*offers, **more):
    return order("renew", *offers, **more)


def terms_in(asked):
    return action_of(asked, "TermsAndConditions")["termsAndConditions"]


def test_a_renewal_follows_the_present_term_with_the_subscriptions_own(talk):
    asked, outcome = sent(talk, step(renewal()), subscription())
    assert kinds_of(asked) == ["RenewSubscription"]
    assert action_of(asked, "RenewSubscription")["renewSubscription"] == {}
    assert days_of(asked) == [END]
    assert outcome == Done(**changed(END))


def test_another_term_is_set_before_it_is_renewed(talk):
    yearly = offer(term__limio={"length": 1, "type": "years"}, price__limio=[])
    asked, _ = sent(talk, step(renewal(yearly)), subscription())
    assert kinds_of(asked) == ["TermsAndConditions", "RenewSubscription"]
    assert terms_in(asked) == {
        "autoRenew": True,
        "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
        "renewalTerms": [{"period": 1, "periodType": "Year"}],
    }


def test_the_price_that_the_buyer_saw_holds_for_the_term_to_come(talk):
    asked, _ = sent(talk, step(renewal(offer(value="21"))), subscription())
    assert kinds_of(asked) == ["TermsAndConditions", "RenewSubscription", "UpdateProduct"]
    updated = action_of(asked, "UpdateProduct")["updateProduct"]
    assert updated["ratePlanId"] == HELD_PLAN
    [charge] = updated["chargeUpdates"]
    assert charge["chargeNumber"] == "C-00000017"
    assert charge["pricing"]["recurringFlatFee"]["listPrice"] == 21


def test_another_offer_comes_on_with_the_new_term(talk):
    asked, _ = sent(talk, step(renewal(offer("UK Bundle Quarterly", "55"))), subscription())
    assert kinds_of(asked) == [
        "TermsAndConditions",
        "RenewSubscription",
        "RemoveProduct",
        "AddProduct",
    ]
    assert days_of(asked) == [END] * 4
    assert action_of(asked, "RemoveProduct")["removeProduct"] == {"ratePlanId": HELD_PLAN}
    assert action_of(asked, "AddProduct")["addProduct"]["productRatePlanId"] == OTHER_PLAN


def test_before_the_end_plans_come_off_and_on_around_a_term_that_begins_anew(talk):
    asked, outcome = sent(talk, step(renewal(effectiveDate="2026-05-01")), subscription())
    assert kinds_of(asked) == ["RemoveProduct", "TermsAndConditions", "AddProduct"]
    assert days_of(asked) == ["2026-05-01"] * 3
    assert terms_in(asked)["lastTerm"] == {
        "termType": "TERMED",
        "period": 3,
        "periodType": "Month",
        "startDate": "2026-05-01",
    }
    assert action_of(asked, "AddProduct")["addProduct"] == {"productRatePlanId": PLAN}
    assert outcome == Done(**changed("2026-05-01"))


def test_an_early_renewal_may_be_onto_another_offer(talk):
    at = step(renewal(offer("UK Bundle Quarterly", "55", effective_date__limio="now")))
    asked, _ = sent(talk, at, subscription())
    assert kinds_of(asked) == ["RemoveProduct", "TermsAndConditions", "AddProduct"]
    assert action_of(asked, "AddProduct")["addProduct"]["productRatePlanId"] == OTHER_PLAN


def test_an_offer_without_a_term_renews_for_ever(talk):
    asked, _ = sent(talk, step(renewal(offer(term__limio={}, price__limio=[]))), subscription())
    assert kinds_of(asked) == ["TermsAndConditions", "RenewSubscription"]
    assert terms_in(asked) == {"renewalSetting": "RENEW_TO_EVERGREEN"}


def test_renewing_of_its_own_accord_is_switched_without_a_renewal(talk):
    for on in (True, False):
        asked, outcome = sent(talk, step(renewal(data={"autoRenew": on})), subscription())
        assert kinds_of(asked) == ["TermsAndConditions"]
        assert terms_in(asked) == {"autoRenew": on}
        assert order_of(asked)["processingOptions"] == {"runBilling": False}
        assert outcome == Done(**changed(TODAY))


def test_what_ends_anyway_need_not_stop_renewing(talk):
    at = step(renewal(data={"autoRenew": False}))
    outcome = refusal_of(talk, at, subscription(**ENDS), looks_it_up=True)
    assert outcome.code == "subscription_cancelled"
    assert END in (outcome.buyer_message or "")


def with_an_add_on():
    charge = {"number": "C-2", "model": "FlatFee"}
    add_on = {"id": "rp2", "ratePlanName": "Archive", "ratePlanCharges": [charge]}
    add_on["productRatePlanId"] = "8ad2"
    return subscription(ratePlans=[subscription().body["ratePlans"][0], add_on])


def test_the_offer_that_is_there_is_renewed_whatever_stands_beside_it(talk):
    asked, _ = sent(talk, step(renewal(offer(value="21"))), with_an_add_on())
    assert kinds_of(asked) == ["TermsAndConditions", "RenewSubscription", "UpdateProduct"]


def test_all_plans_begin_anew_with_an_early_term(talk):
    asked, _ = sent(talk, step(renewal(effectiveDate="2026-05-01")), with_an_add_on())
    assert kinds_of(asked) == [
        "RemoveProduct",
        "RemoveProduct",
        "TermsAndConditions",
        "AddProduct",
        "AddProduct",
    ]


def test_another_offer_must_say_which_of_several_plans_it_replaces(talk):
    outcome = refusal_of(talk, step(renewal(offer("UK Bundle Quarterly"))), with_an_add_on())
    assert outcome.code == "original_offer_missing"


def test_a_renewal_to_come_is_billed_when_it_comes(talk):
    asked, _ = sent(talk, step(renewal()), subscription())
    assert order_of(asked)["processingOptions"] == {"runBilling": False}


def test_who_renews_and_pays_is_billed_for_the_term_to_come_at_once(talk):
    asked, _ = sent(talk, step(renewal(payment=HAD), collectPayment=True), subscription())
    processing = order_of(asked)["processingOptions"]
    assert processing["collectPayment"] is True
    assert processing["billingOptions"]["targetDate"] == END
    assert processing["electronicPaymentOptions"] == {"paymentMethodId": METHOD}


def test_a_term_that_is_over_is_followed_without_a_gap_and_billed(talk):
    lapsed = subscription(termEndDate="2026-04-01", autoRenew=False)
    asked, outcome = sent(talk, step(renewal()), lapsed)
    assert days_of(asked) == ["2026-04-01"]
    assert order_of(asked)["processingOptions"]["runBilling"] is True
    assert outcome == Done(**changed("2026-04-01"))


def test_a_cancellation_to_come_is_taken_back_first(talk):
    cancelling = {
        "orderNumber": "9XB2MT6VCJHD",
        "status": "Completed",
        "subscriptions": [
            {
                "subscriptionNumber": SUBSCRIPTION,
                "orderActions": [{"type": "CancelSubscription"}],
            }
        ],
    }
    orders, gone = (
        Reply(200, {"success": True, "orders": [cancelling]}),
        Reply(200, {"success": True}),
    )
    asked, _ = sent(talk, step(renewal()), subscription(**ENDS), orders, gone, subscription())
    assert [one.method for one in asked] == ["GET", "GET", "DELETE", "GET", "POST"]
    assert kinds_of(asked) == ["RenewSubscription"]


def test_what_has_no_end_is_not_renewed(talk):
    endless = subscription(termType="EVERGREEN", termEndDate=None)
    outcome = refusal_of(talk, step(renewal()), endless, looks_it_up=True)
    assert outcome.code == "subscription_evergreen"


def test_a_subscription_without_a_renewal_term_needs_the_offer(talk):
    outcome = refusal_of(talk, step(renewal()), subscription(renewalTerm=0))
    assert outcome.code == "renewal_term_missing"
    assert "orderItems" in outcome.message


def test_our_own_renewal_is_never_made_twice(talk):
    asked, outcome = talk(
        zuora.perform(step(renewal())), subscription(orderNumber=NUMBER), found(END)
    )
    assert [one.method for one in asked] == ["GET", "GET"]
    assert outcome == Done(**changed(END))


def test_what_is_over_is_sold_anew_to_the_same_account(talk):
    answer = ordered(subscriptions=[{"subscriptionNumber": ANEW}])
    asked, outcome = talk(zuora.perform(step(renewal(offer()))), subscription(**OVER), answer)
    body = order_of(asked)
    assert body["existingAccountNumber"] == ACCOUNT
    [action] = body["subscriptions"][0]["orderActions"]
    assert action["type"] == "CreateSubscription"
    assert action["createSubscription"]["subscriptionNumber"] == ANEW
    assert outcome.output["subscriptionNumber"] == ANEW
    assert outcome.output["effectiveDate"] == TODAY


def test_what_is_over_is_sold_as_it_was_where_the_order_names_no_offer(talk):
    answer = ordered(subscriptions=[{"subscriptionNumber": ANEW}])
    asked, _ = talk(zuora.perform(step(renewal())), subscription(**OVER), answer)
    [action] = order_of(asked)["subscriptions"][0]["orderActions"]
    created = action["createSubscription"]
    assert created["subscribeToRatePlans"] == [{"productRatePlanId": PLAN}]
    assert created["terms"]["initialTerm"] == {
        "termType": "TERMED",
        "period": 3,
        "periodType": "Month",
        "startDate": TODAY,
    }


def test_whichever_renewal_it_was_it_is_looked_for_by_our_number(talk):
    look_up = zuora.look_up
    assert look_up is not None
    _, outcome = talk(look_up(step(renewal())), subscription(), found(END))
    assert outcome == Done(**changed(END))
    _, outcome = talk(look_up(step(renewal())), subscription(), ABSENT)
    assert outcome == NotDone()
    _, outcome = talk(look_up(step(renewal(offer()))), subscription(**OVER), ABSENT)
    assert outcome == NotDone()
