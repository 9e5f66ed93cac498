"""Records of `order-events`: schema id first, the envelope before the fact, words for refusals."""

import io
import json
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from typing import Any, Union, get_args, get_origin, get_type_hints

import orjson
import pytest
from fastavro import parse_schema, schemaless_reader

from schemas import codec, commands, steps
from schemas.codec import HEADER, Memo, UndecodableError, decode, encode
from schemas.envelope import Envelope
from schemas.events import Fact
from schemas.registry import ORDER_EVENTS, ORDERS, by_id, latest, published
from tests.facts import accepted, event, failed, step, succeeded

SCHEMA: dict[str, Any] = json.loads(latest(ORDER_EVENTS).text)
KINDS: tuple[type[Any], ...] = get_args(Fact)
NAMES = {int: "int", bool: "boolean", float: "double", bytes: "bytes", datetime: "long"}
LONGS = {"passed_by"}  # offsets
NESTED = (
    steps.WaybillStep,
    steps.Retry,
    steps.Sealed,
    steps.Callout,
    steps.Body,
    steps.Failure,
    commands.Revision,
)
VALUE = encode(event(accepted(step("a"))))


def records(schema: Any) -> dict[str, dict[str, Any]]:
    """Every record that the schema defines, by name."""
    if isinstance(schema, list):
        return {name: one for part in schema for name, one in records(part).items()}
    if not isinstance(schema, dict):
        return {}
    found = {schema["name"]: schema} if schema["type"] == "record" else {}
    inner = [field["type"] for field in schema.get("fields", ())]
    nested = schema["type"] if isinstance(schema["type"], dict) else None
    return {**found, **records([*inner, schema.get("items"), schema.get("values"), nested])}


