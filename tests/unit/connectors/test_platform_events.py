import json

import pytest

from plugins.api import Done, Failed, Reply, Step, Unknown
from plugins.connectors.platform_events import (
    PlatformEventsOptions,
    event_of,
    platform_events,
)
from schemas.steps import ErrorKind

QUEUED = [{"statusCode": "OPERATION_ENQUEUED", "message": "3a9f", "fields": []}]
CONTEXT = {
    "salesforceV3": {"crmId": "001crm", "accountId": "001crm", "contactId": "003crm"},
    "zuora": {"subscriptionNumber": "SUBK3V7Q2WXA"},
}


def step(order, context=CONTEXT, **given):
    options = PlatformEventsOptions.model_validate(given)
    return Step(id="platformEvents", order=order, options=options, context=context)


def fields(at):
    return {name.removeprefix("i42as__"): value for name, value in event_of(at).items()}


def test_an_event_is_published_although_errors_is_not_empty(talk, order):
    reply = Reply(201, {"id": "e01", "success": True, "errors": QUEUED})
    [asked], outcome = talk(platform_events.perform(step(order())), reply)
    assert asked.path == "/services/data/v62.0/sobjects/i42as__OrderEvent__e"
    assert outcome == Done(eventId="order-1:platformEvents", type="NEW_ORDER")


def test_an_event_that_was_refused_is_not_published(talk, order):
    failure = [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "m", "fields": []}]
    reply = Reply(200, {"success": False, "errors": failure})
    _, outcome = talk(platform_events.perform(step(order())), reply)
    assert outcome == Failed(ErrorKind.CONTENTION, "UNABLE_TO_LOCK_ROW", "m")


def test_a_reply_that_says_nothing_leaves_it_open(talk, order):
    _, outcome = talk(platform_events.perform(step(order())), Reply(200, {"success": None}))
    assert isinstance(outcome, Unknown)


def test_the_crm_ids_of_earlier_steps_are_in_the_event(order):
    found = fields(step(order("orders/known-in-crm")))
    assert (found["AccountId__c"], found["ContactId__c"]) == ("001crm", "003crm")
    assert found["CaseId__c"] == "50054000008Aa1F"


def test_without_earlier_steps_the_orders_own_ids_are(order):
    found = fields(step(order("orders/known-in-crm"), context={}))
    assert found["AccountId__c"] == "0015400000Aa1BcAAJ"


def test_limios_fields_are_filled(order):
    found = fields(step(order()))
    assert found["OrderNumber__c"] == "7Q2KX5M9ADLP"
    assert found["SubscriptionId__c"] == "SUBK3V7Q2WXA"
    assert found["EffectiveDate__c"] == "2026-11-20T00:00:00.000Z"
    assert found["Source__c"] == "Limio"
    assert found["TermLengthValue__c"] == "3"
    assert found["ProductCode__c"] == "HJ.DIGITAL"
    assert "LimioOrder__c" not in found


def test_every_value_is_text_that_fits_its_field(order):
    long = order()
    long["orderItems"][0]["offer"]["data"]["attributes"]["display_name__limio"] = "x" * 500
    found = fields(step(long, sendWholeOrder=True))
    assert all(isinstance(value, str) for value in found.values())
    assert len(found["OfferDisplayName__c"]) == 100
    assert found["OfferId__c"] == "5b1f0c7a92d84e36b0aa41cf7d2e98c365f07d1b"


@pytest.mark.parametrize(
    ("order_type", "event"),
    [
        ("new", "NEW_ORDER"),
        ("cancel_subscription", "CANCEL_REQUEST"),
        ("change_offer", "CHANGE_OFFER"),
        ("add_offer", "ADD_OFFER"),
        ("change_payment", "CHANGE_PAYMENT_REQUEST"),
        ("change_address", "CHANGED_DELIVERY_ADDRESS"),
        ("update_customer_details", "UPDATE_CUSTOMER"),
        ("update_subscription", "UPDATE_SUBSCRIPTION"),
        ("renew", "REQUEST_RENEWAL"),
        ("refund", "REFUND"),
        ("credit", "CREDIT"),
        ("external", "EXTERNAL"),
        ("activation", "ACTIVATION"),
    ],
)
def test_each_order_type_has_its_event_type(order, order_type, event):
    assert fields(step(order(changes={"order_type": order_type})))["OrderType__c"] == event


