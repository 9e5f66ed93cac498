import pytest
from pydantic import ValidationError

from plugins.api import Done, Failed
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.custom_fields import HOLDERS
from plugins.connectors.zuora.options import ZuoraOptions
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_talk import (
    METHOD,
    OK,
    ORDER_DONE,
    ORDERED,
    TWO,
    attributes,
    charge,
    created,
    found,
    paths,
    refused,
    said,
    says_no,
    step,
)


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
    assert "collectPayment" not in sent["processingOptions"]


def test_who_pays_by_invoice_may_have_a_fixed_method(body, order):
    at = step(order(changes={"payment": {"type": "invoice"}}), invoicePaymentMethodId="8ad1")
    assert body(at)["newAccount"]["hpmCreditCardPaymentMethodId"] == "8ad1"


def test_collecting_names_the_method(body, order):
    processing = body(step(order(), collectPayment=True))["processingOptions"]
    assert processing == {
        "runBilling": True,
        "collectPayment": True,
        "billingOptions": {"targetDate": "2026-12-01", "documentDate": "2026-11-20"},
        "electronicPaymentOptions": {"paymentMethodId": METHOD},
    }


def test_an_order_that_stands_without_its_payment_says_so(talk, order):
    _, outcome = talk(zuora.perform(step(order(), collectPayment=True)), ORDERED)
    assert outcome.output["warnings"] == [
        "nothing was collected for INV1: see whether it is unpaid"
    ]
    _, outcome = talk(zuora.perform(step(order())), ORDERED)
    assert "warnings" not in outcome.output


def test_collecting_without_billing_is_refused_on_load():
    with pytest.raises(ValidationError, match="collectPayment needs runBilling"):
        ZuoraOptions.model_validate({"collectPayment": True, "runBilling": False})


@pytest.mark.parametrize("source", ["mapped", "option", "order"])
def test_an_existing_account_is_used_where_it_is_named(talk, order, source):
    tracked = order(changes={"tracking": {"zuoraAccountNumber": "W-1"}})
    at = {
        "mapped": step(order(), mapped={"accountNumber": "W-1"}),
        "option": step(order(), accountNumber="W-1"),
        "order": step(tracked),
    }[source]
    asked, _ = talk(zuora.perform(at), OK, OK, ORDERED)
    assert asked[-1].body["existingAccountNumber"] == "W-1"
    assert "newAccount" not in asked[-1].body


def test_the_new_method_of_an_existing_account_becomes_its_own_and_its_default(talk, order):
    asked, _ = talk(zuora.perform(step(order(), accountNumber="W-1")), OK, OK, ORDERED)
    assert paths(asked) == [
        f"PUT /v1/payment-methods/{METHOD}",
        "PUT /v1/accounts/W-1",
        "POST /v1/orders",
    ]
    assert asked[0].body == {"accountKey": "W-1"}
    assert asked[1].body == {"defaultPaymentMethodId": METHOD, "autoPay": True}


def test_with_payment_profiles_the_method_is_the_subscriptions_alone(talk, order):
    options = {"accountNumber": "W-1", "paymentProfiles": True, "paymentGatewayId": "8ae9"}
    asked, _ = talk(zuora.perform(step(order(), **options)), OK, ORDERED)
    assert len(asked) == 2
    profile = {"paymentMethodId": METHOD, "paymentGatewayId": "8ae9"}
    assert created(asked[1].body)["paymentProfile"] == profile


def test_a_method_that_the_account_has_is_not_attached_again(talk, order):
    had = {"payment": {"type": "zuora", "zuora": {"paymentMethodId": METHOD}}}
    at = step(order(changes=had), accountNumber="W-1", collectPayment=True)
    [asked], _ = talk(zuora.perform(at), ORDERED)
    paid_by = asked.body["processingOptions"]["electronicPaymentOptions"]
    assert paid_by == {"paymentMethodId": METHOD}


def test_a_method_that_is_attached_already_is_no_failure(talk, order):
    at = step(order(), accountNumber="W-1")
    cards = said(creditcard=[{"id": METHOD, "type": "CreditCard", "status": "Active"}])
    again = says_no(56200330, "already associated with an account")
    _, outcome = talk(zuora.perform(at), again, cards, OK, ORDERED)
    assert isinstance(outcome, Done)


def test_a_method_of_somebody_elses_stops_the_order(talk, order):
    at = step(order(), accountNumber="W-1")
    again = says_no(56200330, "already associated with an account")
    asked, outcome = talk(zuora.perform(at), again, said(creditcard=[]))
    assert "POST /v1/orders" not in paths(asked)
    assert isinstance(outcome, Failed)


def test_several_offers_can_be_one_subscription(body, order):
    two = order("orders/two-offers")
    for position in (0, 1):
        attributes(two, position)["term__limio"] = {"length": 1, "type": "years"}
        attributes(two, position)["autoRenew__limio"] = True
        two["orderItems"][position]["startDate"] = "2026-12-01"
    sent = body(step(two, oneSubscription=True, ratePlans=TWO))
    assert len(sent["subscriptions"]) == 1
    plans = created(sent)["subscribeToRatePlans"]
    assert [plan["productRatePlanId"] for plan in plans] == ["1" * 32, "2" * 32]


def test_offers_of_unequal_terms_are_refused_before_anything_is_asked(talk, order):
    at = step(order("orders/two-offers"), oneSubscription=True, ratePlans={})
    asked, outcome = talk(zuora.perform(at))
    assert asked == []
    assert outcome.code == "terms_differ"
    assert "one by one" in outcome.buyer_message


