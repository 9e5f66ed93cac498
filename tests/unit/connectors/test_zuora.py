import copy
from dataclasses import replace

import pytest
from pydantic import ValidationError

from plugins.api import Done, Failed, NotDone, Reply, Step, Unknown
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.envelope import errors
from plugins.connectors.zuora.options import ZuoraOptions
from schemas.steps import ErrorKind

PLAN, FEE = "8ad09be48db5aba7018db604776d4854", "8ad09be48db5aba7018db60477724859"
METHOD = "8ad0a2b69c3d1e4f019c4b7722aa5510"
NAME = "UK-UK Bundle Quarterly"
ORDERED = Reply(
    200,
    {
        "success": True,
        "orderNumber": "7Q2KX5M9ADLP",
        "accountNumber": "W-7Q2KX5M9ADLP",
        "status": "Completed",
        "subscriptions": [{"subscriptionNumber": "SUBK3V7Q2WXA"}],
        "invoiceNumbers": ["INV1"],
    },
)
ORDER_DONE = {
    "accountNumber": "W-7Q2KX5M9ADLP",
    "orderNumber": "7Q2KX5M9ADLP",
    "status": "Completed",
    "subscriptionNumber": "SUBK3V7Q2WXA",
    "subscriptionNumbers": ["SUBK3V7Q2WXA"],
    "invoiceNumbers": ["INV1"],
}


def step(order, mapped=None, context=None, **given):
    given.setdefault("ratePlans", {NAME: {"id": PLAN, "charges": {"Charge 1": FEE}}})
    options = ZuoraOptions.model_validate(given)
    return Step(
        id="zuora", order=order, options=options, context=context or {}, mapped=mapped or {}
    )


def charge(name="Fee", kind="Recurring", model="Flat Fee Pricing", key=FEE):
    return {"id": key, "name": name, "chargeType": kind, "chargeModel": model}


def plans(*charges, name=NAME, **more):
    return {"id": PLAN, "name": name, "productRatePlanCharges": list(charges), **more}


def found(*data):
    return Reply(200, {"data": list(data)})


@pytest.fixture
def body(talk):
    """The order that is sent."""

    def sent(at, *replies):
        asked, _ = talk(zuora.perform(at), *replies, ORDERED)
        return asked[-1].body

    return sent


def created(order_body, position=0):
    [action] = order_body["subscriptions"][position]["orderActions"]
    return action["createSubscription"]


def attributes(order, position=0):
    return order["orderItems"][position]["offer"]["data"]["attributes"]


def seats_of(order, quantity=5):
    seats = order("orders/invoice-evergreen")
    seats["orderItems"][0]["quantity"] = quantity
    return seats


def refused(talk, at, *replies):
    asked, outcome = talk(zuora.perform(at), *replies)
    assert all(request.method == "GET" for request in asked), "nothing may be ordered"
    assert isinstance(outcome, Failed)
    return outcome


# The order


def test_a_new_order_is_one_request_with_numbers_of_our_own(talk, order):
    [asked], outcome = talk(zuora.perform(step(order())), ORDERED)
    assert (asked.method, asked.path, asked.query) == ("POST", "/v1/orders", {"returnIds": "true"})
    assert asked.call == "create-order"
    assert asked.headers == {"Zuora-Version": "2025-08-12", "Zuora-Track-Id": "order-1.zuora"}
    assert asked.body["orderNumber"] == "7Q2KX5M9ADLP"
    assert asked.body["newAccount"]["accountNumber"] == "W-7Q2KX5M9ADLP"
    assert created(asked.body)["subscriptionNumber"] == "SUBK3V7Q2WXA"
    assert outcome == Done(**ORDER_DONE)


def test_billing_and_delivery_addresses_become_bill_to_and_sold_to(body, order):
    account = body(step(order()))["newAccount"]
    assert account["billToContact"] == {
        "firstName": "Maren",
        "lastName": "Tidewell",
        "personalEmail": "maren.tidewell@example.com",
        "mobilePhone": "+44 20 7946 0158",
        "address1": "12 Lantern Row",
        "address2": "Flat 3",
        "city": "Harbourmouth",
        "state": "Cornwall",
        "postalCode": "TR99 4ZZ",
        "country": "GB",
    }
    assert account["soldToContact"]["address1"] == "The Boathouse"


