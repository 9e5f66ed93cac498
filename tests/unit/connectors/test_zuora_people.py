import re
from pathlib import Path

import pytest

from plugins.api import Done, NotDone
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.contacts import CONTACT_FIELDS
from schemas.steps import ErrorKind
from tests.unit.connectors.zuora_shapes import ACCOUNT, account, change, methods, subscription
from tests.unit.connectors.zuora_talk import METHOD, OK, ORDERED, paths, said, says_no, step

ROOT = Path(__file__).parents[3]
NEW = {"address1": "9 Kelp Street", "city": "Reedham", "postalCode": "RE1 1DH", "country": "GB"}
HOSTED = {"type": "zuora", "zuora": {"refId": METHOD}}


def made(number):
    return said(id=f"8new{number}")


def moved(order, **members):
    return step(change(order, "change_address", **members))


def test_a_new_delivery_address_is_a_contact_that_becomes_sold_to(talk, order):
    at = moved(order, deliveryDetails=NEW)
    asked, outcome = talk(zuora.perform(at), subscription(), account(), made(1), OK)
    assert paths(asked)[2:] == ["POST /v1/contacts", f"PUT /v1/accounts/{ACCOUNT}"]
    assert asked[2].body == {
        "firstName": "Maren",
        "lastName": "Tidewell",
        "address1": "9 Kelp Street",
        "city": "Reedham",
        "zipCode": "RE1 1DH",
        "country": "GB",
        "personalEmail": "maren.tidewell@example.com",
        "mobilePhone": "+44 20 7946 0158",
        "accountNumber": ACCOUNT,
        "nickname": "7Q2KX5M9ADLP-delivery",
    }
    assert asked[3].body == {"soldToContactId": "8new1"}
    assert outcome == Done(accountNumber=ACCOUNT, contactId="8new1", soldToContactId="8new1")


def test_the_contact_keeps_its_name_where_the_order_has_none(talk, order):
    at = moved(order, deliveryDetails=NEW, customerDetails=None)
    asked, _ = talk(zuora.perform(at), subscription(), account(), made(1), OK)
    assert asked[2].body["lastName"] == "Tidewell"
    assert asked[2].body["personalEmail"] == "m@example.com"


def test_both_addresses_are_two_contacts_unless_they_are_one(talk, order):
    other = {**NEW, "address1": "The Boathouse"}
    at = moved(order, billingDetails=NEW, deliveryDetails=other)
    asked, _ = talk(zuora.perform(at), subscription(), account(), made(1), made(2), OK)
    assert asked[-1].body == {"billToContactId": "8new1", "soldToContactId": "8new2"}
    at = moved(order, billingDetails=NEW, deliveryDetails=NEW, addressType="both")
    asked, _ = talk(zuora.perform(at), subscription(), account(), made(1), OK)
    assert asked[-1].body == {"billToContactId": "8new1", "soldToContactId": "8new1"}


def test_the_type_of_address_says_which_of_them_counts(talk, order):
    at = moved(order, billingDetails=NEW, deliveryDetails=NEW, addressType="billing")
    asked, _ = talk(zuora.perform(at), subscription(), account(), made(1), OK)
    assert asked[-1].body == {"billToContactId": "8new1"}


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({}, "address_missing"),
        ({"addressType": "delivery", "billingDetails": NEW}, "address_missing"),
        ({"addressType": "summer", "billingDetails": NEW}, "address_type"),
    ],
)
def test_without_a_new_address_nothing_changes(talk, order, members, code):
    asked, outcome = talk(zuora.perform(moved(order, **members)), subscription())
    assert len(asked) == 1
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, code)


def test_a_subscription_that_is_over_keeps_its_address(talk, order):
    over = subscription()
    over.body.update(status="Cancelled", termEndDate="2026-01-01")
    asked, outcome = talk(zuora.perform(moved(order, billingDetails=NEW)), over)
    assert len(asked) == 1
    assert outcome.code == "subscription_cancelled"