def test_a_subscription_that_waits_for_its_activation_has_only_its_contract_date(body, order):
    waiting = order()
    attributes(waiting)["requires_service_activation__limio"] = True
    [action] = body(step(waiting))["subscriptions"][0]["orderActions"]
    assert [date["name"] for date in action["triggerDates"]] == ["ContractEffective"]


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
    fields = {name: {"User__c": name} for name in HOLDERS}
    sent = body(step(order(), mapped={"customFields": fields}))
    assert sent["newAccount"]["customFields"] == {"User__c": "account"}
    assert sent["newAccount"]["billToContact"]["User__c"] == "contact"
    assert sent["newAccount"]["soldToContact"]["User__c"] == "contact"
    assert sent["customFields"] == {"User__c": "order"}
    assert sent["subscriptions"][0]["customFields"] == {"User__c": "subscription"}
    [plan] = created(sent)["subscribeToRatePlans"]
    assert plan["customFields"] == {"User__c": "ratePlan"}


def test_a_contact_takes_no_field_that_could_be_one_of_zuoras_own(talk, order):
    outcome = refused(talk, step(order(), mapped={"customFields": {"contact": {"city": "x"}}}))
    assert outcome.code == "map_unknown"


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


def test_the_payment_managers_fields_may_have_other_names(body, order):
    names = {"apmPaymentMethodField": "Method__c", "apmPaymentGatewayField": None}
    sent = body(step(order(), apm=True, paymentGateway="Adyen UK", **names))
    assert sent["subscriptions"][0]["customFields"] == {"Method__c": METHOD}


def lowering(**discount):
    plan = {"path": "/rate_plans/Welcome"}
    return {"name": "Welcome", "productDetails": {"ratePlan": plan}, "discountOverrides": discount}


WELCOME = {"Welcome": {"id": "5" * 32, "charges": {"Welcome": "6" * 32}}}


def test_the_orders_discount_goes_with_what_it_lowers(body, order):
    share = lowering(
        discountType="percentage", percentageDiscount=20, durationLength=3, durationType="months"
    )
    two = order("orders/two-offers", changes={"orderDiscount": share})
    sent = body(step(two, ratePlans={**TWO, **WELCOME}))
    assert len(sent["subscriptions"]) == 2
    for position in (0, 1):
        _, discount = created(sent, position)["subscribeToRatePlans"]
        [override] = discount["chargeOverrides"]
        assert override["pricing"]["discount"]["discountPercentage"] == 20
        assert override["endDate"]["upToPeriods"] == 3


def test_an_amount_is_taken_off_once_and_only_where_it_is_meant(body, order):
    second = order("orders/two-offers")["orderItems"][1]["offer"]["path"]
    amount = lowering(
        discountType="amount",
        amountDiscount="5",
        currency="EUR",
        orderItemsWithSpecifiedDiscount={"discountedOffers": [{"path": second}]},
    )
    known = {"Welcome": {"id": "5" * 32}}
    two = order("orders/two-offers", changes={"orderDiscount": amount})
    model = charge("Welcome", model="Discount-Fixed Amount", key="6" * 32)
    looked_up = found({"id": "5" * 32, "name": "Welcome", "productRatePlanCharges": [model]})
    sent = body(step(two, ratePlans={**TWO, **known}), looked_up)
    plans = [created(sent, position)["subscribeToRatePlans"] for position in (0, 1)]
    assert [len(subscribed) for subscribed in plans] == [1, 2]
    assert plans[1][1]["chargeOverrides"][0]["pricing"]["discount"]["discountAmount"] == 5


def test_an_amount_that_names_no_offer_comes_off_the_first(body, order):
    amount = lowering(discountType="amount", amountDiscount="5")
    fixed = {"Welcome": {"id": "5" * 32}}
    two = order("orders/two-offers", changes={"orderDiscount": amount})
    model = charge("Welcome", model="Discount-Fixed Amount", key="6" * 32)
    looked_up = found({"id": "5" * 32, "name": "Welcome", "productRatePlanCharges": [model]})
    sent = body(step(two, ratePlans={**TWO, **fixed}), looked_up)
    plans = [created(sent, position)["subscribeToRatePlans"] for position in (0, 1)]
    assert [len(subscribed) for subscribed in plans] == [2, 1]


def test_a_discount_offer_is_no_subscription_of_its_own(body, order):
    two = order("orders/two-offers")
    attributes(two, 1)["offer_type__limio"] = "discount"
    sent = body(step(two, ratePlans=TWO))
    assert len(sent["subscriptions"]) == 1
    assert len(created(sent)["subscribeToRatePlans"]) == 2
    assert created(sent)["terms"]["initialTerm"]["period"] == 1


def test_an_existing_accounts_subscription_may_be_delivered_elsewhere(talk, order):
    at = step(
        order(changes={"payment": {"type": "invoice"}, "billingDetails": None}),
        accountNumber="W-1",
        contactsPer="subscription",
    )
    there = said(basicInfo={"accountNumber": "W-1"}, billToContact={}, soldToContact={})
    asked, _ = talk(zuora.perform(at), there, said(id="8new"), ORDERED)
    assert paths(asked) == ["GET /v1/accounts/W-1", "POST /v1/contacts", "POST /v1/orders"]
    assert asked[1].body["address1"] == "The Boathouse"
    assert created(asked[2].body)["soldToContactId"] == "8new"
