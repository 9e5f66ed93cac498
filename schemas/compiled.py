"""Makes a reader of Avro bytes for one schema: straight code, from the bytes to our own classes.

A reader that walks the schema at each record takes three times as long, and folding the log is
mostly reading. It is for good records alone: whatever is unusual ends in an exception that is part
of `UNUSUAL`, and is left to a reader that walks the schema and says what is wrong.
"""

import struct
from collections.abc import Callable, Container, Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias, get_args, get_type_hints

import orjson

Read: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
"""`read(bytes, start)`: the value and where it ends."""

UNUSUAL = (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error)
"""What a reader may raise, and all that it raises, where bytes are not what it was made for."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MORE = 0x80
_CONTINUED, _OF_EIGHT = 0x8080808080808080, 0x0080808080808080
_LONGEST = 10
_TOO_LARGE = 1 << 64
_LENGTHS = tuple(None if byte & (_MORE | 1) else byte >> 1 for byte in range(256))
_NUMBERS = tuple(None if byte & _MORE else (byte >> 1) ^ -(byte & 1) for byte in range(256))
_FLAGS = {0: False, 1: True}


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number of several bytes and at most 64 bits."""
    low, high = data[at], data[at + 1]
    if low >= _MORE > high:
        found = low & ~_MORE | high << 7
        return (found >> 1) ^ -(found & 1), at + 2
    found = 0
    for place in range(_LONGEST):
        byte = data[at + place]
        found |= (byte & ~_MORE) << 7 * place
        if byte < _MORE and found < _TOO_LARGE:
            return (found >> 1) ^ -(found & 1), at + place + 1
    raise ValueError("the number is longer than any that is written")


def _moment(data: bytes, at: int) -> tuple[datetime, int]:
    """Microseconds since 1970. Of our days they have eight bytes, whose bits are joined at once."""
    found = int.from_bytes(data[at : at + 8], "little")
    if found & _CONTINUED != _OF_EIGHT:
        found, at = _number(data, at)
        return _EPOCH + timedelta(0, 0, found), at
    found = found & 0x007F007F007F007F | (found & 0x7F007F007F007F00) >> 1
    found = found & 0x00003FFF00003FFF | (found & 0x3FFF00003FFF0000) >> 2
    found = found & 0x000000000FFFFFFF | (found & 0x0FFFFFFF00000000) >> 4
    return _EPOCH + timedelta(0, 0, (found >> 1) ^ -(found & 1)), at + 8


def _length(data: bytes, at: int) -> tuple[int, int]:
    """As `_number`, and not negative."""
    found, at = _number(data, at)
    if found < 0:
        raise ValueError("a length is negative")
    return found, at


