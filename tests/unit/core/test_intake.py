"""What becomes of an order document that is taken."""

import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from fastavro import schemaless_writer

from schemas.codec import HEADER
from schemas.events import OrderAccepted
from schemas.registry import ORDERS, latest
from streams.core import ids
from streams.core.intake import Prepared, acceptance, effective_date
from streams.core.sealing import SECTIONS
from tests.unit.core.taking import KEY, prepared, taken

NOW = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
NONCE = b"n" * 12
SHARED = Path(__file__).parents[4] / "shared" / "data"
ORDERS_AT_HAND = [
    SHARED / "order-new.json",
    Path(__file__).parents[3] / "examples" / "order-new.json",
    *sorted((Path(__file__).parents[3] / "examples" / "orders").glob("*.json")),
]
TRICKY = {
    "draft offer": {"orderItems": [{"offer": {"data": {"status": "draft"}}}]},
    "ended validity": {
        "orderItems": [{"startDate": "2026-01-01", "offer": {"data": {"validTo": "2020-01-01"}}}]
    },
    "no address": {"customerDetails": {"email": "ada@example.org"}, "hasDelivery": True},
    "another path": {"orderItems": [{"offer": {"path": "/a", "data": {"path": "/b"}}}]},
    "amount as text": {"total": {"amount": "25.00"}, "orderItems": [{"price": {"amount": "25"}}]},
    "amount as number": {"total": {"amount": 25}, "orderItems": [{"price": {"amount": 25.5}}]},
    "no items": {},
    "empty items": {"orderItems": []},
    "odd owner": {"owner": 7},
}


def avro(**members: Any) -> bytes:
    """The order as Avro, open sections as JSON texts."""
    known = {field["name"] for field in json.loads(latest(ORDERS).text)["fields"]}
    record: dict[str, Any] = dict.fromkeys(known)
    record["process_immediately"] = members.pop("process_immediately", None)
    more = {}
    for name, value in members.items():
        if name not in known:
            more[name] = value
        else:
            record[name] = value if isinstance(value, str) else orjson.dumps(value).decode()
    record["more"] = orjson.dumps(more).decode() if more else None
    out = io.BytesIO(HEADER.pack(0, latest(ORDERS).id))
    out.seek(HEADER.size)
    schemaless_writer(out, latest(ORDERS).parsed, record)
    return out.getvalue()


def fact(order: Prepared, now: datetime = NOW) -> OrderAccepted:
    said = acceptance(order, KEY, NONCE, now).fact
    assert isinstance(said, OrderAccepted)
    return said


