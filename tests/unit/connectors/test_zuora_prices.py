import copy
from dataclasses import replace

import pytest
from pydantic import ValidationError

from plugins.api import Done
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.options import ZuoraOptions
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_talk import (
    FEE,
    NAME,
    ORDER_DONE,
    ORDERED,
    PLAN,
    TWO,
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
                "pricing": {
                    "recurringFlatFee": {
                        "listPrice": 55,
                        "priceChangeOption": "UseLatestProductCatalogPricing",
                    }
                },
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


def test_where_only_the_plans_id_is_known_its_charges_are_looked_up(talk, order):
    asked, _ = talk(
        zuora.perform(step(order(), ratePlans={NAME: PLAN})), found(plans(charge())), ORDERED
    )
    assert asked[0].query["filter[]"] == f"id.EQ:{PLAN}"
    [plan] = created(asked[1].body)["subscribeToRatePlans"]
    assert plan["chargeOverrides"][0]["productRatePlanChargeId"] == FEE


def test_a_price_without_any_charge_is_refused_rather_than_left_to_the_catalogue(talk, order):
    outcome = refused(talk, step(order(), ratePlans={}), found(plans()))
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "charge_unknown")


def test_an_offer_without_prices_costs_what_the_catalogue_says(body, order):
    bare = order()
    del attributes(bare)["price__limio"]
    [plan] = created(body(step(bare, ratePlans={NAME: PLAN})))["subscribeToRatePlans"]
    assert plan == {"productRatePlanId": PLAN}


@pytest.mark.parametrize(
    ("given", "priced"),
    [
        ({"priceChangeOption": "NoChange"}, {"priceChangeOption": "NoChange"}),
        (
            {"priceChangeOption": "SpecificPercentageValue", "priceIncreasePercentage": 3},
            {"priceChangeOption": "SpecificPercentageValue", "priceIncreasePercentage": 3},
        ),
    ],
)
def test_what_follows_the_first_term_is_said_and_not_left_to_the_tenants_default(
    body, order, given, priced
):
    [plan] = created(body(step(order(), **given)))["subscribeToRatePlans"]
    assert plan["chargeOverrides"][0]["pricing"] == {
        "recurringFlatFee": {"listPrice": 55, **priced}
    }


def test_a_percentage_goes_with_its_option_only():
    with pytest.raises(ValidationError, match="SpecificPercentageValue"):
        ZuoraOptions.model_validate({"priceIncreasePercentage": 3})


def test_a_one_off_price_does_not_come_again(body, order):
    once = order()
    attributes(once)["price__limio"][0]["type"] = "one_off"
    fee = found(plans(charge(kind="OneTime")))
    [plan] = created(body(step(once, ratePlans={}), fee))["subscribeToRatePlans"]
    assert plan["chargeOverrides"][0]["pricing"] == {"oneTimeFlatFee": {"listPrice": 55}}


def test_after_a_free_time_the_charge_begins_on_a_day_of_its_own(body, order):
    free = order()
    attributes(free)["price__limio"][0] |= {"delay_interval": 2, "delay_interval_type": "weeks"}
    [plan] = created(body(step(free)))["subscribeToRatePlans"]
    assert plan["chargeOverrides"][0]["startDate"] == {
        "triggerEvent": "SpecificDate",
        "specificTriggerDate": "2026-12-15",
    }


@pytest.mark.parametrize(
    ("model", "pricing"),
    [
        ("Discount-Percentage", {"discountPercentage": 20}),
        ("Discount-Fixed Amount", {"discountAmount": 20}),
    ],
)
def test_a_discount_lasts_as_long_as_its_interval(body, order, model, pricing):
    less = order()
    attributes(less)["offer_type__limio"] = "discount"
    attributes(less)["price__limio"][0] |= {"value": "20", "repeat_count": 2}
    charges = found(plans(charge(), charge("Less", model=model, key="2" * 32)))
    [plan] = created(body(step(less, ratePlans={}), charges))["subscribeToRatePlans"]
    renewed = {"priceChangeOption": "UseLatestProductCatalogPricing"}
    assert plan["chargeOverrides"] == [
        {
            "productRatePlanChargeId": "2" * 32,
            "pricing": {"discount": {**pricing, **renewed}},
            "endDate": {
                "endDateCondition": "Fixed_Period",
                "upToPeriods": 6,
                "upToPeriodsType": "Months",
            },
        }
    ]


def test_more_than_the_whole_price_is_no_discount(talk, order):
    less = order()
    attributes(less)["price__limio"][0] |= {"type": "discount", "value": "101"}
    charges = found(plans(charge("Less", model="Discount-Percentage")))
    assert refused(talk, step(less, ratePlans={}), charges).code == "discount"


def test_a_quantity_is_priced_per_unit(body, order):
    seats = found(plans(charge(model="Per Unit Pricing"), name="Newsroom Seats"))
    sent = body(step(seats_of(order), ratePlans={}), seats)
    [plan] = created(sent)["subscribeToRatePlans"]
    pricing = plan["chargeOverrides"][0]["pricing"]
    renewed = {"priceChangeOption": "UseLatestProductCatalogPricing"}
    assert pricing == {"recurringPerUnit": {"listPrice": 12, "quantity": 5, **renewed}}


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


def test_an_offer_that_knows_its_plan_and_charge_needs_no_look_up(body, order):
    direct = order()
    attributes(direct)["productRatePlanId"] = PLAN
    attributes(direct)["price__limio"][0]["productRatePlanChargeId"] = FEE
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
    known = {name: {"id": key, "charges": {name: key}} for name, key in ids.items()}
    attributes(bundle)["price__limio"][0]["label"] = "Print part"
    sent = created(body(step(bundle, ratePlans=known)))["subscribeToRatePlans"]
    assert [plan["productRatePlanId"] for plan in sent] == list(ids.values())
    assert ["chargeOverrides" in plan for plan in sent] == [False, True]


def test_each_offer_is_a_subscription_of_its_own(body, order):
    sent = body(step(order("orders/two-offers"), ratePlans=TWO))
    numbers = [created(sent, position)["subscriptionNumber"] for position in (0, 1)]
    assert numbers == ["SUBK3V7Q2WXA", "SUBK3V7Q2WXA-2"]
    assert all(created(sent, position)["invoiceSeparately"] for position in (0, 1))
    assert sent["newAccount"]["currency"] == "EUR"


def test_a_second_zuora_step_has_numbers_of_its_own_and_shares_the_account(order):
    before = {"zuora": {"orderNumber": "7Q2KX5M9ADLP", "accountNumber": "W-7Q2KX5M9ADLP"}}
    paying = order(changes={"payment": {"type": "invoice"}})
    second = replace(step(paying, context=before), id="zuora-2")
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
    outcome = refused(talk, step(order(changes={"order_type": "lend"})))
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "journey_missing")
    assert "'lend'" in outcome.message
