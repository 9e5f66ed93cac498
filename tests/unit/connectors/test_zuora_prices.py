import copy
from dataclasses import replace

import pytest

from plugins.api import Done
from plugins.connectors.zuora import zuora
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_talk import (
    FEE,
    NAME,
    ORDER_DONE,
    ORDERED,
    PLAN,
    attributes,
    charge,
    created,
    found,
    plans,
    refused,
    seats_of,
    step,
)


def test_a_rate_plan_known_by_name_is_looked_up_once(talk, order):
    asked, outcome = talk(
        zuora.perform(step(order(), ratePlans={})), found(plans(charge())), ORDERED
    )
    assert (asked[0].method, asked[0].path) == ("GET", "/object-query/product-rate-plans")
    assert asked[0].query["filter[]"] == f"name.EQ:{NAME}"
    assert outcome == Done(**ORDER_DONE)


def test_several_names_are_still_one_look_up(talk, order):
    two = step(order("orders/two-offers"), ratePlans={})
    fees = [
        plans(charge(), name="UK-UK A Monthly"),
        plans(charge(key="2" * 32), name="Tide Tables Yearly"),
    ]
    asked, _ = talk(zuora.perform(two), found(*fees), ORDERED)
    assert asked[0].query["filter[]"] == "name.IN:[Tide Tables Yearly,UK-UK A Monthly]"
    assert len(asked) == 2


def test_the_price_that_the_buyer_saw_overrides_the_catalogue(body, order):
    [plan] = created(body(step(order(), ratePlans={}), found(plans(charge()))))[
        "subscribeToRatePlans"
    ]
    assert plan == {
        "productRatePlanId": PLAN,
        "chargeOverrides": [
            {
                "productRatePlanChargeId": FEE,
                "pricing": {"recurringFlatFee": {"listPrice": 55}},
            }
        ],
    }


@pytest.mark.parametrize(("value", "listed"), [("25", 25), (25, 25), ("9.90", 9.9), (90.5, 90.5)])
def test_amounts_are_numbers_whether_they_came_as_text_or_not(body, order, value, listed):
    priced = order()
    attributes(priced)["price__limio"][0]["value"] = value
    [plan] = created(body(step(priced)))["subscribeToRatePlans"]
    assert plan["chargeOverrides"][0]["pricing"]["recurringFlatFee"]["listPrice"] == listed


@pytest.mark.parametrize("value", ["a fiver", "NaN", "1e999999", True])
def test_a_price_that_is_no_number_is_refused(talk, order, value):
    priced = order()
    attributes(priced)["price__limio"][0]["value"] = value
    assert refused(talk, step(priced)).code == "price"


def test_a_price_finds_its_charge_by_name(body, order):
    others = found(plans(charge("Charge 1"), charge("Postage", key="2" * 32)))
    [plan] = created(body(step(order(), ratePlans={}), others))["subscribeToRatePlans"]
    assert [o["productRatePlanChargeId"] for o in plan["chargeOverrides"]] == [FEE]


def test_a_price_that_could_be_for_two_charges_is_refused_rather_than_guessed(talk, order):
    others = found(plans(charge("Fee"), charge("Postage", key="2" * 32)))
    outcome = refused(talk, step(order(), ratePlans={}), others)
    assert outcome.code == "charge_unknown"
    assert "productRatePlanChargeId" in outcome.message


def test_discounts_and_charges_of_another_type_are_not_candidates(body, order):
    others = found(
        plans(
            charge("Fee"),
            charge("Welcome", model="Discount-Percentage", key="2" * 32),
            charge("Set-up", kind="OneTime", key="3" * 32),
        )
    )
    [plan] = created(body(step(order(), ratePlans={}), others))["subscribeToRatePlans"]
    assert [o["productRatePlanChargeId"] for o in plan["chargeOverrides"]] == [FEE]


def test_without_known_charges_the_catalogues_price_stands(body, order):
    [plan] = created(body(step(order(), ratePlans={NAME: PLAN})))["subscribeToRatePlans"]
    assert plan == {"productRatePlanId": PLAN}


