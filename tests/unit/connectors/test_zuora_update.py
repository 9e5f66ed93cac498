"""Updates of what a subscription holds, activations, and what happened in Zuora itself."""

import pytest

from plugins.api import Done, NotDone, Reply
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.examples.scene import (
    ABSENT,
    END,
    HELD_PLAN,
    OTHER_PLAN,
    SUBSCRIPTION,
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
    refusal_of,
    sent,
)

TODAY = "2026-04-15"
OK = Reply(200, {"success": True})


def item(kind, plan="UK Digital Quarterly", value="25", quantity=1, **more):
    return {
        **offer(plan, value, **more),
        "orderItemActionType": kind,
        "quantity": quantity,
    }


def update(*items):
    return order("update_subscription", *items)


def seats(quantity=5):
    charge = {"number": "C-1", "model": "PerUnit", "quantity": quantity, "price": 9}
    plan = {"id": HELD_PLAN, "ratePlanName": "Seats", "ratePlanCharges": [charge]}
    return subscription(ratePlans=[plan])


def test_an_add_on_comes_on_at_once_beside_the_base(talk):
    asked, outcome = sent(talk, step(update(item("add", "UK Bundle Quarterly"))), subscription())
    assert kinds_of(asked) == ["AddProduct"]
    assert days_of(asked) == [TODAY]
    assert action_of(asked, "AddProduct")["addProduct"]["productRatePlanId"] == OTHER_PLAN
    assert outcome == Done(**changed(TODAY))


def test_an_add_on_comes_off_at_the_end_of_the_term(talk):
    asked, outcome = sent(talk, step(update(item("remove"))), subscription())
    assert action_of(asked, "RemoveProduct")["removeProduct"] == {"ratePlanId": HELD_PLAN}
    assert days_of(asked) == [END]
    assert outcome == Done(**changed(END))


def test_another_price_counts_at_once(talk):
    asked, _ = sent(talk, step(update(item("update", value="27"))), subscription())
    updated = action_of(asked, "UpdateProduct")["updateProduct"]
    assert updated["ratePlanId"] == HELD_PLAN
    assert updated["chargeUpdates"][0]["pricing"]["recurringFlatFee"]["listPrice"] == 27
    assert days_of(asked) == [TODAY]


@pytest.mark.parametrize(("quantity", "day"), [(7, TODAY), (3, END)])
def test_more_counts_at_once_and_less_from_the_end_of_the_term(talk, quantity, day):
    counted = item("update", "Seats", quantity=quantity, price__limio=[])
    at = step(update(counted), ratePlans={"Seats": "8ad"})
    asked, _ = sent(talk, at, seats())
    updated = action_of(asked, "UpdateProduct")["updateProduct"]
    assert updated["chargeUpdates"] == [
        {"chargeNumber": "C-1", "pricing": {"recurringPerUnit": {"quantity": quantity}}}
    ]
    assert days_of(asked) == [day]


def test_actions_stand_in_the_order_of_their_days(talk):
    both = update(item("remove"), item("add", "UK Bundle Quarterly"))
    asked, _ = sent(talk, step(both), subscription())
    assert kinds_of(asked) == ["AddProduct", "RemoveProduct"]
    assert days_of(asked) == [TODAY, END]


def test_the_offer_or_the_order_says_otherwise(talk):
    late = update(item("add", "UK Bundle Quarterly", effective_date__limio="end of term"))
    asked, _ = sent(talk, step(late), subscription())
    assert days_of(asked) == [END]
    asked, _ = sent(talk, step({**late, "effectiveDate": "2026-05-01"}), subscription())
    assert days_of(asked) == ["2026-05-01"]


def test_an_item_without_an_action_is_added(talk):
    plain = offer("UK Bundle Quarterly")
    asked, _ = sent(talk, step(update(plain)), subscription())
    assert kinds_of(asked) == ["AddProduct"]