def test_an_order_without_any_address_is_billed_to_the_buyer_in_its_country(body, order):
    bare = order(changes={"billingDetails": None, "deliveryDetails": None})
    account = body(step(bare))["newAccount"]
    assert account["billToContact"] == account["soldToContact"]
    assert account["billToContact"]["country"] == "GB"
    assert account["billToContact"]["lastName"] == "Tidewell"


def test_a_present_is_billed_to_the_buyer_wherever_it_is_delivered(body, order):
    present = {"firstName": "Linnet", "lastName": "Marsh", "city": "Reedham"}
    account = body(step(order(changes={"billingDetails": {}, "deliveryDetails": present})))
    assert account["newAccount"]["billToContact"]["lastName"] == "Tidewell"
    assert account["newAccount"]["soldToContact"]["lastName"] == "Marsh"


def test_an_order_that_names_nobody_is_refused(talk, order):
    empty = order(changes={"customerDetails": {}, "billingDetails": {}, "deliveryDetails": {}})
    assert "customerDetails.lastName" in refused(talk, step(empty)).message


def test_the_hosted_pages_method_becomes_the_accounts_default(body, order):
    account = body(step(order()))["newAccount"]
    assert (account["hpmCreditCardPaymentMethodId"], account["autoPay"]) == (METHOD, True)


def test_an_order_without_a_method_is_neither_collected_nor_paid_automatically(body, order):
    sent = body(step(order(changes={"payment": {"type": "invoice"}}), collectPayment=True))
    assert sent["newAccount"]["autoPay"] is False
    assert sent["processingOptions"]["collectPayment"] is False


def test_collecting_names_the_method(body, order):
    processing = body(step(order(), collectPayment=True))["processingOptions"]
    assert processing == {
        "runBilling": True,
        "collectPayment": True,
        "billingOptions": {"targetDate": "2026-12-01", "documentDate": "2026-11-20"},
        "electronicPaymentOptions": {"paymentMethodId": METHOD},
    }


def test_collecting_without_billing_is_refused_on_load():
    with pytest.raises(ValidationError, match="collectPayment needs runBilling"):
        ZuoraOptions.model_validate({"collectPayment": True, "runBilling": False})


@pytest.mark.parametrize("source", ["mapped", "option", "order"])
def test_an_existing_account_is_used_where_it_is_named(body, order, source):
    tracked = order(changes={"tracking": {"zuoraAccountNumber": "W-1"}})
    at = {
        "mapped": step(order(), mapped={"accountNumber": "W-1"}),
        "option": step(order(), accountNumber="W-1"),
        "order": step(tracked),
    }[source]
    sent = body(at)
    assert sent["existingAccountNumber"] == "W-1"
    assert "newAccount" not in sent
    assert created(sent)["paymentProfile"] == {"paymentMethodId": METHOD}


def test_an_account_is_never_guessed_from_who_the_buyer_says_to_be(body, order):
    other = {"order_reference": "OTHERREF0001"}
    first = body(step(order()))["newAccount"]["accountNumber"]
    asked = zuora.perform(step(order(changes=other)))
    second = next(asked).body["newAccount"]["accountNumber"]
    assert first != second


def test_the_crm_id_of_an_earlier_step_goes_along(body, order):
    sent = body(step(order(), context={"crm": {"crmId": "001crm"}}))
    assert sent["newAccount"]["crmId"] == "001crm"


def test_the_id_of_a_provisioned_user_reaches_the_subscription(body, order):
    sent = body(step(order(), mapped={"ProvisionedUser__c": "u-1"}))
    assert sent["subscriptions"][0]["customFields"] == {"ProvisionedUser__c": "u-1"}