def test_the_contacts_may_be_the_subscriptions_alone(talk, order):
    wanted = change(order, "change_address", deliveryDetails=NEW)
    at = step(wanted, contactsPer="subscription")
    asked, outcome = talk(zuora.perform(at), subscription(), account(), made(1), ORDERED)
    assert paths(asked)[2:] == ["POST /v1/contacts", "POST /v1/orders"]
    [entry] = asked[3].body["subscriptions"]
    [action] = entry["orderActions"]
    assert action["type"] == "TermsAndConditions"
    assert action["termsAndConditions"] == {"soldToContactId": "8new1"}
    assert {date["triggerDate"] for date in action["triggerDates"]} == {"2026-11-20"}
    assert outcome.output["soldToContactId"] == "8new1"


@pytest.mark.parametrize(
    ("nickname", "is_done"), [("7Q2KX5M9ADLP-delivery", True), ("another", False)]
)
def test_the_nickname_tells_whether_the_address_is_in_place(talk, order, nickname, is_done):
    at = moved(order, deliveryDetails=NEW)
    there = account(sold_to={"nickname": nickname})
    _, outcome = talk(zuora.look_up(at), subscription(), there)
    assert isinstance(outcome, Done if is_done else NotDone)


def paying(order, members=None, **options):
    wanted = change(order, "change_payment", **{"payment": HOSTED, **(members or {})})
    return step(wanted, **options)


def test_a_new_method_is_attached_and_becomes_the_default(talk, order):
    asked, outcome = talk(zuora.perform(paying(order)), subscription(), account(), OK, OK)
    assert paths(asked)[2:] == [
        f"PUT /v1/payment-methods/{METHOD}",
        f"PUT /v1/accounts/{ACCOUNT}",
    ]
    assert asked[3].body == {"defaultPaymentMethodId": METHOD, "autoPay": True}
    assert outcome == Done(accountNumber=ACCOUNT, paymentMethodId=METHOD)


def test_the_address_that_came_with_it_becomes_bill_to(talk, order):
    at = paying(order, {"billingDetails": NEW})
    asked, outcome = talk(zuora.perform(at), subscription(), account(), OK, made(1), OK)
    assert asked[3].body["nickname"] == "7Q2KX5M9ADLP-billing"
    assert asked[4].body["billToContactId"] == "8new1"
    assert outcome.output["billToContactId"] == "8new1"


def test_the_old_method_goes_where_that_is_wanted(talk, order):
    at = paying(order, keepPaymentMethods=False)
    asked, _ = talk(zuora.perform(at), subscription(), account("8adold"), OK, OK, OK)
    assert paths(asked)[-1] == "DELETE /v1/payment-methods/8adold"
    asked, _ = talk(zuora.perform(at), subscription(), account(METHOD), OK, OK)
    assert not any(request.method == "DELETE" for request in asked)


def test_the_payment_manager_is_told_and_finds_the_method(talk, order):
    at = paying(order, apm=True, paymentGateway="Adyen UK")
    asked, _ = talk(zuora.perform(at), subscription(), account(), OK, OK, OK)
    assert asked[-1].path == "/v1/subscriptions/SUBK3V7Q2WXA/customFields"
    fields = {"PaymentMethodId__c": METHOD, "PaymentGateway__c": "Adyen UK"}
    assert asked[-1].body == {"customFields": fields}


def test_with_payment_profiles_only_the_subscription_changes_its_method(talk, order):
    at = paying(order, paymentProfiles=True, paymentGatewayId="8ad0a2b69c3d1e4f019c4b7722aa5599")
    asked, _ = talk(zuora.perform(at), subscription(), account(), OK, OK)
    assert asked[-1].path == "/v1/payment-profile"
    assert asked[-1].body == {
        "bulkPaymentOptionItems": [
            {
                "subscriptionId": "8ad09b7d-8292-b85d-0182-a4d6f875225a",
                "paymentMethodId": "8ad0a2b6-9c3d-1e4f-019c-4b7722aa5510",
                "paymentGatewayId": "8ad0a2b6-9c3d-1e4f-019c-4b7722aa5599",
            }
        ]
    }
    assert f"PUT /v1/accounts/{ACCOUNT}" not in paths(asked)