def avro_type(hint: Any) -> Any:
    """The Avro type of a field, less logical types, with records by name."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin in {Union, types.UnionType}:
        [given] = [one for one in inner if one is not type(None)]
        return ["null", avro_type(given)]
    if origin is tuple:
        return {"type": "array", "items": avro_type(inner[0])}
    if origin is Mapping:
        return "string" if inner[1] is Any else {"type": "map", "values": avro_type(inner[1])}
    return hint.__name__ if is_dataclass(hint) else NAMES.get(hint, "string")


def bare(schema: Any) -> Any:
    """The type as `avro_type` has it."""
    if isinstance(schema, list):
        return [bare(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if schema["type"] == "record":
        return schema["name"]
    if schema["type"] in {"array", "map"}:
        member = "items" if schema["type"] == "array" else "values"
        return {"type": schema["type"], member: bare(schema[member])}
    return bare(schema["type"])


@pytest.mark.parametrize(
    "kind",
    [*KINDS, *NESTED],
    ids=lambda kind: kind.__name__,
)
def test_the_schema_has_every_field_of_a_class_and_no_other(kind: type[Any]) -> None:
    hints = get_type_hints(kind)
    expected = {
        field.name: ["null", "long"] if field.name in LONGS else avro_type(hints[field.name])
        for field in fields(kind)
    }
    described = records(SCHEMA)[kind.__name__]["fields"]
    assert {field["name"]: bare(field["type"]) for field in described} == expected


def test_the_schema_has_every_field_of_the_envelope_then_the_fact() -> None:
    hints = get_type_hints(Envelope)
    described = {field["name"]: bare(field["type"]) for field in SCHEMA["fields"]}
    assert list(described)[-1] == "fact"
    assert set(described.pop("fact")) == {kind.__name__ for kind in KINDS}
    assert described.pop("type") == "string"
    assert described == {field.name: avro_type(hints[field.name]) for field in fields(Envelope)}


def test_what_may_be_missing_is_missing_by_default() -> None:
    for record in records(SCHEMA).values():
        for field in record["fields"]:
            if isinstance(field["type"], list) and field["name"] != "fact":
                assert field["default"] is None, f"{record['name']}.{field['name']}"


def test_a_default_is_nothing_at_all() -> None:
    given = [one for record in records(SCHEMA).values() for one in record["fields"]]
    assert all(not one["default"] for one in given if "default" in one)


@pytest.mark.parametrize("kind", [*KINDS, *NESTED], ids=lambda kind: kind.__name__)
def test_what_the_schema_fills_in_is_what_the_class_fills_in(kind: type[Any]) -> None:
    described = {one["name"]: one for one in records(SCHEMA)[kind.__name__]["fields"]}
    for field in fields(kind):
        filled = described[field.name].get("default", MISSING)
        if filled is not MISSING and field.default is not MISSING:
            assert (tuple(filled) if isinstance(filled, list) else filled) == field.default


def test_the_codec_knows_every_fact() -> None:
    assert set(codec._FACTS) == set(KINDS)


def test_schema_ids_are_never_reused() -> None:
    schemas = [schema for versions in published().values() for schema in versions]
    assert len({schema.id for schema in schemas}) == len(schemas)
    assert all(by_id(schema.id) is schema for schema in schemas)
    for versions in published().values():
        assert [schema.version for schema in versions] == list(range(1, len(versions) + 1))
    assert [schema.id for schema in published()[ORDER_EVENTS]] == [1, 3]
    assert [schema.id for schema in published()[ORDERS]] == [2]
    assert by_id(0) is None


def test_a_record_opens_with_a_zero_and_its_schema_id() -> None:
    assert VALUE[:5] == b"\x00\x00\x00\x00\x03"


@pytest.mark.parametrize("fact", [accepted(step("a")), succeeded("a"), failed("a")])
def test_the_envelope_can_be_read_without_knowing_the_fact(fact: Fact) -> None:
    written = event(fact)
    head = {**SCHEMA, "fields": SCHEMA["fields"][:-1]}
    source = io.BytesIO(encode(written))
    source.seek(HEADER.size)
    read: Any = schemaless_reader(source, parse_schema(head), None)
    assert read.pop("type") == type(fact).__name__
    assert Envelope(**read) == written.envelope


@pytest.mark.parametrize(
    ("value", "code", "word"),
    [
        (None, "not_avro", "schema id"),
        (b"", "not_avro", "schema id"),
        (VALUE[:5], "not_avro", "schema id"),
        (b"{" + VALUE[1:], "not_avro", "123"),
        (b"\x01" + VALUE[1:], "not_avro", "not 0"),
        (HEADER.pack(0, 99) + VALUE[5:], "unknown_schema", "99"),
        (HEADER.pack(0, latest(ORDERS).id) + VALUE[5:], "unknown_schema", "2"),
        (VALUE[:-1], "not_avro", "schema 3"),
        (VALUE[:5] + b"\xff" * 40, "not_avro", "schema 3"),
    ],
)
def test_what_is_no_event_is_undecodable_in_words(
    value: bytes | None, code: str, word: str
) -> None:
    with pytest.raises(UndecodableError) as refused:
        decode(value)
    assert refused.value.code == code
    assert word in str(refused.value)


@pytest.mark.parametrize("items", [None, (), (0,), (2, 1)], ids=str)
def test_no_items_are_not_all_items(items: tuple[int, ...] | None) -> None:
    fact = decode(encode(event(accepted(step("a", items=items))))).fact
    assert fact == accepted(step("a", items=items))


def test_a_memo_hands_back_what_it_encoded_once() -> None:
    memo, written = Memo(), event(succeeded("a"))
    value = memo.encode(written)
    assert memo.decode(bytes(value)) is written
    again = memo.decode(value)
    assert again == written
    assert again is not written


def test_a_full_memo_lets_the_oldest_go() -> None:
    memo = Memo(limit=2)
    written = [event(succeeded(name)) for name in "abc"]
    values = [memo.encode(one) for one in written]
    decoded = [memo.decode(value) for value in values]
    assert decoded == written
    assert [one is known for one, known in zip(decoded, written, strict=True)] == [
        False,
        True,
        True,
    ]


def test_a_memo_refuses_what_the_codec_refuses() -> None:
    for value in (None, b"", VALUE[:-1]):
        with pytest.raises(UndecodableError):
            Memo().decode(value)


def test_outputs_are_json_texts_in_the_record() -> None:
    assert orjson.dumps({"id": "a"}) in encode(event(succeeded("a")))