def test_a_quantity_is_priced_per_unit(body, order):
    seats = found(plans(charge(model="Per Unit Pricing"), name="Newsroom Seats"))
    sent = body(step(seats_of(order), ratePlans={}), seats)
    [plan] = created(sent)["subscribeToRatePlans"]
    pricing = plan["chargeOverrides"][0]["pricing"]
    assert pricing == {"recurringPerUnit": {"listPrice": 12, "quantity": 5}}


def test_a_quantity_of_a_flat_fee_is_refused_rather_than_billed_once(talk, order):
    seats = found(plans(charge(), name="Newsroom Seats"))
    outcome = refused(talk, step(seats_of(order), ratePlans={}), seats)
    assert outcome.code == "quantity"


@pytest.mark.parametrize("data", [[], [plans(charge()), plans(charge())]])
def test_a_name_that_is_no_one_plan_is_the_operators_to_settle(talk, order, data):
    outcome = refused(talk, step(order(), ratePlans={}), found(*data))
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "rate_plan_unknown")


def test_of_two_plans_with_the_name_the_one_on_sale_is_taken(body, order):
    old = {**plans(charge()), "id": "1" * 32, "effectiveEndDate": "2025-01-01"}
    sent = body(step(order(), ratePlans={}), found(old, plans(charge())))
    assert created(sent)["subscribeToRatePlans"][0]["productRatePlanId"] == PLAN


def test_an_offer_that_knows_its_plans_id_needs_no_look_up(body, order):
    direct = order()
    attributes(direct)["productRatePlanId"] = PLAN
    [plan] = created(body(step(direct, ratePlans={})))["subscribeToRatePlans"]
    assert plan["productRatePlanId"] == PLAN


def test_an_offer_without_a_rate_plan_says_which_field_is_missing(talk, order):
    bare = order()
    del attributes(bare)["rate_plan__zuora"]
    message = refused(talk, step(bare)).message
    assert "orderItems[0].offer.data.attributes.rate_plan__zuora" in message


def test_a_bundle_subscribes_to_all_its_plans(body, order):
    bundle = order()
    names = [{"rate_plan": "Digital part"}, {"rate_plan": "Print part"}]
    bundle["orderItems"][0]["offer"]["data"]["productBundles"] = names
    ids = {"Digital part": "1" * 32, "Print part": "2" * 32}
    sent = created(body(step(bundle, ratePlans=ids)))["subscribeToRatePlans"]
    assert [plan["productRatePlanId"] for plan in sent] == list(ids.values())


def test_each_offer_is_a_subscription_of_its_own(body, order):
    ids = {"UK-UK A Monthly": "1" * 32, "Tide Tables Yearly": "2" * 32}
    sent = body(step(order("orders/two-offers"), ratePlans=ids))
    numbers = [created(sent, position)["subscriptionNumber"] for position in (0, 1)]
    assert numbers == ["SUBK3V7Q2WXA", "SUBK3V7Q2WXA-2"]
    assert all(created(sent, position)["invoiceSeparately"] for position in (0, 1))
    assert sent["newAccount"]["currency"] == "EUR"


def test_a_second_zuora_step_has_numbers_of_its_own_and_shares_the_account(order):
    before = {"zuora": {"orderNumber": "7Q2KX5M9ADLP", "accountNumber": "W-7Q2KX5M9ADLP"}}
    second = replace(step(order(), context=before), id="zuora-2")
    sent = next(zuora.perform(second)).body
    assert sent["orderNumber"] == "7Q2KX5M9ADLP-zuora-2"
    assert sent["existingAccountNumber"] == "W-7Q2KX5M9ADLP"
    assert created(sent)["subscriptionNumber"] == "SUBK3V7Q2WXA-zuora-2"


def test_no_items_left_for_zuora_is_refused(talk, order):
    assert refused(talk, step(order(changes={"orderItems": []}))).code == "items_missing"


def test_the_same_step_asks_the_same(order):
    first, again = (next(zuora.perform(step(copy.deepcopy(order())))) for _ in range(2))
    assert first == again


def test_an_order_type_without_a_journey_names_it(talk, order):
    outcome = refused(talk, step(order(changes={"order_type": "renew"})))
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "journey_missing")
    assert "'renew'" in outcome.message
