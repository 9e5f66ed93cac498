"""Every order fills Zuora's standard fields, and the reference page lists all that is sent."""

import pytest

from plugins.connectors.zuora.examples.scene import (
    ACCOUNT,
    NUMBER,
    offer,
    order,
    step,
    subscription,
)
from plugins.connectors.zuora.reference_fields import STANDARD_FIELDS, fields_table
from tests.unit.connectors.zuora_changes import actions_of, order_of, sent

WHY = {"data": {"reason": {"id": "too_expensive", "text": "It has become too dear."}}}
CHANGES = [
    order("change_offer", offer("UK Bundle Quarterly", "55"), **WHY),
    order("add_offer", offer("UK Bundle Quarterly", "55"), **WHY),
    order("cancel_subscription", **WHY),
    order("renew", **WHY),
    order("update_subscription", {**offer(), "orderItemActionType": "remove"}, **WHY),
]
NAMES = {one.field for one in STANDARD_FIELDS}

every_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change["order_type"])


@every_change
def test_every_change_fills_the_standard_fields(talk, change):
    asked, _ = sent(talk, step(change), subscription())
    body = order_of(asked)
    assert body["orderDate"] == "2026-04-15"
    assert body["orderNumber"] == NUMBER
    assert body["category"] == "NewSales"
    assert body["reasonCode"] == "too_expensive"
    assert body["existingAccountNumber"] == ACCOUNT
    assert body["subscriptions"][0]["notes"] == "It has become too dear."
    for action in actions_of(asked):
        assert action["changeReason"] == "too_expensive"
        assert [one["name"] for one in action["triggerDates"]] == [
            "ContractEffective",
            "ServiceActivation",
            "CustomerAcceptance",
        ]


@every_change
def test_the_reference_lists_every_member_that_is_sent(talk, change):
    asked, _ = sent(talk, step(change), subscription())
    [changed] = order_of(asked)["subscriptions"]
    listed = {name.split("[")[0].split(".")[0] for name in NAMES}
    assert set(order_of(asked)) <= listed
    members = {f"subscriptions[].{name}" for name in changed if name != "orderActions"}
    assert members <= NAMES
    assert all(f"`{name}`" in fields_table() for name in NAMES)


@pytest.mark.parametrize(
    ("codes", "sent_code"),
    [(None, "too_expensive"), ({"too_expensive": "Price"}, "Price"), ({"moving": "Move"}, None)],
)
def test_reason_codes_are_those_that_zuora_has(talk, codes, sent_code):
    asked, _ = sent(talk, step(CHANGES[2], reasonCodes=codes), subscription())
    assert order_of(asked).get("reasonCode") == sent_code


def test_an_order_without_a_reason_names_none(talk):
    asked, _ = sent(talk, step(order("cancel_subscription")), subscription())
    assert "reasonCode" not in order_of(asked)
    assert "changeReason" not in actions_of(asked)[0]
    assert "notes" not in order_of(asked)["subscriptions"][0]


def test_words_that_are_too_long_are_cut_to_what_zuora_takes(talk):
    long = {"reason": {"id": "r" * 300, "text": "t" * 2000}}
    asked, _ = sent(talk, step(order("cancel_subscription", data=long)), subscription())
    body = order_of(asked)
    assert len(body["reasonCode"]) == len(actions_of(asked)[0]["changeReason"]) == 255
    assert len(body["subscriptions"][0]["notes"]) == 1000