def test_mapped_custom_fields_reach_account_order_and_subscription(body, order):
    fields = {name: {"User__c": name} for name in ("account", "order", "subscription")}
    sent = body(step(order(), mapped={"customFields": fields}))
    assert sent["newAccount"]["customFields"] == {"User__c": "account"}
    assert sent["customFields"] == {"User__c": "order"}
    assert sent["subscriptions"][0]["customFields"] == {"User__c": "subscription"}


def test_what_the_map_calls_by_a_wrong_name_is_refused(talk, order):
    outcome = refused(talk, step(order(), mapped={"userId": "u-1"}))
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "map_unknown")
    assert "userId" in outcome.message


def test_limios_own_custom_fields_are_sent_where_the_tenant_has_them(body, order):
    sources = order(changes={"source": "salesforce", "initiated_source": "shop"})
    assert "customFields" not in body(step(sources))
    names = ["Source__c", "InitiatedSource__c", "lmo_offer__c"]
    sent = body(step(sources, customFields=names))
    assert sent["customFields"] == {"Source__c": "shop", "InitiatedSource__c": "salesforce"}
    [plan] = created(sent)["subscribeToRatePlans"]
    assert plan["customFields"] == {"lmo_offer__c": "/offers/Harbour Journal/Print and Digital"}


def test_the_payment_manager_finds_the_method_on_the_subscription(body, order):
    sent = body(step(order(), apm=True, paymentGateway="Adyen UK"))
    assert sent["subscriptions"][0]["customFields"] == {
        "PaymentMethodId__c": METHOD,
        "PaymentGateway__c": "Adyen UK",
    }


# Terms and dates


def test_the_offers_term_is_renewed_by_the_same(body, order):
    assert created(body(step(order())))["terms"] == {
        "initialTerm": {
            "termType": "TERMED",
            "period": 3,
            "periodType": "Month",
            "startDate": "2026-12-01",
        },
        "autoRenew": True,
        "renewalSetting": "RENEW_WITH_SPECIFIC_TERM",
        "renewalTerms": [{"period": 3, "periodType": "Month"}],
    }


def test_an_offer_without_a_term_runs_until_it_is_cancelled(body, order):
    endless = order()
    del attributes(endless)["term__limio"]
    initial = created(body(step(endless)))["terms"]["initialTerm"]
    assert initial == {"termType": "EVERGREEN", "startDate": "2026-12-01"}


@pytest.mark.parametrize("term", [{"length": 3, "type": "moons"}, {"length": 0, "type": "weeks"}])
def test_a_term_that_zuora_has_no_words_for_is_refused(talk, order, term):
    odd = order()
    attributes(odd)["term__limio"] = term
    assert refused(talk, step(odd)).code == "term"


def test_all_three_dates_are_given_so_that_nothing_stays_pending(body, order):
    [action] = body(step(order()))["subscriptions"][0]["orderActions"]
    assert action["triggerDates"] == [
        {"name": name, "triggerDate": "2026-12-01"}
        for name in ("ContractEffective", "ServiceActivation", "CustomerAcceptance")
    ]


def test_without_a_start_date_the_day_of_acceptance_counts(body, order):
    today = order()
    del today["orderItems"][0]["startDate"]
    sent = body(step(today))
    assert created(sent)["terms"]["initialTerm"]["startDate"] == "2026-11-20"


def test_a_start_date_that_is_none_is_refused(talk, order):
    odd = order()
    odd["orderItems"][0]["startDate"] = "next Tuesday"
    assert "startDate" in refused(talk, step(odd)).message


# Rate plans and prices


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


# Errors


def refusal(*codes, status=200, message="m"):
    reasons = [{"code": code, "message": message} for code in codes]
    return Reply(status, {"success": False, "reasons": reasons})


def test_http_200_is_not_success(talk, order):
    _, outcome = talk(zuora.perform(step(order())), refusal(53100320))
    assert outcome == Failed(ErrorKind.PERMANENT, "53100320", "m")


