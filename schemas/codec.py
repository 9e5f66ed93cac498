"""Events to Avro bytes in Confluent's wire format, and back."""

import io
import struct
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import cache, partial
from operator import attrgetter
from typing import Any, TypeAlias, get_args

import orjson
from fastavro import schemaless_reader, schemaless_writer

from schemas import commands, events, steps
from schemas.compiled import UNUSUAL, Compiler, Read
from schemas.envelope import Envelope
from schemas.events import Event, Fact
from schemas.registry import ORDER_EVENTS, by_id, latest

HEADER = struct.Struct(">bI")
MAGIC = 0


class UndecodableError(Exception):
    """The bytes are not an event that this version can read. `code` says which way."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


_ENVELOPE = tuple(field.name for field in fields(Envelope))
_ENVELOPE_VALUES = attrgetter(*_ENVELOPE)


def _only(name: str, value: Any) -> tuple[Any, ...]:
    return (getattr(value, name),)


def _plain(value: Any) -> dict[str, Any]:
    kind = type(value)
    return dict(zip(_FIELDS[kind], _VALUES[kind](value), strict=False))


def _callout(value: steps.Callout) -> dict[str, Any]:
    plain = _plain(value)
    plain["request"], plain["response"] = _plain(value.request), _plain(value.response)
    return plain


def _step(value: steps.WaybillStep) -> dict[str, Any]:
    plain = _plain(value)
    if value.items is not None:
        # To the writer, a tuple in a union is a branch's name and its value.
        plain["items"] = list(value.items)
    if value.reads is not None:
        plain["reads"] = list(value.reads)
    if value.retry is not None:
        plain["retry"] = _plain(value.retry)
    return plain


def _revision(value: commands.Revision | None) -> dict[str, Any] | None:
    if value is None:
        return None
    plain = _plain(value)
    plain["waybill"] = [_step(step) for step in value.waybill]
    plain["sealed"] = [_plain(part) for part in value.sealed]
    return plain


_NESTED = (
    steps.WaybillStep,
    steps.Retry,
    steps.Body,
    steps.Callout,
    steps.Failure,
    steps.Sealed,
    commands.Revision,
)
_FACTS: tuple[type[Any], ...] = (
    events.OrderAccepted,
    events.CommandReceived,
    *get_args(events.Result),
    *get_args(events.Decision),
)
_FIELDS: dict[type[Any], tuple[str, ...]] = {
    kind: tuple(field.name for field in fields(kind)) for kind in (*_NESTED, *_FACTS)
}
_VALUES: dict[type[Any], Callable[[Any], tuple[Any, ...]]] = {
    kind: attrgetter(*names) if len(names) > 1 else partial(_only, names[0])
    for kind, names in _FIELDS.items()
}
_TO_AVRO: dict[str, Callable[[Any], Any]] = {
    "waybill": lambda value: [_step(step) for step in value],
    "sealed": lambda value: [_plain(part) for part in value],
    "callouts": lambda value: [_callout(callout) for callout in value],
    "failure": _plain,
    "output": lambda value: None if value is None else orjson.dumps(value).decode(),
    "revision": _revision,
}


def _sealed_from(plain: dict[str, Any]) -> steps.Sealed:
    plain["paths"] = tuple(plain["paths"])
    return steps.Sealed(**plain)


def _step_from(plain: dict[str, Any]) -> steps.WaybillStep:
    plain["phase"] = steps.Phase(plain["phase"])
    plain["on_unknown"] = steps.OnUnknown(plain["on_unknown"])
    for name in ("items", "reads"):
        if plain[name] is not None:
            plain[name] = tuple(plain[name])
    if plain["retry"] is not None:
        plain["retry"] = steps.Retry(**plain["retry"])
    return steps.WaybillStep(**plain)


def _revision_from(plain: dict[str, Any] | None) -> commands.Revision | None:
    if plain is None:
        return None
    plain["waybill"] = tuple(_step_from(step) for step in plain["waybill"])
    plain["sealed"] = tuple(_sealed_from(part) for part in plain["sealed"])
    plain["changed"] = tuple(plain["changed"])
    return commands.Revision(**plain)


def _callout_from(plain: dict[str, Any]) -> steps.Callout:
    plain["request"] = steps.Body(**plain["request"])
    plain["response"] = steps.Body(**plain["response"])
    return steps.Callout(**plain)


def _failure_from(plain: dict[str, Any]) -> steps.Failure:
    plain["kind"] = steps.ErrorKind(plain["kind"])
    return steps.Failure(**plain)


_FROM_AVRO: dict[str, Callable[[Any], Any]] = {
    "waybill": lambda value: tuple(_step_from(step) for step in value),
    "sealed": lambda value: tuple(_sealed_from(part) for part in value),
    "callouts": lambda value: tuple(_callout_from(callout) for callout in value),
    "failure": _failure_from,
    "output": lambda value: None if value is None else orjson.loads(value),
    "revision": _revision_from,
    "kind": commands.CommandKind,
    "standing": tuple,
}
_TO_AVRO_OF = {kind: tuple(name for name in _FIELDS[kind] if name in _TO_AVRO) for kind in _FACTS}
_FROM_AVRO_OF = {
    kind: tuple(name for name in _FIELDS[kind] if name in _FROM_AVRO) for kind in _FACTS
}
_BY_NAME = {f"waybill.{kind.__name__}": kind for kind in _FACTS}
_NAMES = {kind: name for name, kind in _BY_NAME.items()}


def encode(event: Event) -> bytes:
    """The record's value."""
    fact = event.fact
    kind = type(fact)
    body = _plain(fact)
    for name in _TO_AVRO_OF[kind]:
        body[name] = _TO_AVRO[name](body[name])
    envelope = event.envelope
    record = dict(zip(_ENVELOPE, _ENVELOPE_VALUES(envelope), strict=False))
    record["type"] = kind.__name__
    record["fact"] = (_NAMES[kind], body)
    schema = latest(ORDER_EVENTS)
    out = io.BytesIO()
    out.write(HEADER.pack(MAGIC, schema.id))
    schemaless_writer(out, schema.parsed, record)
    return out.getvalue()