def test_a_gift_has_an_event_type_of_its_own(order):
    assert fields(step(order(changes={"isGift": True})))["OrderType__c"] == "NEW_GIFT_ORDER"
    redeemed = order(changes={"isGift": True, "isRedeem": True, "giftCode": "G-1"})
    found = fields(step(redeemed))
    assert (found["OrderType__c"], found["GiftCode__c"]) == ("NEW_ORDER", "G-1")


def test_a_change_counts_from_the_day_that_billing_settled_on(order):
    context = {**CONTEXT, "zuora": {"effectiveDate": "2027-02-01"}}
    found = fields(step(order(changes={"order_type": "change_offer"}), context))
    assert found["EffectiveDate__c"] == "2027-02-01T00:00:00.000Z"


def test_a_change_without_items_is_about_the_offer_that_there_is(order):
    held = order()["orderItems"][0]["offer"]
    changes = {"order_type": "cancel_subscription", "orderItems": [], "originalOffer": held}
    found = fields(step(order(changes=changes)))
    assert found["TermLengthValue__c"] == "3"
    assert found["ProductCode__c"] == "HJ.DIGITAL"
    plain = fields(step(order(changes={**changes, "originalOffer": None})))
    assert "OfferType__c" not in plain


def mapping(order, mapped):
    options = PlatformEventsOptions()
    return Step(id="platformEvents", order=order, options=options, mapped=mapped)


def test_what_the_entry_maps_is_in_the_event_under_its_own_name(order):
    mapped = {"Reason__c": "too dear", "Seats__c": 3, "Extra__c": {"a": 1}, "Empty__c": None}
    record = event_of(mapping(order(), mapped))
    assert record["Reason__c"] == "too dear"
    assert record["Seats__c"] == 3
    assert record["Extra__c"] == '{"a":1}'
    assert "Empty__c" not in record


def test_what_can_be_no_field_of_an_event_is_refused(talk, order):
    asked, outcome = talk(platform_events.perform(mapping(order(), {"reason": "x"})))
    assert asked == []
    assert (outcome.kind, outcome.code) == (ErrorKind.MISCONFIGURED, "map_unknown")


def test_a_repeat_carries_the_same_event_id_and_another_step_another(order):
    once, again = event_of(step(order())), event_of(step(order()))
    assert once["i42as__EventId__c"] == again["i42as__EventId__c"] == "order-1:platformEvents"


def test_an_org_without_the_event_id_field_can_leave_it_out(order):
    assert "i42as__EventId__c" not in event_of(step(order(), eventIdField=None))


def test_the_whole_order_is_what_limio_sends_of_it(order):
    whole = json.loads(fields(step(order(), sendWholeOrder=True))["LimioOrder__c"])
    assert "process_immediately" not in whole
    [item] = whole["orderItems"]
    assert item["offer"]["data"].keys() == {"attributes"}
    assert item["offer"]["data"]["attributes"].keys() == {"price__limio"}


def test_order_data_options_replace_the_top_level_and_add_below(order):
    data = {"fieldsToKeep": ["orderItems", "country"], "itemFields": ["startDate"]}
    found = fields(step(order(), sendWholeOrder=True, orderDataOptions=data))
    whole = json.loads(found["LimioOrder__c"])
    assert whole.keys() == {"orderItems", "country"}
    assert whole["orderItems"][0]["startDate"] == "2026-12-01"


def test_an_order_that_does_not_fit_the_field_names_the_option(talk, order):
    huge = order(changes={"tracking": {"note": "x" * 140_000}})
    asked, outcome = talk(platform_events.perform(step(huge, sendWholeOrder=True)))
    assert not asked
    assert isinstance(outcome, Failed)
    assert "orderDataOptions" in outcome.message


def test_the_names_in_the_org_are_configurable(talk, order):
    own = {"eventObject": "Order_Event__e", "prefix": "", "eventIdField": "Event_Id__c"}
    reply = Reply(201, {"success": True, "errors": QUEUED})
    [asked], _ = talk(platform_events.perform(step(order(), **own)), reply)
    assert asked.path.endswith("/sobjects/Order_Event__e")
    assert asked.body["OrderType__c"] == "NEW_ORDER"
    assert asked.body["Event_Id__c"] == "order-1:platformEvents"
