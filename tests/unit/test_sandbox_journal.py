"""What the journal keeps, lists and counts."""

from typing import Any

import orjson
import pytest

from waybill.sandbox.journal import BODY_BYTES, Entry, Filter, Journal, order_of


def entry(**changes: Any) -> Entry:
    given: dict[str, Any] = {
        "at": 0.0,
        "partner": "zuora",
        "method": "POST",
        "path": "/zuora/v1/orders?x=1",
        "route": "/zuora/v1/orders",
        "key": "k",
        "order": "o-1",
        "body": b'{"a":1}',
        "is_json": True,
        "status": 200,
        "effect": "O-1",
    }
    return Entry(**{**given, **changes})


def listed(one: Entry) -> Any:
    journal = Journal()
    journal.add(one)
    return orjson.loads(orjson.dumps([found.listed() for found in journal.select(Filter())]))[0]


def test_an_entry_has_exactly_the_fixed_members():
    assert listed(entry()) == {
        "at": "1970-01-01T00:00:00+00:00",
        "partner": "zuora",
        "method": "POST",
        "path": "/zuora/v1/orders?x=1",
        "key": "k",
        "order": "o-1",
        "body": {"a": 1},
        "status": 200,
        "effect": "O-1",
    }


def test_a_long_body_is_cut_and_listed_as_text():
    long = orjson.dumps({"a": "x" * BODY_BYTES})
    assert listed(entry(body=long))["body"] == long[:BODY_BYTES].decode()


def test_a_body_that_is_no_json_is_listed_as_text_and_none_as_null():
    assert listed(entry(body=b"\xff{", is_json=False))["body"] == "\ufffd{"
    assert listed(entry(body=b""))["body"] is None


def test_filters_add_up_and_an_order_is_found_by_how_its_id_begins():
    journal = Journal()
    for changes in ({}, {"partner": "callout"}, {"key": "k2"}, {"order": "o-1/zuora"}):
        journal.add(entry(**changes))
    assert len(list(journal.select(Filter(partner="zuora")))) == 3
    assert len(list(journal.select(Filter(partner="zuora", key="k")))) == 2
    assert len(list(journal.select(Filter(order="o-1")))) == 4


def test_the_oldest_entries_make_room_and_are_counted():
    journal = Journal(capacity=2)
    for number in range(5):
        journal.add(entry(order=f"o-{number}"))
    assert [one.order for one in journal.select(Filter())] == ["o-3", "o-4"]
    assert journal.summary(Filter())["dropped"] == 3


def test_the_summary_counts_repeats_and_keys_with_several_effects():
    journal = Journal()
    for changes in (
        {},
        {"effect": None},
        {"key": "twice"},
        {"key": "twice"},
        {"key": None, "method": "GET", "effect": None},
    ):
        journal.add(entry(**changes))
    assert journal.summary(Filter()) == {
        "requests": 5,
        "dropped": 0,
        "routes": {"zuora": {"POST /zuora/v1/orders": 4, "GET /zuora/v1/orders": 1}},
        "distinct_keys": 2,
        "repeated_calls": 2,
        "several_effects": [{"partner": "zuora", "key": "twice", "effects": 2, "calls": 2}],
    }


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Waybill-Order": "o-1", "Zuora-Track-Id": "t"}, {"orderNumber": "n"}),
        ({"Zuora-Track-Id": "o-1"}, None),
        ({}, {"order_id": "o-1"}),
        ({}, {"order": {"id": "o-1"}}),
        ({}, {"order": "o-1"}),
        ({}, {"i42as__OrderNumber__c": "o-1"}),
    ],
)
def test_the_order_is_found_in_header_then_body(headers: dict[str, str], body: Any):
    assert order_of(headers, body) == "o-1"


@pytest.mark.parametrize("body", [None, [], {"order": 7}, {"order": {"id": 7}}])
def test_a_call_without_an_order_has_none(body: Any):
    assert order_of({}, body) is None