def decode(value: bytes | None) -> Event:
    """The event in a record's value; `UndecodableError` where there is none to be read."""
    return _read_by(_latest_readers(), value)


def decode_to_fold(value: bytes | None) -> Event:
    """As `decode`, in two thirds of the time: without what no fold looks at.

    The envelope has no ids of events and no origin, of callouts there is only the duration: to ask
    for more is an `AttributeError`, or gets what is there.
    """
    return _read_by(_folding_readers(), value)


def _read_by(readers: "_Readers", value: bytes | None) -> Event:
    if value is not None:
        prefix, read_envelope, read_fact = readers
        if value.startswith(prefix):
            try:
                envelope, at = read_envelope(value, HEADER.size)
                fact, at = read_fact[value[at]](value, at + 1)
                if at <= len(value):
                    return Event(envelope, fact)
            except UNUSUAL:
                pass  # the reader below takes its time, and knows what is wrong
    return _decoded(value)


_Readers: TypeAlias = tuple[bytes, Read, Mapping[int, Read]]
"""What the bytes of the latest schema begin with; who reads the envelope, and each fact."""

_UNFOLDED = frozenset(
    {
        *(f"waybill.OrderEvent.{name}" for name in ("event_id", "type", "causation", "origin")),
        *(f"waybill.Callout.{name}" for name in _FIELDS[steps.Callout] if name != "duration_ms"),
    }
)


@cache
def _latest_readers() -> _Readers:
    return _readers(frozenset())


@cache
def _folding_readers() -> _Readers:
    return _readers(_UNFOLDED)


def _readers(unread: frozenset[str]) -> _Readers:
    schema = latest(ORDER_EVENTS)
    *envelope, union = schema.parsed["fields"]
    kinds = {f"waybill.{kind.__name__}": kind for kind in (*_NESTED, *_FACTS)}
    # Orders under one configuration have the same waybill.
    compiler = Compiler({**kinds, schema.parsed["name"]: Envelope}, {"waybill.WaybillStep"}, unread)
    return (
        HEADER.pack(MAGIC, schema.id),
        compiler.read({**schema.parsed, "fields": envelope}),
        {2 * number: compiler.read(branch) for number, branch in enumerate(union["type"])},
    )


def _decoded(value: bytes | None) -> Event:
    record = _record(value)
    name, body = record.pop("fact")
    del record["type"]
    kind = _BY_NAME.get(name)
    if kind is None:
        raise UndecodableError("unknown_fact", f"this version does not know the fact {name}")
    try:
        for field in _FROM_AVRO_OF[kind]:
            body[field] = _FROM_AVRO[field](body[field])
    except ValueError as problem:
        raise UndecodableError("unknown_word", f"{field} of {name}: {problem}") from problem
    fact: Fact = kind(**body)
    return Event(Envelope(**record), fact)


def _record(value: bytes | None) -> dict[str, Any]:
    if value is None or len(value) <= HEADER.size:
        raise UndecodableError("not_avro", "the record is shorter than its schema id")
    magic, schema_id = HEADER.unpack_from(value)
    if magic != MAGIC:
        raise UndecodableError("not_avro", f"the first byte is {magic}, not {MAGIC}")
    schema = by_id(schema_id)
    if schema is None or schema.subject != ORDER_EVENTS:
        raise UndecodableError("unknown_schema", f"schema {schema_id} is not one of order events")
    source = io.BytesIO(value)
    source.seek(HEADER.size)
    try:
        record: dict[str, Any] = schemaless_reader(
            source,
            schema.parsed,
            latest(ORDER_EVENTS).parsed,
            return_record_name=True,
            return_record_name_override=True,
        )
    except (EOFError, ValueError, IndexError, KeyError, OverflowError) as problem:
        raise UndecodableError("not_avro", f"the bytes do not fit schema {schema_id}") from problem
    return record


class Memo:
    """Remembers what was encoded until it is read back, so that decoding it costs nothing.

    Decoding is a pure function of the bytes, and event ids make the bytes unique: what comes back
    from the log is what went in. The oldest entries give way beyond `limit`.
    """

    def __init__(self, limit: int = 50_000) -> None:
        self._events: dict[bytes, Event] = {}
        self._limit = limit

    def encode(self, event: Event) -> bytes:
        """As `encode`, and remembers."""
        value = encode(event)
        if len(self._events) >= self._limit:
            del self._events[next(iter(self._events))]
        self._events[value] = event
        return value

    def decode(self, value: bytes | None) -> Event:
        """As `decode`, from memory where this process wrote it."""
        known = self._events.pop(value, None) if value is not None else None
        return known if known is not None else decode(value)
