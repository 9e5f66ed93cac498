"""Why an order is not taken: each refusal names its code, the field to blame, and a remedy."""

import re
from typing import Any

import orjson
import pytest

from schemas.codec import HEADER, encode
from schemas.orders import MAX_ORDER_BYTES, ORDER_TYPES
from schemas.problems import Problem, RefusedError
from schemas.registry import ORDERS, latest
from tests.facts import accepted, event, step
from tests.unit.core.taking import KEY, prepared, taken

AVRO_ORDER = HEADER.pack(0, latest(ORDERS).id)
BYTES = {
    "nothing": (None, "empty", None),
    "empty": (b"", "empty", None),
    "not JSON": (b"<order/>", "malformed", "JSON"),
    "half": (b'{"external_id": "E"', "malformed", "JSON"),
    "not UTF-8": (b'{"a": "\xff"}', "malformed", "JSON"),
    "NaN": (b'{"a": NaN}', "malformed", "JSON"),
    "a lone surrogate": (b'{"a": "\\ud800"}', "malformed", "JSON"),
    "a list": (b"[{}]", "malformed", "object"),
    "a number": (b"7", "malformed", "object"),
    "null": (b"null", "malformed", "object"),
    "only a magic byte": (b"\x00", "malformed", "schema id"),
    "only a schema id": (AVRO_ORDER, "malformed", "schema id"),
    "an unknown schema": (HEADER.pack(0, 99) + b"x", "unknown_schema", "99"),
    "half an Avro order": (AVRO_ORDER + b"\x02", "malformed", f"schema {latest(ORDERS).id}"),
}
MEMBERS: dict[str, tuple[dict[str, Any], str, str]] = {
    "mode": ({"mode": "sandbox"}, "malformed", "/mode"),
    "mode as number": ({"mode": 1}, "malformed", "/mode"),
    "missing connection": ({"mode": "test"}, "no_connection", "/mode"),
    "order type": ({"order_type": "renw"}, "unknown_order_type", "/order_type"),
    "order type as list": ({"order_type": ["new"]}, "malformed", "/order_type"),
    "external id as number": ({"external_id": 7}, "malformed", "/external_id"),
    "long external id": ({"external_id": "x" * 256}, "malformed", "/external_id"),
    "items as object": ({"orderItems": {}}, "malformed", "/orderItems"),
    "item as text": ({"orderItems": [{}, "x"]}, "malformed", "/orderItems/1"),
    "address as text": ({"billingDetails": "12 High St"}, "malformed", "/billingDetails"),
    "total as number": ({"total": 25}, "malformed", "/total"),
    "day as number": ({"effectiveDate": 20260401}, "malformed", "/effectiveDate"),
    "haste as text": ({"process_immediately": "yes"}, "malformed", "/process_immediately"),
    "subscription as number": ({"forSubscription": 7}, "malformed", "/forSubscription"),
    "nameless subscription": ({"forSubscription": {"x": 1}}, "malformed", "/forSubscription"),
    "blank subscription": ({"forSubscription": " / "}, "malformed", "/forSubscription"),
    "long subscription": ({"forSubscription": "x" * 256}, "malformed", "/forSubscription"),
    "two subscriptions": (
        {"forSubscription": "A", "orderItems": [{"forSubscription": "B"}]},
        "several_subscriptions",
        "/forSubscription",
    ),
    "no subscription": (
        {"order_type": "cancel_subscription"},
        "subscription_required",
        "/forSubscription",
    ),
    "no plugin left": ({"order_type": "refund"}, "no_matching_configuration", ""),
    "unknown tenant": ({"tenant": "nobody"}, "no_configuration", ""),
    "tenant without key": ({"tenant": "keyless"}, "no_configuration", ""),
    "tenant without configuration": ({"tenant": "unconfigured"}, "no_configuration", ""),
    "expression that does not fit": (
        {"tenant": "broken", "orderItems": [{"quantity": 2}]},
        "no_matching_configuration",
        "",
    ),
    "large waybill": ({"tenant": "large"}, "oversize", ""),
}