class Compiler:
    """Writes the source of one function per record, and makes it.

    `kinds` are the classes of records by their full names. They are built past their `__init__`:
    they have slots, and it does nothing but fill them. A field that a class lacks is read over.
    Arrays of the `repeated` records are often those of the record before: then they are taken from
    there, for bytes that begin with a whole array can only be that array. Fields that are `unread`
    (`record.field`) are passed over, and their attributes stay without a value.
    """

    def __init__(
        self,
        kinds: Mapping[str, type[Any]],
        repeated: Container[str] = (),
        unread: Container[str] = (),
    ) -> None:
        self._kinds = kinds
        self._repeated = repeated
        self._unread = unread
        self._made: dict[str, Read] = {}
        self._records: dict[str, Any] = {}
        self._lines: list[str] = []
        self._known: dict[str, Any] = {}
        self._names = 0

    def read(self, schema: Any) -> Read:
        """The reader of a record (one of fastavro's parsed ones) or of one met before, by name."""
        if isinstance(schema, str):
            return self._made[schema]
        outer = self._lines, self._known
        self._lines, self._known = [], dict(_KNOWN)
        name = schema["name"]
        self._say(0, "def read(b, i):")
        self._record(schema, self._kinds[name])
        source, known = "\n".join(self._lines), self._known
        exec(compile(source, f"<reader of {name}>", "exec"), known)  # noqa: S102 (our own text)
        self._lines, self._known = outer
        made: Read = known["read"]
        self._made[name] = made
        return made

    def _say(self, depth: int, line: str) -> None:
        self._lines.append("    " * depth + line)

    def _new(self, thing: Any = None) -> str:
        """A fresh name; for `thing`, if there is one."""
        self._names += 1
        name = f"v{self._names}"
        if thing is not None:
            self._known[name] = thing
        return name

    def _record(self, schema: Any, kind: type[Any]) -> None:
        hints, found = get_type_hints(kind), {}
        for field in schema["fields"]:
            if f"{schema['name']}.{field['name']}" in self._unread:
                self._pass_over(1, field["type"])
                continue
            value = self._new()
            self._value(1, field["type"], value)
            if field["name"] in hints:
                found[field["name"]] = self._meant(hints[field["name"]], value)
        made = self._new()
        self._say(1, f"{made} = {self._new(kind.__new__)}({self._new(kind)})")
        for name, value in found.items():
            self._say(1, f"{self._new(getattr(kind, name).__set__)}({made}, {value})")
        self._say(1, f"return {made}, i")

    def _meant(self, hint: Any, value: str) -> str:
        """The expression that turns what Avro has into what the class has."""
        words = next((one for one in (hint, *get_args(hint)) if _is_words(one)), None)
        if words is not None:
            return f"{self._new({word.value: word for word in words})}[{value}]"
        if Any in {inner for part in (hint, *get_args(hint)) for inner in get_args(part)}:
            return f"None if {value} is None else loads({value})"
        return value

    def _value(self, depth: int, schema: Any, into: str) -> None:
        """Lines that read a value into a variable and leave `i` behind it."""
        if isinstance(schema, list):
            self._union(depth, schema, into)
            return
        kind: str = schema if isinstance(schema, str) else schema["type"]
        logical: str = "" if isinstance(schema, str) else schema.get("logicalType", "")
        if kind in {"record"} | self._made.keys():
            self._say(depth, f"{into}, i = {self._new(self.read(schema))}(b, i)")
        elif kind == "array" and _name_of(schema["items"]) in self._repeated:
            self._array_as_before(depth, schema, into)
        elif kind in {"array", "map"}:
            self._items(depth, schema, into)
        else:
            for line in _LINES[logical if logical in _LINES else kind]:
                self._say(depth, line.replace("X", into))

    def _items(self, depth: int, schema: Any, into: str) -> None:
        """An array becomes a tuple, a map a dictionary; blocks of negative length are unusual."""
        count, item = self._new(), self._new()
        is_map = schema["type"] == "map"
        self._say(depth, f"{into} = {'{}' if is_map else '[]'}")
        self._say(depth, f"{count} = b[i]")
        self._say(depth, f"while {count}:")
        self._say(depth + 1, f"{count}, i = length(b, i)")
        self._say(depth + 1, f"for _ in range({count}):")
        if is_map:
            key = self._new()
            self._value(depth + 2, "string", key)
            self._value(depth + 2, schema["values"], item)
            self._say(depth + 2, f"{into}[{key}] = {item}")
        else:
            self._value(depth + 2, schema["items"], item)
            self._say(depth + 2, f"{into}.append({item})")
        self._say(depth + 1, f"{count} = b[i]")
        self._say(depth, "i += 1")
        if not is_map:
            self._say(depth, f"{into} = tuple({into})")

    def _pass_over(self, depth: int, schema: Any) -> None:
        """Lines that leave `i` behind a value without parts, a record or an optional one."""
        if isinstance(schema, list):
            self._optional(depth, schema, None)
            return
        kind: str = schema if isinstance(schema, str) else schema["type"]
        if kind == "record":
            self._records[schema["name"]] = schema
        for field in self._records.get(_name_of(schema), {}).get("fields", ()):
            self._pass_over(depth, field["type"])
        for line in _PAST.get(kind, ()):
            self._say(depth, line)

    def _array_as_before(self, depth: int, schema: Any, into: str) -> None:
        """What was read last is one tuple, for threads to find it whole."""
        box, last, start = self._new([(b"\0", ())]), self._new(), self._new()
        self._say(depth, f"{last} = {box}[0]")
        self._say(depth, f"if b.startswith({last}[0], i):")
        self._say(depth + 1, f"{into} = {last}[1]")
        self._say(depth + 1, f"i += len({last}[0])")
        self._say(depth, "else:")
        self._say(depth + 1, f"{start} = i")
        self._items(depth + 1, schema, into)
        self._say(depth + 1, f"if i <= len(b): {box}[0] = b[{start}:i], {into}")

    def _union(self, depth: int, branches: list[Any], into: str) -> None:
        """Of null and one other; or of records, which a table finds."""
        if "null" in branches:
            self._optional(depth, branches, into)
            return
        readers = {2 * number: self.read(branch) for number, branch in enumerate(branches)}
        self._say(depth, f"{into}, i = {self._new(readers)}[b[i]](b, i + 1)")

    def _optional(self, depth: int, branches: list[Any], into: str | None) -> None:
        """The value, or null; past both where there is nothing to read it `into`."""
        which = self._new()
        self._say(depth, f"{which} = b[i]")
        self._say(depth, "i += 1")
        null = branches.index("null")
        other = branches[1 - null]
        self._say(depth, f"if {which} == {2 - 2 * null}:")
        if into is None:
            self._pass_over(depth + 1, other)
        else:
            self._value(depth + 1, other, into)
        self._say(depth, f"elif {which} == {2 * null}:")
        self._say(depth + 1, "pass" if into is None else f"{into} = None")
        self._say(depth, "else:")
        self._say(depth + 1, "raise ValueError('no such branch')")