def test_what_is_not_there_is_not_changed(talk):
    for kind in ("remove", "update"):
        at = step(update(item(kind, "UK Bundle Quarterly")))
        outcome = refusal_of(talk, at, subscription(), looks_it_up=True)
        assert outcome.code == "rate_plan_not_on_subscription"


@pytest.mark.parametrize(
    ("items", "code"),
    [
        ([], "items_missing"),
        ([item("swap")], "action_type"),
        ([item("update", price__limio=[])], "nothing_to_update"),
    ],
)
def test_an_order_that_says_nothing_is_refused(talk, items, code):
    assert refusal_of(talk, step(update(*items)), subscription()).code == code


def test_what_comes_off_need_not_be_in_the_catalogue_any_more(talk):
    asked, _ = sent(talk, step(update(item("remove")), ratePlans={}), subscription())
    assert [one.path for one in asked] == [f"/v1/subscriptions/{SUBSCRIPTION}", "/v1/orders"]
    assert len(actions_of(asked)) == 1


PENDING = subscription(status="Pending Activation", serviceActivationDate=None)


def test_an_activation_dates_the_order_that_sold_the_subscription(talk):
    asked, outcome = talk(zuora.perform(step(order("activation"))), PENDING, OK, subscription())
    dated = asked[1]
    assert (dated.method, dated.path) == ("PUT", "/v1/orders/3HW8ZN4KQRTB/triggerDates")
    assert dated.body == {
        "subscriptions": [
            {
                "subscriptionNumber": SUBSCRIPTION,
                "orderActions": [
                    {
                        "sequence": 0,
                        "triggerDates": [
                            {"name": "ServiceActivation", "triggerDate": TODAY},
                            {"name": "CustomerAcceptance", "triggerDate": TODAY},
                        ],
                    }
                ],
            }
        ]
    }
    assert outcome.output["status"] == "Active"
    assert outcome.output["effectiveDate"] == TODAY


def test_the_order_may_say_the_day_of_the_activation(talk):
    at = step(order("activation", effectiveDate="2026-04-20"))
    asked, _ = talk(zuora.perform(at), PENDING, OK, subscription())
    [dates] = [one["triggerDates"] for one in asked[1].body["subscriptions"][0]["orderActions"]]
    assert {one["triggerDate"] for one in dates} == {"2026-04-20"}


def test_what_only_waits_for_its_acceptance_gets_that(talk):
    pending = subscription(status="Pending Acceptance")
    asked, _ = talk(zuora.perform(step(order("activation"))), pending, OK, subscription())
    [dates] = [one["triggerDates"] for one in asked[1].body["subscriptions"][0]["orderActions"]]
    assert [one["name"] for one in dates] == ["CustomerAcceptance"]


def test_what_is_active_is_left_so(talk):
    asked, outcome = talk(zuora.perform(step(order("activation"))), subscription())
    assert len(asked) == 1
    assert outcome.output["status"] == "Active"


def test_what_is_over_is_not_activated(talk):
    over = subscription(status="Cancelled")
    outcome = refusal_of(talk, step(order("activation")), over)
    assert outcome.code == "subscription_not_pending"


def test_the_status_tells_whether_the_activation_came_through(talk):
    look_up = zuora.look_up
    assert look_up is not None
    _, outcome = talk(look_up(step(order("activation"))), PENDING)
    assert outcome == NotDone()
    _, outcome = talk(look_up(step(order("activation"))), subscription())
    assert isinstance(outcome, Done)


def test_what_happened_in_zuora_is_handed_on_without_a_change(talk):
    ends = subscription(statusHistory=[{"status": "Cancelled", "startDate": END}], version=4)
    [asked], outcome = talk(zuora.perform(step(order("external"))), ends)
    assert asked.call is None
    assert outcome.output["version"] == 4
    assert outcome.output["cancelledFrom"] == END
    assert outcome.output["ratePlans"][0]["name"] == "UK Digital Quarterly"


def test_an_event_about_an_unknown_subscription_is_refused(talk):
    assert refusal_of(talk, step(order("external")), ABSENT).code == "subscription_unknown"
