"""Takes personal values and secrets out of everything that is recorded about an exchange."""

import codecs
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any
from urllib.parse import unquote_to_bytes

import orjson

from schemas.steps import Body

MARK = "[redacted]"
MAX_RECORDED = 16 * 1024
"""Bytes of a body that are recorded."""

_ANYWHERE = 4
_LARGE = 1024
_NUMBER_DIGITS = 5
_COUNTRY_CODE = 3
_MAX_TEXT = 2000
_UNESCAPING_PASSES = 3
_WIDEST_SPELLING = 8
_LATIN = "waybill-latin"
_MARK = MARK.encode()
# Members of personal sections that say what something is, not whose: their values ("zuora",
# "true") occur in addresses and literals everywhere.
_NOT_PERSONAL = frozenset({"type", "success", "currency", "method", "status", "responseFrom"})
_NOT_PERSONAL_VALUES = frozenset({"true", "false", "null", "none"})
_QUOTED = re.compile(rb"%[0-9a-fA-F]{2}")
_BY_FREQUENCY = (
    b'"etira:o,slc0u_npmd f/1y-2gh5bTUKB9{4}PkI37G<>AC.D8[]6vSVEQLFxOw+RXZjMHqzNJYW#=?%&@'
)
_OFTEN_FIRST = [_BY_FREQUENCY.find(byte) % 256 for byte in range(256)]
_ESCAPE = re.compile(rb'\\+(?:u([0-9a-fA-F]{4})|(["/\\]))')


@dataclass(frozen=True, slots=True, repr=False)
class Scrubber:
    """Replaces the given values wherever they occur in recorded bytes.

    Values of at least 4 characters are replaced anywhere, shorter ones only as whole JSON strings.
    Escaped or quoted text is read first, so that no spelling of a value slips through.
    """

    needles: tuple[bytes, ...] = ()
    plus: tuple[bytes, ...] = ()

    @classmethod
    def of(cls, personal: Any, secrets: Iterable[str] = ()) -> "Scrubber":
        """Of the values in `personal` (any JSON: the opened sections of an order) and `secrets`.

        Secrets are replaced in base64, too.
        """
        known = [secret for secret in secrets if secret]
        values = {*_leaves(personal), *known, *map(_base64, known)}
        spelled = {spelled for value in values for spelled in _spellings(value)}
        needles = tuple(needle for needle in spelled if needle not in _MARK)
        plus = tuple(needle.replace(b" ", b"+") for needle in needles if b" " in needle)
        return cls(needles, plus)

    @classmethod
    def of_outputs(cls, outputs: Iterable[Mapping[str, Any]]) -> "Scrubber":
        """Of outputs that are sealed. What is made of many values says too little of each."""
        plain = [{name: value} for one in outputs for name, value in one.items() if _is_one(value)]
        return cls.of(plain)

    def joined(self, other: "Scrubber") -> "Scrubber":
        """With the other's values; cheap, so that it can be done for every conversation."""
        return Scrubber(self.needles + other.needles, self.plus + other.plus)

    def body(self, raw: bytes) -> Body:
        """The recorded form of a body: redacted and cut, with length and SHA-256 of the whole."""
        if not raw:
            return Body()
        return Body(text=self.recorded(raw), length=len(raw), sha256=sha256(raw).hexdigest())

    def text(self, text: str) -> str:
        """An address or a message; cut at 2,000 characters."""
        return self.recorded(text.encode(errors="replace"))[:_MAX_TEXT]

    def recorded(self, raw: bytes) -> str:
        """Bytes as they may be shown: redacted, and cut at `MAX_RECORDED`."""
        if b"\0" in raw:
            return "[not text]"
        if len(raw) <= MAX_RECORDED:
            limit = MAX_RECORDED
            plain = self._plain(raw)
        else:
            # A value that the window cuts in two must not show its first half.
            longest = max(map(len, self.needles), default=0)
            plain = self._plain(raw[: MAX_RECORDED + _WIDEST_SPELLING * longest])
            limit = max(0, min(MAX_RECORDED, len(plain) - longest))
        spans = self._spans(plain)
        shown = _without(plain, spans, limit) if spans else plain[:limit]
        return shown.decode(errors="ignore")

    def _plain(self, raw: bytes) -> bytes:
        plain = _unescaped(raw) if b"\\" in raw else raw
        if not plain.isascii():
            plain = plain.decode(errors=_LATIN).encode()
        if b"%" in plain:
            unquoted = self._unquoted(plain)
            if unquoted is not None:
                return unquoted
        return plain

    def _unquoted(self, plain: bytes) -> bytes | None:
        """What is behind URL quoting, where it hides a value."""
        quoted = set(unquote_to_bytes(b"".join(_QUOTED.findall(plain))))
        # A value that the quoting hides holds one of the quoted characters.
        hidden = [n for n in (*self.needles, *self.plus) if not quoted.isdisjoint(n)]
        if not hidden:
            return None
        unquoted = unquote_to_bytes(plain).decode(errors=_LATIN).encode()
        return unquoted if any(needle in unquoted for needle in hidden) else None

    def _found(self, plain: bytes) -> list[bytes]:
        if len(plain) < _LARGE:
            found = [needle for needle in self.needles if needle in plain]
        else:
            found = [n for n in self.needles if _rarest(n) in plain and n in plain]
        if self.plus and b"+" in plain:
            found += [needle for needle in self.plus if needle in plain]
        return found

    def _spans(self, plain: bytes) -> list[tuple[int, int]]:
        spans = []
        for needle in self._found(plain):
            at = plain.find(needle)
            while at >= 0:
                spans.append((at, at + len(needle)))
                at = plain.find(needle, at + 1)
        return sorted(spans)


