"""From a record of `order-commands` to what the log says about it, or to the reason why not."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from schemas.commands import CommandKind
from schemas.events import CommandReceived, Event
from schemas.order_commands import OrderCommand, encoded_command, read_command
from schemas.problems import Problem, RefusedError
from streams.core.commanding import (
    SUBJECTLESS,
    Asked,
    Commanding,
    PreparedCommand,
    Request,
    belonging,
    command_received,
    merged,
    opened_document,
    read_request,
    stage_control,
)
from streams.core.evolve import evolve
from streams.core.intake import Intake, acceptance
from streams.core.order import Order
from streams.core.sealing import DataKey, unseal
from tests.unit.core.taking import INTAKE, KEYS, _missing, configured, prepared

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
NONCE = b"n" * 12
BUYER = {"email": "ada@example.org", "firstName": "Ada"}
COMMANDING = Commanding(INTAKE, lambda plugin: ("iban",) if plugin == "zuora" else ())


def order(**members: Any) -> Order:
    """An accepted order of the tenant `default`."""
    found = prepared(**{"external_id": "E-1", "customerDetails": BUYER, **members})
    folded = evolve(None, acceptance(found, key_of(found.subject), NONCE, NOW), 7)
    assert folded is not None
    return folded


def key_of(subject: str) -> DataKey:
    return DataKey("key-1", subject, b"s" * 32)


def keys(of: Order) -> dict[str, DataKey | None]:
    return {part.subject: key_of(part.subject) for part in of.accepted.sealed}


def asked(value: bytes | None = None, **members: Any) -> Asked:
    plain = {"order": "E-1", "reason": "because", **members}
    return read_request(
        Request(
            tenant="default",
            value=orjson.dumps(plain) if value is None else value,
            identity="order-commands/3/14",
            actor="ada",
            origin="order-commands/3/14",
            trace="00-trace-01",
        )
    )


def refused(order_: Order, commanding: Commanding = COMMANDING, **members: Any) -> Problem:
    with pytest.raises(RefusedError) as refusal:
        commanding.prepare(asked(**members), order_, keys(order_))
    return refusal.value.problem


def received(made: PreparedCommand) -> Event:
    key = None if made.subject == SUBJECTLESS else key_of(made.subject)
    return command_received(made, key, NONCE, NOW)


def fact(event: Event) -> CommandReceived:
    assert isinstance(event.fact, CommandReceived)
    return event.fact


def test_a_command_says_who_why_and_what() -> None:
    one, to = asked(command="retry", step="zuora", id="c-1"), belonging(order())
    event = received(PreparedCommand(asked=one, to=to))
    assert fact(event) == CommandReceived(
        command="c-1", kind=CommandKind.RETRY, reason="because", step="zuora"
    )
    envelope = event.envelope
    assert (envelope.order_id, envelope.lane, envelope.tenant) == (to.order_id, to.lane, "default")
    assert (envelope.actor, envelope.trace) == ("ada", "00-trace-01")
    assert envelope.causation == envelope.origin == "order-commands/3/14"
    assert evolve(order(), event, 8) != order()


def test_a_command_without_an_id_is_named_by_its_place() -> None:
    one, same = asked(command="retry"), asked(command="cancel")
    assert one.id == same.id
    assert one.id.startswith("command-")
    again = received(PreparedCommand(asked=one, to=belonging(order())))
    assert again == received(PreparedCommand(asked=one, to=belonging(order())))


def test_avro_and_json_say_the_same() -> None:
    command = OrderCommand(
        id="c-1", order="E-1", command=CommandKind.AMEND, reason="r", changes={"a": {"b": [1]}}
    )
    plain = command.model_dump(mode="json", exclude_none=True)
    assert read_command(encoded_command(command)) == read_command(orjson.dumps(plain)) == command


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"", "empty"),
        (b"{", "malformed"),
        (b"[]", "malformed"),
        (b"\x00\x00\x00\x00\x04", "malformed"),
        (b"\x00\x00\x00\x00\x02xxxx", "unknown_schema"),
        (b"\x00\x00\x00\x00\x04\xff\xff", "malformed"),
        (b'{"command": "retri"}', "unknown_command"),
        (b'{"command": "retry", "order": "\\u0000", "reason": "r"}', "malformed"),
        (b'{"command": "retry", "stage": "s", "reason": "r"}', "malformed"),
        (b'{"command": "hold_stage", "order": "o", "reason": "r"}', "malformed"),
        (b'{"command": ["retry"], "order": "o", "reason": "r"}', "unknown_command"),
        (b" " * (1 << 21), "oversize"),
    ],
)
def test_what_is_no_command_is_refused(value: bytes, code: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        read_command(value)
    assert refusal.value.problem.code == code
    assert refusal.value.problem.remedy


def test_output_is_bounded_in_size_and_depth() -> None:
    large = {"command": "resolve", "output": {"x": "y" * (65 << 10)}}
    with pytest.raises(RefusedError) as refusal:
        asked(**large)
    assert (refusal.value.problem.code, refusal.value.problem.field) == ("oversize", "/output")
    deep = b'{"command": "resolve", "order": "o", "reason": "r", "output": {"x": %s}}'
    with pytest.raises(RefusedError):
        read_command(deep % (b"[" * 400 + b"]" * 400))


def test_an_amendment_is_the_whole_new_order_sealed_again() -> None:
    before = order(country="GB", deliveryDetails={"city": "Leeds", "postalCode": "LS1"})
    changes = {"country": None, "deliveryDetails": {"city": "York"}}
    made = COMMANDING.prepare(asked(command="amend", changes=changes), before, keys(before))
    revision = fact(received(made)).revision
    assert revision is not None
    assert revision.changed == ("country", "deliveryDetails")
    assert revision.base == before.accepted.fingerprint
    assert revision.fingerprint != revision.base
    assert revision.waybill == before.accepted.waybill
    assert revision.document is not None
    assert "York" not in revision.document
    [part] = revision.sealed
    opened = unseal(part, before.id, key_of(part.subject))
    assert opened["deliveryDetails"] == {"city": "York", "postalCode": "LS1"}
    assert opened["customerDetails"] == BUYER
    assert "country" not in orjson.loads(revision.document)
    assert orjson.loads(revision.document)["external_id"] == "E-1"


def test_an_amended_buyer_is_another_data_subject() -> None:
    before = order()
    changes = {"customerDetails": {"email": "eda@example.org"}}
    made = COMMANDING.prepare(asked(command="amend", changes=changes), before, keys(before))
    assert made.subject != before.accepted.sealed[0].subject
    assert fact(received(made)).revision.sealed[0].subject == made.subject


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"order_type": "renew"}, "unchangeable", "/changes/order_type"),
        ({"mode": "test"}, "no_connection", "/changes/mode"),
        ({"external_id": "E-2"}, "unchangeable", "/changes/external_id"),
        ({"external_id": None}, "unchangeable", "/changes/external_id"),
        ({"forSubscription": "SUB-9"}, "unchangeable", "/changes/forSubscription"),
        ({"orderItems": 7}, "malformed", "/changes/orderItems"),
        ({"country": "GB"}, "nothing_changed", "/changes"),
        ({"x": "y" * (600 << 10)}, "oversize", "/changes"),
    ],
)
def test_an_amendment_has_to_be_an_order_that_could_be_this_one(
    changes: dict[str, Any], code: str, field: str
) -> None:
    before = order(country="GB", note="y" * (600 << 10))
    problem = refused(before, command="amend", changes=changes)
    assert (problem.code, problem.field) == (code, field)
    assert problem.remedy


def test_a_subscription_that_an_order_is_about_stays_the_same() -> None:
    before = order(order_type="renew", forSubscription="SUB-1")
    problem = refused(before, command="amend", changes={"forSubscription": "SUB-2"})
    assert problem.code == "unchangeable"
    other = {"forSubscription": {"reference": "SUB-1"}}
    made = COMMANDING.prepare(asked(command="amend", changes=other), before, keys(before))
    assert fact(received(made)).revision is not None


def newer() -> Commanding:
    """Under the next version of the configuration, with one step less."""
    sequencer = configured(version=4, sequence=[{"name": "callout"}])
    return Commanding(Intake({"default": sequencer}, {"default": KEYS}, _missing), lambda _: ())


def test_an_amendment_needs_the_configuration_of_its_order_or_leave_to_take_another() -> None:
    before, changes = order(), {"country": "IE"}
    problem = refused(before, newer(), command="amend", changes=changes)
    assert (problem.code, problem.field) == ("configuration_gone", "/config")
    one = asked(command="amend", changes=changes, config="current")
    revision = fact(received(newer().prepare(one, before, keys(before)))).revision
    assert revision is not None
    assert revision.config_version == 4
    assert [step.plugin for step in revision.waybill] == ["callout"]


def test_an_amendment_is_made_under_the_version_of_its_order() -> None:
    before, one = order(), asked(command="amend", changes={"country": "IE"})
    used = newer()
    assert used.other_version(one, before) == 3
    assert COMMANDING.other_version(one, before) is None
    assert used.other_version(asked(command="retry", config="current"), before) is None
    revision = fact(received(used.prepare(one, before, keys(before), configured()))).revision
    assert revision is not None
    assert revision.config_version == 3
    assert [step.plugin for step in revision.waybill] == ["zuora", "callout"]


def test_a_retry_under_the_current_configuration_brings_its_waybill_alone() -> None:
    before = order()
    one = asked(command="retry", config="current")
    assert one.revises
    made = newer().prepare(one, before, keys(before))
    assert made.subject == SUBJECTLESS
    revision = fact(received(made)).revision
    assert revision is not None
    assert (revision.config_version, revision.document, revision.changed) == (4, None, ())
    assert not asked(command="retry", config="pinned").needs_order


def test_an_erased_order_cannot_be_revised() -> None:
    before = order()
    with pytest.raises(RefusedError) as refusal:
        opened_document(before, {})
    assert refusal.value.problem.code == "erased"


def test_personal_output_is_sealed() -> None:
    before = order()
    output = {"iban": "GB00 1", "id": "A-1"}
    for step in ("zuora", None):
        one = asked(command="resolve", output=output, **({"step": step} if step else {}))
        made = COMMANDING.prepare(one, before, keys(before))
        said = fact(received(made))
        assert said.output == {"id": "A-1"}
        [part] = said.sealed
        assert unseal(part, before.id, key_of(part.subject)) == {"iban": "GB00 1"}
    other = asked(command="resolve", output=output, step="callout")
    assert fact(received(COMMANDING.prepare(other, before, keys(before)))).output == output


def test_holding_a_stage_is_a_record_of_its_own() -> None:
    key, value = stage_control(asked(command="hold_stage", order=None, stage="zuora@h"), NOW)
    assert key == b"default/zuora@h"
    assert orjson.loads(value) == {
        "tenant": "default",
        "stage": "zuora@h",
        "held": True,
        "actor": "ada",
        "reason": "because",
        "at": "2026-03-01T10:00:00+00:00",
        "command": asked(command="hold_stage", order=None, stage="zuora@h").id,
    }


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patches_are_those_of_the_rfc(target: Any, patch: Any, result: Any) -> None:
    assert merged(target, patch) == result
