import pytest

from plugins.api import Done, NoOptions, Reply, Step
from plugins.connectors.entitlements import entitlements

GRANTED = Reply(201, {"success": True, "id": "grant-1"})
DAY = "2026-11-20"
DIGITAL = {"products": [{"entitlements": ["/entitlements/Digital"]}]}


def step(order, **context):
    return Step(id="entitlements", order=order, options=NoOptions(), context=context)


def changed(order, order_type, *items, **more):
    return order(changes={"order_type": order_type, "orderItems": list(items), **more})


def test_the_products_entitlements_are_granted_to_the_subscription_in_one_call(talk, order):
    [asked], outcome = talk(entitlements.perform(step(order())), GRANTED)
    assert (asked.method, asked.path, asked.call) == ("POST", "/grants", "grant")
    assert asked.body == {
        "order": "order-1",
        "owner": "id-41",
        "subscription": "SUBK3V7Q2WXA",
        "entitlements": [{"$ref": "/entitlements/Digital"}, {"$ref": "/entitlements/Archive"}],
        "effectiveDate": DAY,
        "change": "set",
    }
    granted = ["/entitlements/Digital", "/entitlements/Archive"]
    assert outcome == Done(granted=granted, grantId="grant-1", effectiveDate=DAY)


def test_what_two_products_entitle_to_is_granted_once(talk, order):
    attribute = {"attributes": {"entitlements__limio": [{"$ref": "/entitlements/Digital"}]}}
    twice = order(changes={"orderItems": [DIGITAL, {"products": [attribute]}]})
    _, outcome = talk(entitlements.perform(step(twice)), GRANTED)
    assert outcome.output["granted"] == ["/entitlements/Digital"]


def test_nothing_to_grant_asks_for_nothing(talk, order):
    plain = order(changes={"orderItems": [{"products": [{"name": "Print"}]}]})
    assert talk(entitlements.perform(step(plain))) == ([], Done(granted=[]))


def test_a_switch_replaces_the_grant_from_the_day_that_billing_settled_on(talk, order):
    switch = changed(order, "change_offer", DIGITAL)
    at = step(switch, zuora={"effectiveDate": "2027-02-01"})
    [asked], _ = talk(entitlements.perform(at), GRANTED)
    assert (asked.body["change"], asked.body["effectiveDate"]) == ("set", "2027-02-01")


def test_a_switch_to_an_offer_that_entitles_to_nothing_ends_the_grant(talk, order):
    switch = changed(order, "change_offer", {"products": [{"name": "Print"}]})
    [asked], outcome = talk(entitlements.perform(step(switch)), Reply(200, {}))
    assert (asked.method, asked.path) == ("DELETE", "/grants/SUBK3V7Q2WXA")
    assert outcome == Done(ended=True, effectiveDate=DAY)


def test_a_cancellation_ends_the_grant_when_the_subscription_ends(talk, order):
    cancel = changed(order, "cancel_subscription")
    at = step(cancel, zuora={"effectiveDate": "2026-12-31"})
    [asked], outcome = talk(entitlements.perform(at), Reply(200, {}))
    assert (asked.method, asked.query) == ("DELETE", {"effectiveDate": "2026-12-31"})
    assert outcome == Done(ended=True, effectiveDate="2026-12-31")
    _, outcome = talk(entitlements.perform(at), Reply(404, {}))
    assert outcome == Done(ended=False, effectiveDate="2026-12-31")


@pytest.mark.parametrize("order_type", ["add_offer", "update_subscription"])
def test_an_add_on_adds_to_the_grant_and_a_removed_one_takes_from_it(talk, order, order_type):
    gone = {**DIGITAL, "orderItemActionType": "remove"}
    added = {"products": [{"entitlements": ["/entitlements/Puzzles"]}]}
    [asked], _ = talk(entitlements.perform(step(changed(order, order_type, added, gone))), GRANTED)
    assert asked.body["change"] == "add"
    assert asked.body["entitlements"] == [{"$ref": "/entitlements/Puzzles"}]
    assert asked.body["ended"] == [{"$ref": "/entitlements/Digital"}]


def test_a_present_is_granted_when_it_is_redeemed(talk, order):
    bought = order(changes={"isGift": True})
    assert talk(entitlements.perform(step(bought))) == ([], Done(granted=[]))
    redeemed = order(changes={"isGift": True, "isRedeem": True})
    _, outcome = talk(entitlements.perform(step(redeemed)), GRANTED)
    assert outcome.output["grantId"] == "grant-1"


@pytest.mark.parametrize("order_type", ["change_payment", "refund", "external"])
def test_what_changes_no_offer_changes_no_grant(talk, order, order_type):
    assert talk(entitlements.perform(step(changed(order, order_type, DIGITAL)))) == (
        [],
        Done(granted=[]),
    )


def test_who_was_matched_is_granted_as_that_person(talk, order):
    at = step(order(), transferContact={"newOwner": "id-known"})
    [asked], _ = talk(entitlements.perform(at), GRANTED)
    assert asked.body["owner"] == "id-known"


def test_what_was_there_before_a_switch_cannot_be_restored(talk, order):
    switch = changed(order, "change_offer", DIGITAL)
    at = step(switch, entitlements={"grantId": "grant-1"})
    asked, outcome = talk(entitlements.compensation(at))
    assert asked == []
    assert outcome.code == "not_restorable"
