"""Additions beside the plans that are there, and discounts that keep a subscriber."""

from plugins.api import Done
from plugins.connectors.zuora.examples.scene import (
    END,
    FEE,
    OTHER_FEE,
    OTHER_PLAN,
    PLAN,
    changed,
    offer,
    order,
    step,
    subscription,
)
from tests.unit.connectors.zuora_changes import (
    action_of,
    actions_of,
    days_of,
    kinds_of,
    order_of,
    refusal_of,
    sent,
)

TODAY = "2026-04-15"
PLANS = {"UK Discount": {"id": OTHER_PLAN, "charges": {"20 % off": OTHER_FEE}}}
PRICE = {
    "name": "20 % off",
    "type": "discount",
    "value": "20",
    "repeat_interval": 3,
    "repeat_interval_type": "months",
    "repeat_count": 1,
}
DISCOUNT = offer("UK Discount", offer_type__limio="discount", price__limio=[PRICE])


def saved(*offers, **more):
    return order("add_offer", *(offers or (DISCOUNT,)), **more)


def test_a_discount_comes_on_at_the_end_of_the_term_and_is_not_billed_before(talk):
    asked, outcome = sent(talk, step(saved(), ratePlans=PLANS), subscription())
    assert kinds_of(asked) == ["AddProduct"]
    assert days_of(asked) == [END]
    assert order_of(asked)["processingOptions"] == {"runBilling": False}
    assert outcome == Done(**changed(END))


def test_a_discount_is_so_many_per_cent_for_as_long_as_the_offer_says(talk):
    asked, _ = sent(talk, step(saved(), ratePlans=PLANS), subscription())
    [override] = action_of(asked, "AddProduct")["addProduct"]["chargeOverrides"]
    assert override["productRatePlanChargeId"] == OTHER_FEE
    assert override["pricing"]["discount"]["discountPercentage"] == 20
    assert override["endDate"] == {
        "endDateCondition": "Fixed_Period",
        "upToPeriods": 3,
        "upToPeriodsType": "Months",
    }


def test_why_the_subscriber_wanted_to_go_is_kept_where_the_tenant_has_the_field(talk):
    why = saved(data={"reason": {"id": "too_expensive"}})
    at = step(why, ratePlans=PLANS, customFields=["CancellationReason__c"])
    asked, _ = sent(talk, at, subscription())
    assert order_of(asked)["subscriptions"][0]["customFields"] == {
        "CancellationReason__c": "too_expensive"
    }
    asked, _ = sent(talk, step(why, ratePlans=PLANS), subscription())
    assert "customFields" not in order_of(asked)["subscriptions"][0]


def test_an_add_on_that_counts_at_once_is_billed_but_not_collected(talk):
    at = step(saved(offer(), effectiveDate="immediately"), collectPayment=True)
    asked, outcome = sent(talk, at, subscription())
    processing = order_of(asked)["processingOptions"]
    assert processing["runBilling"] is True
    assert "collectPayment" not in processing
    assert outcome == Done(**changed(TODAY))


def test_each_offer_counts_from_its_own_day(talk):
    now = offer(effective_date__limio="now")
    asked, outcome = sent(talk, step(saved(offer("UK Bundle Quarterly"), now)), subscription())
    assert days_of(asked) == [TODAY, END]
    added = [one["addProduct"]["productRatePlanId"] for one in actions_of(asked)]
    assert added == [PLAN, OTHER_PLAN]
    assert outcome == Done(**changed(TODAY))


def test_the_price_is_the_buyers(talk):
    asked, _ = sent(talk, step(saved(offer(value="9.99"))), subscription())
    [override] = action_of(asked, "AddProduct")["addProduct"]["chargeOverrides"]
    assert override["productRatePlanChargeId"] == FEE
    assert override["pricing"]["recurringFlatFee"]["listPrice"] == 9.99


def test_nothing_is_added_to_what_is_over_by_then(talk):
    ends = {"statusHistory": [{"status": "Cancelled", "startDate": END}]}
    at = step(saved(), ratePlans=PLANS)
    outcome = refusal_of(talk, at, subscription(**ends), looks_it_up=True)
    assert outcome.code == "subscription_cancelled"
    assert END in (outcome.buyer_message or "")


def test_before_the_end_something_may_still_be_added(talk):
    ends = {"statusHistory": [{"status": "Cancelled", "startDate": END}]}
    asked, _ = sent(talk, step(saved(offer(), effectiveDate=TODAY)), subscription(**ends))
    assert days_of(asked) == [TODAY]


def test_an_order_that_adds_nothing_is_refused(talk):
    outcome = refusal_of(talk, step(order("add_offer")), subscription())
    assert outcome.code == "items_missing"