def _name_of(schema: Any) -> str:
    name: str = schema if isinstance(schema, str) else schema.get("name", "")
    return name


def _is_words(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, StrEnum)


_KNOWN: Mapping[str, Any] = {
    "lengths": _LENGTHS,
    "numbers": _NUMBERS,
    "flags": _FLAGS,
    "length": _length,
    "number": _number,
    "loads": orjson.loads,
    "double": struct.Struct("<d").unpack_from,
    "moment": _moment,
}
_LENGTH = (
    "n = lengths[b[i]]",
    "i += 1",
    "if n is None:",
    "    n, m = b[i - 1], b[i]",
    "    if m < 128 and not n & 1:",  # two bytes: what most long texts have
    "        n, i = (n & 127 | m << 7) >> 1, i + 1",
    "    else:",
    "        n, i = length(b, i - 1)",
)
_SLICE = (*_LENGTH, "j = i + n")
_INT = ("X = numbers[b[i]]", "i += 1", "if X is None:", "    X, i = number(b, i - 1)")
_LINES: Mapping[str, tuple[str, ...]] = {
    "string": (*_SLICE, "X = b[i:j].decode()", "i = j"),
    "bytes": (*_SLICE, "X = b[i:j]", "i = j"),
    "int": _INT,
    "long": _INT,
    "boolean": ("X = flags[b[i]]", "i += 1"),
    "double": ("[X] = double(b, i)", "i += 8"),
    "timestamp-micros": ("X, i = moment(b, i)",),
}
"""What reads the types that have no parts, into `X`."""

_PAST_INT = ("while b[i] > 127:", "    i += 1", "i += 1")
_PAST: Mapping[str, tuple[str, ...]] = {
    "string": (*_LENGTH, "i += n"),
    "bytes": (*_LENGTH, "i += n"),
    "int": _PAST_INT,
    "long": _PAST_INT,
    "boolean": ("i += 1",),
    "double": ("i += 8",),
}
"""What leaves `i` behind them."""