def test_an_order_without_a_method_is_refused_with_words_for_the_buyer(talk, order):
    asked, outcome = talk(zuora.perform(paying(order, {"payment": {"type": "invoice"}})))
    assert asked == []
    assert (outcome.kind, outcome.code) == (ErrorKind.PERMANENT, "payment_method_missing")
    assert "payment method" in outcome.buyer_message


def test_a_method_of_another_account_changes_nothing(talk, order):
    taken = says_no(56200330, "The payment method is already associated with another account.")
    replies = (subscription(), account(), taken, said(creditcard=[]))
    asked, outcome = talk(zuora.perform(paying(order)), *replies)
    assert f"PUT /v1/accounts/{ACCOUNT}" not in paths(asked)
    assert outcome.code == "56200330"


@pytest.mark.parametrize(("default", "is_done"), [(METHOD, True), ("8adold", False)])
def test_the_default_tells_whether_the_method_is_in_place(talk, order, default, is_done):
    _, outcome = talk(zuora.look_up(paying(order)), subscription(), account(default))
    assert isinstance(outcome, Done if is_done else NotDone)


def test_what_the_payment_manager_does_not_have_yet_is_not_done(talk, order):
    at = paying(order, apm=True)
    _, outcome = talk(zuora.look_up(at), subscription(), account(METHOD))
    assert outcome == NotDone()
    told = subscription(PaymentMethodId__c=METHOD)
    _, outcome = talk(zuora.look_up(at), told, account(METHOD))
    assert isinstance(outcome, Done)
    profiled = paying(order, paymentProfiles=True)
    _, outcome = talk(zuora.look_up(profiled), subscription(), account(), methods())
    assert outcome == NotDone()


KING = {"firstName": "Ada", "lastName": "King", "email": "ada.king@example.test"}


def renamed(order, details=KING):
    return step(change(order, "update_customer_details", customerDetails=details))


def test_name_and_email_reach_bill_to_and_sold_to(talk, order):
    asked, outcome = talk(zuora.perform(renamed(order)), subscription(), account(), OK, OK)
    assert paths(asked)[2:] == ["PUT /v1/contacts/8bill", "PUT /v1/contacts/8sold"]
    ada = {"firstName": "Ada", "lastName": "King", "personalEmail": "ada.king@example.test"}
    assert [request.body for request in asked[2:]] == [ada, ada]
    assert outcome == Done(
        accountNumber=ACCOUNT, contactId="8bill", billToContactId="8bill", soldToContactId="8sold"
    )


def test_a_contact_that_is_both_is_changed_once(talk, order):
    asked, _ = talk(
        zuora.perform(renamed(order)), subscription(), account(sold_to={"id": "8bill"}), OK
    )
    assert len(asked) == 3


def test_details_that_say_nothing_are_refused(talk, order):
    asked, outcome = talk(zuora.perform(renamed(order, {})))
    assert asked == []
    assert outcome.code == "details_missing"


def test_the_contacts_tell_whether_they_were_changed(talk, order):
    ada = {"firstName": "Ada", "lastName": "King", "personalEmail": "ada.king@example.test"}
    there = account(bill_to=ada, sold_to=ada)
    _, outcome = talk(zuora.look_up(renamed(order)), subscription(), there)
    assert isinstance(outcome, Done)
    _, outcome = talk(zuora.look_up(renamed(order)), subscription(), account(bill_to=ada))
    assert outcome == NotDone()


def test_the_page_on_customers_shows_the_mapping_that_is_used():
    page = (ROOT / "docs/how-to/keep-customers-in-zuora.md").read_text()
    table = page.partition("## Contacts")[2].partition("## Changes")[0]
    cells = re.findall(r"`(\w+)` \| `(\w+)`(?:, beside orders `zipCode`)? \|", table)
    assert dict(cells) == CONTACT_FIELDS