def refusal(value: bytes | None = None, **members: Any) -> Problem:
    with pytest.raises(RefusedError) as refused:
        prepared(**members) if members else taken(value)
    problem = refused.value.problem
    assert problem.remedy
    assert problem.message == str(refused.value)
    assert re.fullmatch("[a-z_]+", problem.code)
    return problem


@pytest.mark.parametrize(("value", "code", "word"), BYTES.values(), ids=BYTES)
def test_bytes_that_are_no_order_are_refused(
    value: bytes | None, code: str, word: str | None
) -> None:
    problem = refusal(value)
    assert problem.code == code
    assert (word or "") in problem.message


@pytest.mark.parametrize(("members", "code", "field"), MEMBERS.values(), ids=MEMBERS)
def test_a_refusal_names_the_member_to_blame(
    members: dict[str, Any], code: str, field: str
) -> None:
    problem = refusal(**members)
    assert (problem.code, problem.field or "") == (code, field)


def test_an_order_of_one_mebibyte_is_taken_and_one_byte_more_is_not() -> None:
    frame = len(orjson.dumps({"x": ""}))
    assert prepared(x="x" * (MAX_ORDER_BYTES - frame))
    problem = refusal(x="x" * (MAX_ORDER_BYTES - frame + 1))
    assert problem.code == "oversize"
    assert str(MAX_ORDER_BYTES + 1) in problem.message
    assert str(MAX_ORDER_BYTES) in problem.message


def test_an_unknown_order_type_near_a_known_one_suggests_it() -> None:
    assert "'renew'" in refusal(order_type="renw").remedy
    assert "'gift_redemption'" in refusal(order_type="gift_redemtion").remedy


def test_an_unknown_order_type_near_none_lists_them_all() -> None:
    remedy = refusal(order_type="xyzzy").remedy
    assert all(name in remedy for name in (*ORDER_TYPES, "gift_redemption"))


@pytest.mark.parametrize("order_type", ORDER_TYPES)
def test_no_order_type_is_unknown(order_type: str) -> None:
    if order_type != "refund":
        members = {"order_type": order_type, "forSubscription": "A", "total": {"amount": 5}}
        assert prepared(**members).order_type == order_type


@pytest.mark.parametrize("order_type", ORDER_TYPES)
@pytest.mark.parametrize("given", [None, "", [], {}])
def test_every_change_names_a_subscription(order_type: str, given: object) -> None:
    members = {"order_type": order_type, "forSubscription": given, "total": {"amount": 5}}
    if order_type == "new":
        assert prepared(tenant="strict", **members)
        return
    problem = refusal(tenant="strict", **members)
    assert (problem.code, problem.field) == ("subscription_required", "/forSubscription")
    assert order_type in problem.message


def test_a_tenants_own_order_types_need_no_subscription() -> None:
    assert prepared(order_type="gift_redemption").order_type == "gift_redemption"


def test_a_missing_connection_is_named_with_its_step_and_mode() -> None:
    message = refusal(mode="test").message
    assert all(word in message for word in ("'zuora'", "'default'", "'test'"))


def test_an_order_that_passes_no_plugin_with_a_connection_needs_none() -> None:
    activation = {"order_type": "activation", "forSubscription": "A"}
    assert prepared(mode="test", **activation).mode == "test"


def test_several_subscriptions_are_counted() -> None:
    several = [{"forSubscription": name} for name in ("A", "/subscriptions/A", "B", "C")]
    assert "3" in refusal(order_type="renew", orderItems=several).message


def test_a_refusal_repeats_no_value_of_the_personal_sections() -> None:
    secret = {"email": "ada@example.org"}
    for members, _, _ in MEMBERS.values():
        problem = refusal(**{**members, "customerDetails": secret})
        assert "ada" not in f"{problem.message} {problem.remedy} {problem.field}"


def test_an_avro_record_of_another_subject_is_not_an_order() -> None:
    assert refusal(encode(event(accepted(step("a"))))).code == "unknown_schema"


@pytest.mark.parametrize("member", ["customFields", "customerDetails"])
def test_an_order_nested_too_deep_is_refused(member: str) -> None:
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    assert refusal(b'{"%s":%s}' % (member.encode(), deep)).code == "malformed"


def test_the_key_of_tests_is_not_shown() -> None:
    assert "ssss" not in repr(KEY)
