"""What is written is what is read, by us and by Apache's reader; all else is undecodable."""

import io
import warnings
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

import orjson
import pytest
from avro.io import BinaryDecoder, DatumReader
from avro.schema import Schema
from avro.schema import parse as apache_parse
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.codec import HEADER, Memo, UndecodableError, decode, decode_to_fold, encode
from schemas.events import Event, Fact
from schemas.registry import ORDER_EVENTS, latest
from tests.facts import accepted, command, event, failed, skipped, started, step, succeeded
from tests.written import EVENTS

often = settings(max_examples=300, deadline=None)


def unreadable(value: bytes) -> str | None:
    """Why the bytes cannot be read; None where they can."""
    try:
        decode(value)
    except UndecodableError as problem:
        return problem.code
    return None


@often
@given(EVENTS)
def test_what_is_written_is_read_back(written: Event) -> None:
    assert decode(encode(written)) == written
    assert encode(decode(encode(written))) == encode(written)


def thoroughly(value: bytes) -> Event | str:
    """What the reader that walks the schema makes of it: an event, or the code of a refusal."""
    try:
        return codec._decoded(value)
    except UndecodableError as problem:
        return problem.code


@often
@given(EVENTS)
def test_the_compiled_reader_reads_what_is_written(written: Event) -> None:
    _, read_envelope, read_fact = codec._latest_readers()
    value = encode(written)
    envelope, at = read_envelope(value, HEADER.size)
    fact, at = read_fact[value[at]](value, at + 1)
    assert (Event(envelope, fact), at) == (written, len(value))


def folded(found: Event) -> list[object]:
    """What a fold looks at: all but ids, origin and what callouts are about."""
    envelope, fact = found.envelope, found.fact
    left_out = {"event_id", "causation", "origin"}
    plain = {one.name: getattr(fact, one.name) for one in fields(fact)}
    durations = [callout.duration_ms for callout in plain.pop("callouts", ())]
    names = [one.name for one in fields(envelope) if one.name not in left_out]
    return [type(fact), plain, durations, [getattr(envelope, name) for name in names]]


@often
@given(EVENTS)
def test_what_a_fold_looks_at_is_read_as_by_the_reader_of_everything(written: Event) -> None:
    value = encode(written)
    part = decode_to_fold(value)
    assert folded(part) == folded(written)
    assert not hasattr(part.envelope, "event_id")  # it is the quick one that has read it
    for length in (len(value) - 1, len(value) // 2, HEADER.size):
        with pytest.raises(UndecodableError):
            decode_to_fold(value[:length])


@often
@given(EVENTS, st.data())
def test_both_readers_agree_on_whatever_the_bytes_are(written: Event, data: st.DataObject) -> None:
    value = bytearray(encode(written))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(HEADER.size, len(value) - 1))
        value[at] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del value[data.draw(st.integers(HEADER.size, len(value))) :]
    found = unreadable(bytes(value)) or decode(bytes(value))
    assert repr(found) == repr(thoroughly(bytes(value)))  # a number that is none equals nothing


@often
@given(EVENTS)
def test_a_memo_answers_as_the_codec_does(written: Event) -> None:
    memo = Memo()
    value = memo.encode(written)
    assert value == encode(written)
    assert memo.decode(value) == memo.decode(value) == decode(value)


@settings(max_examples=60, deadline=None)
@given(EVENTS)
def test_a_record_cut_anywhere_is_undecodable(written: Event) -> None:
    value = encode(written)
    assert {unreadable(value[:length]) for length in range(len(value))} == {"not_avro"}
    assert decode(value) == written  # what was read of the others is forgotten


@often
@given(st.binary(max_size=120))
def test_foreign_bytes_are_undecodable(value: bytes) -> None:
    assert unreadable(value)
    headed = HEADER.pack(0, latest(ORDER_EVENTS).id) + value
    assert unreadable(headed) in {None, "not_avro", "unknown_word"}


@often
@given(st.sampled_from([skipped("a"), started("a", 1)]), st.data())
def test_a_changed_byte_is_read_or_undecodable(fact: Fact, data: st.DataObject) -> None:
    value = bytearray(encode(event(fact)))
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    assert unreadable(bytes(value)) in {None, "not_avro", "unknown_schema"}


@pytest.mark.parametrize(
    ("fact", "word", "other"),
    [
        (accepted(step("a")), b"main", b"mean"),
        (accepted(step("a")), b"repeat", b"repaet"),
        (failed("a", code="no_money"), b"declined", b"deklined"),
        (succeeded("a"), b'{"id":"a"}', b'{"id":"a"]'),
        (command("retry"), b"\nretry", b"\nretri"),
        (command("resolve", output={"id": "a"}), b'{"id":"a"}', b'{"id":"a"]'),
    ],
    ids=["phase", "on_unknown", "failure", "output", "command", "command's output"],
)
def test_a_word_that_this_version_does_not_know_is_undecodable(
    fact: Any, word: bytes, other: bytes
) -> None:
    value = encode(event(fact))
    assert value.count(word) == 1
    assert unreadable(value.replace(word, other))


@cache
def apache_schema() -> Schema:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it does not know the logical type json, and need not
        return apache_parse(latest(ORDER_EVENTS).text)


def plain(value: Any) -> Any:
    """The value as Avro has it."""
    if is_dataclass(value):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, StrEnum) else value


@often
@given(EVENTS)
@example(event(accepted(step("a", items=(1, 2), timeout_s=0.1))))
def test_apaches_reader_reads_what_is_written(written: Event) -> None:
    source = io.BytesIO(encode(written))
    source.seek(HEADER.size)
    read: Any = DatumReader(apache_schema()).read(BinaryDecoder(source))
    assert source.read() == b""
    fact = plain(written.fact)
    if fact.get("output") is not None:
        read["fact"]["output"] = orjson.loads(read["fact"]["output"])
    envelope = plain(written.envelope)
    assert read.pop("type") == type(written.fact).__name__
    assert read == {**envelope, "fact": fact}
    assert isinstance(read["occurred_at"], datetime)
