import pytest
from pydantic import ValidationError

from plugins.api import Done
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.options import ZuoraOptions
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_talk import METHOD, ORDER_DONE, ORDERED, created, refused, step


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