def test_reasons_beside_success_are_no_failure(talk, order):
    reply = Reply(200, {**ORDERED.body, "reasons": [{"code": 53100320, "message": "m"}]})
    _, outcome = talk(zuora.perform(step(order())), reply)
    assert isinstance(outcome, Done)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (53100310, ErrorKind.MISCONFIGURED),
        (53100322, ErrorKind.PERMANENT),
        ("53100330", ErrorKind.PERMANENT),
        (53100350, ErrorKind.CONTENTION),
        (53100361, ErrorKind.TRANSIENT),
        (70, ErrorKind.RATE_LIMITED),
        (90000003, ErrorKind.MISCONFIGURED),
        ("odd", ErrorKind.PERMANENT),
    ],
)
def test_the_last_two_digits_are_the_class(code, kind):
    assert errors(refusal(code)) == Failed(kind, str(code), "m")


@pytest.mark.parametrize("code", [53100360, 53100399])
def test_where_money_may_have_moved_the_outcome_is_unknown(code):
    assert errors(refusal(code)) == Unknown(str(code), "m")


def test_a_declined_card_is_the_buyers_to_settle():
    found = errors(refusal(53100399, message="Transaction declined.05 - Do not honor"))
    assert isinstance(found, Failed)
    assert found.kind is ErrorKind.DECLINED


def test_a_number_of_ours_that_exists_already_may_be_our_own_earlier_order():
    message = "The order number 7Q2KX5M9ADLP already exists."
    assert isinstance(errors(refusal(53100330, message=message)), Unknown)


@pytest.mark.parametrize("codes", [(53100350, 53100320), (53100320, 53100350)])
def test_several_reasons_are_retried_only_if_all_may_be(codes):
    found = errors(refusal(*codes))
    assert isinstance(found, Failed)
    assert found.kind is ErrorKind.PERMANENT


def test_an_expired_token_is_left_to_the_transport():
    assert errors(refusal(90000011, status=401)) is None


def test_a_server_error_leaves_it_open():
    assert errors(refusal(53100320, status=500)) == Unknown("53100320", "m")


# The look-up


def placed(account="W-7Q2KX5M9ADLP", status="Completed"):
    order = {
        "orderNumber": "7Q2KX5M9ADLP",
        "existingAccountNumber": account,
        "status": status,
        "subscriptions": [{"subscriptionNumber": "SUBK3V7Q2WXA"}],
    }
    return Reply(200, {"success": True, "order": order})


SUMMARY = Reply(
    200, {"success": True, "basicInfo": {"id": "8ad1"}, "invoices": [{"invoiceNumber": "INV1"}]}
)


def test_an_order_that_came_into_being_is_adopted(talk, order):
    asked, outcome = talk(zuora.look_up(step(order())), placed(), SUMMARY)
    assert [request.path for request in asked] == [
        "/v1/orders/7Q2KX5M9ADLP",
        "/v1/accounts/W-7Q2KX5M9ADLP/summary",
    ]
    assert outcome == Done(**ORDER_DONE, accountId="8ad1")


def test_the_invoices_of_an_existing_account_are_not_taken_for_the_orders(talk, order):
    at = step(order(), mapped={"accountNumber": "W-1"})
    asked, outcome = talk(zuora.look_up(at), placed("W-1"))
    assert len(asked) == 1
    assert isinstance(outcome, Done)
    assert "invoiceNumbers" not in outcome.output


@pytest.mark.parametrize(
    "reply", [Reply(404, None), refusal(50000040), refusal(50000040, status=404)]
)
def test_an_absent_order_may_be_sent_again(talk, order, reply):
    _, outcome = talk(zuora.look_up(step(order())), reply)
    assert outcome == NotDone()


def test_an_order_of_another_account_is_not_adopted(talk, order):
    _, outcome = talk(zuora.look_up(step(order())), placed("W-SOMEBODY"))
    assert isinstance(outcome, Failed)
    assert outcome.code == "order_number_taken"


def test_a_cancelled_order_is_not_adopted(talk, order):
    _, outcome = talk(zuora.look_up(step(order())), placed(status="Cancelled"))
    assert isinstance(outcome, Failed)
    assert outcome.code == "order_not_in_force"


def test_keys_go_on_post_and_patch_only_and_hold_for_a_day():
    manifest = zuora.manifest
    assert manifest.key_methods == {"POST", "PATCH"}
    assert manifest.key_valid_for_s == 86_400