@pytest.mark.parametrize("path", ORDERS_AT_HAND, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_orders_at_hand_are_taken_unmodified(path: Path) -> None:
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    document = orjson.loads(path.read_bytes())
    order = taken(path.read_bytes())
    assert order.document == document
    assert (order.order_type, order.mode) == ("new", "production")
    assert order.external_id == document["external_id"]
    kept = orjson.loads(fact(order).document)
    assert kept == {name: value for name, value in document.items() if name not in SECTIONS}


@pytest.mark.parametrize("document", TRICKY.values(), ids=TRICKY)
def test_what_an_order_may_look_like_is_no_reason_to_refuse_it(document: dict[str, Any]) -> None:
    order = prepared(**document)
    assert order.document == document
    assert fact(order).waybill


@pytest.mark.parametrize("given", [{}, {"order_type": None}, {"order_type": ""}])
def test_an_order_without_a_type_is_new(given: dict[str, Any]) -> None:
    assert prepared(**given).order_type == "new"


def test_submitted_is_read_as_new() -> None:
    assert prepared(order_type="submitted").order_type == "new"
    assert fact(prepared(order_type="submitted")).axes["order_type"] == "new"


def test_a_tenant_may_declare_order_types_of_its_own() -> None:
    assert prepared(order_type="gift_redemption").order_type == "gift_redemption"


def test_a_tenant_may_read_the_order_type_elsewhere() -> None:
    assert prepared(tenant="elsewhere", kind="renew", forSubscription="A").order_type == "renew"
    assert prepared(tenant="elsewhere", kind="submitted", order_type="renew").order_type == "new"
    assert prepared(tenant="elsewhere").order_type == "new"


def test_an_order_without_a_mode_is_for_production() -> None:
    assert prepared().mode == "production"
    assert prepared(mode="test", tenant="tested").mode == "test"


def test_the_same_external_id_gives_the_same_ids_and_lane() -> None:
    one, two = prepared(external_id="E", a=1, origin="o/0/1"), prepared(external_id="E", a=2)
    assert (one.order_id, one.lane) == (two.order_id, two.lane)
    assert one.fingerprint != two.fingerprint
    first, second = (acceptance(order, KEY, NONCE, NOW) for order in (one, two))
    assert first.envelope.event_id != second.envelope.event_id


def test_another_external_id_or_tenant_gives_another_order_in_another_lane() -> None:
    orders = [
        prepared(external_id="E"),
        prepared(external_id="F"),
        prepared(external_id="E", tenant="tested"),
    ]
    assert len({order.order_id for order in orders}) == len({order.lane for order in orders}) == 3


def test_without_an_external_id_the_identity_of_the_submission_stands_in() -> None:
    assert prepared(identity="key-1").order_id == prepared(identity="key-1").order_id
    assert prepared(identity="key-1").order_id != prepared(identity="key-2").order_id
    named = [prepared(identity=one, external_id="E").order_id for one in ("key-1", "key-2")]
    assert len(set(named)) == 1
    assert prepared(identity="key-1").external_id is None


def test_the_reference_of_a_new_subscription_is_chosen_and_is_its_lane() -> None:
    order = prepared(external_id="E")
    assert order.subscription_reference == ids.subscription_reference("default", "E")
    assert order.lane == f"default/{order.subscription_reference}"


def test_a_change_queues_in_the_lane_of_the_order_that_opened_the_subscription() -> None:
    opening = prepared(external_id="E")
    change = prepared(order_type="renew", forSubscription=opening.subscription_reference)
    assert change.lane == opening.lane
    assert change.order_id != opening.order_id


@pytest.mark.parametrize(
    "given",
    [
        "SUB-1",
        " SUB-1 ",
        "/subscriptions/SUB-1",
        "/subscriptions/SUB-1/",
        {"reference": "SUB-1"},
        {"id": "SUB-1"},
        {"name": "SUB-1"},
        {"path": "/subscriptions/SUB-1"},
        {"reference": "", "id": "SUB-1"},
        {"reference": "SUB-1", "id": "another"},
        ["SUB-1"],
        ["SUB-1", {"id": "SUB-1"}],
    ],
    ids=str,
)
def test_a_subscription_is_one_and_the_same_however_it_is_named(given: object) -> None:
    order = prepared(order_type="renew", forSubscription=given)
    assert (order.subscription_reference, order.lane) == ("SUB-1", "default/SUB-1")
    by_item = prepared(order_type="renew", orderItems=[{"forSubscription": given}, {}])
    assert by_item.lane == "default/SUB-1"
    both = prepared(forSubscription="SUB-1", orderItems=[{"forSubscription": given}])
    assert both.lane == "default/SUB-1"


@pytest.mark.parametrize(
    ("document", "day"),
    [
        ({"orderDate": "2026-01-02T23:59:59+01:00"}, "2026-01-02"),
        ({"orderDate": "2026-01-02", "orderItems": [{"startDate": "2026-02-03"}]}, "2026-01-02"),
        ({"orderItems": [{"startDate": "2026-02-03T00:00:00Z"}, {}]}, "2026-02-03"),
        ({"orderDate": "soon", "orderItems": [{"startDate": "2026-02-03"}]}, "2026-02-03"),
        ({"orderDate": 20260102}, "2026-03-04"),
        ({"orderDate": "2026-02-30"}, "2026-03-04"),
        ({"orderItems": []}, "2026-03-04"),
        ({"orderItems": None}, "2026-03-04"),
        ({}, "2026-03-04"),
    ],
    ids=str,
)
def test_the_effective_date_is_the_orders_day_else_the_first_items_else_today(
    document: dict[str, Any], day: str
) -> None:
    assert effective_date(document, NOW) == day
    assert fact(prepared(**document)).effective_date == day


def test_the_owner_is_as_the_order_says_else_its_data_subject() -> None:
    assert prepared(owner="shop-7").owner == "shop-7"
    mail = {"email": " Ada@Example.org "}
    owner = prepared(external_id="1", customerDetails=mail).owner
    assert owner == prepared(external_id="2", customerDetails={"email": "ada@example.org"}).owner
    assert "ada" not in owner.lower()
    assert prepared(external_id="1").owner != prepared(external_id="2").owner


def test_an_acceptance_says_where_it_came_from_and_repeats_word_for_word() -> None:
    order = prepared(external_id="E", origin="orders/3/14", actor="lfs", trace="00-abc-01")
    event = acceptance(order, KEY, NONCE, NOW)
    envelope = event.envelope
    assert (envelope.origin, envelope.causation) == ("orders/3/14", "orders/3/14")
    assert (envelope.actor, envelope.trace) == ("lfs", "00-abc-01")
    assert (envelope.occurred_at, envelope.run) == (NOW, 1)
    assert (envelope.lane, envelope.order_id) == (order.lane, order.order_id)
    assert acceptance(order, KEY, NONCE, NOW) == event


def test_an_avro_order_is_the_json_order() -> None:
    path = Path(__file__).parents[3] / "examples" / "order-new.json"
    members = orjson.loads(path.read_bytes())
    from_json, from_avro = prepared(**members), taken(avro(**members))
    assert from_avro.document == from_json.document
    assert from_avro.fingerprint == from_json.fingerprint
    assert (from_avro.order_id, from_avro.lane) == (from_json.order_id, from_json.lane)
    one, other = fact(from_avro), fact(from_json)
    assert orjson.loads(one.document) == orjson.loads(other.document)
    assert replace(one, document="", sealed=()) == replace(other, document="", sealed=())


def test_further_members_of_an_avro_order_are_members_of_the_order() -> None:
    document = taken(avro(external_id="E", hasDelivery=True, gift={"to": "Bo"})).document
    assert document == {
        "external_id": "E",
        "hasDelivery": True,
        "gift": {"to": "Bo"},
    }