NOTHING = Scrubber()
"""Replaces nothing."""


@lru_cache(maxsize=4096)
def _rarest(needle: bytes) -> int:
    """The byte of it that JSON holds least often: looking for that one first is cheap."""
    return max(needle, key=_OFTEN_FIRST.__getitem__)


def basic_credentials(username: str, password: str) -> str:
    """What follows `Basic ` in an Authorization header."""
    return _base64(f"{username}:{password}")


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def _spellings(value: str) -> Iterator[bytes]:
    written = orjson.dumps(value)
    if len(value) < _ANYWHERE:
        if value:
            yield written
            yield orjson.dumps(written.decode())[1:-1]
        return
    yield value.encode()
    yield written[1:-1]
    if "@" in value:  # systems store addresses in lower case, and echo them so
        yield value.lower().encode()


def _leaves(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, str):
        if not _says_what(name, value):
            yield value
    elif isinstance(value, dict):
        for member, inner in value.items():
            yield from _leaves(inner, member)
    elif isinstance(value, list):
        for inner in value:
            yield from _leaves(inner, name)
    elif isinstance(value, int) and len(str(value)) >= _NUMBER_DIGITS:
        yield str(value)


def _is_one(value: Any) -> bool:
    return isinstance(value, str | int)


def _says_what(name: str, value: str) -> bool:
    if name in _NOT_PERSONAL or value.lower() in _NOT_PERSONAL_VALUES:
        return True
    return len(value) <= _COUNTRY_CODE and "country" in name.lower()


def _unescaped(raw: bytes) -> bytes:
    """As orjson writes it, with no escapes left that JSON does not need."""
    if not _needless_escapes(raw):
        return raw
    with suppress(ValueError):  # not JSON, cut, or nested too deep
        raw = orjson.dumps(orjson.loads(raw))
    for _ in range(_UNESCAPING_PASSES):
        if not _needless_escapes(raw):
            break
        raw = _ESCAPE.sub(_character, raw)
    return raw


def _needless_escapes(raw: bytes) -> bool:
    return b"\\u" in raw or b"\\/" in raw or b"\\\\" in raw


def _character(match: "re.Match[bytes]") -> bytes:
    code = match[1]
    if code is None:
        return match[2]
    return chr(int(code, 16)).encode(errors="replace")


def _as_latin(error: UnicodeError) -> tuple[str, int]:
    assert isinstance(error, UnicodeDecodeError)
    return error.object[error.start : error.end].decode("latin-1"), error.end


codecs.register_error(_LATIN, _as_latin)


def _without(plain: bytes, spans: list[tuple[int, int]], limit: int) -> bytes:
    parts = []
    at = 0
    for start, end in spans:
        if start >= limit:
            break
        if start > at:
            parts += [plain[at:start], _MARK]
        elif at == 0:
            parts.append(_MARK)
        at = max(at, end)
    parts.append(plain[at:limit])
    return b"".join(parts)
