"""A small, fast checker of request bodies: shapes are built once and walk a body in one pass."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Any, TypeAlias


class Kind(IntEnum):
    """What is wrong with a member; the numbers are Zuora's error categories."""

    VALUE = 20
    UNKNOWN = 21
    MISSING = 22


@dataclass(frozen=True, slots=True)
class Violation:
    """One thing wrong, and where."""

    kind: Kind
    at: str
    message: str


Found: TypeAlias = list[Violation]
Rule: TypeAlias = Callable[[Any, str, Found], None]

ISO_DATE_LENGTH = len("2026-03-01")


def _wrong(found: Found, at: str, message: str) -> None:
    found.append(Violation(Kind.VALUE, at, f"'{at}' {message}"))


def text(longest: int = 255) -> Rule:
    """A string of at most `longest` characters."""

    def rule(value: Any, at: str, found: Found) -> None:
        if not isinstance(value, str):
            _wrong(found, at, "must be a string")
        elif len(value) > longest:
            _wrong(found, at, f"must have at most {longest} characters")

    return rule


def choice(*allowed: str) -> Rule:
    """One of the given words."""

    def rule(value: Any, at: str, found: Found) -> None:
        if value not in allowed:
            _wrong(found, at, f"must be one of {', '.join(allowed)}")

    return rule


def matching(test: Callable[[str], object], what: str) -> Rule:
    """A string that passes the test; `what` completes the sentence "must be ..."."""

    def rule(value: Any, at: str, found: Found) -> None:
        if not isinstance(value, str) or not test(value):
            _wrong(found, at, f"must be {what}")

    return rule


def day(value: Any, at: str, found: Found) -> None:
    """A date as YYYY-MM-DD, without a time."""
    try:
        if len(value) == ISO_DATE_LENGTH:
            date.fromisoformat(value)
            return
    except (TypeError, ValueError):
        pass
    _wrong(found, at, "must be a date as YYYY-MM-DD")


def amount(value: Any, at: str, found: Found) -> None:
    """A JSON number; a number in a string is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        _wrong(found, at, "must be a number")


def whole(value: Any, at: str, found: Found) -> None:
    """A whole JSON number."""
    if isinstance(value, bool) or not isinstance(value, int):
        _wrong(found, at, "must be a whole number")


def flag(value: Any, at: str, found: Found) -> None:
    """True or false."""
    if not isinstance(value, bool):
        _wrong(found, at, "must be true or false")


def anything(value: Any, at: str, found: Found) -> None:
    """Whatever is there, for members that the sandbox takes on trust."""
    del value, at, found


def several(rule: Rule) -> Rule:
    """A list whose elements follow the rule."""

    def listed(value: Any, at: str, found: Found) -> None:
        if not isinstance(value, list):
            _wrong(found, at, "must be a list")
            return
        for index, element in enumerate(value):
            rule(element, f"{at}[{index}]", found)

    return listed


class Shape:
    """An object with known members; others only where their name ends as `extra` says."""

    __slots__ = ("_extra", "_members", "_required")

    def __init__(
        self,
        required: Mapping[str, Rule] | None = None,
        optional: Mapping[str, Rule] | None = None,
        extra: tuple[str, ...] = (),
    ) -> None:
        self._required = tuple(required or ())
        self._members = {**(required or {}), **(optional or {})}
        self._extra = extra

    def extended(self, optional: Mapping[str, Rule]) -> "Shape":
        """The same with more members."""
        required = {name: self._members[name] for name in self._required}
        return Shape(required, {**self._members, **optional}, self._extra)

    def __call__(self, value: Any, at: str, found: Found) -> None:
        """Append what is wrong with the value."""
        if not isinstance(value, dict):
            _wrong(found, at or "body", "must be an object")
            return
        for name in self._required:
            if name not in value:
                where = f"{at}.{name}" if at else name
                found.append(Violation(Kind.MISSING, where, f"'{where}' is required"))
        for name, member in value.items():
            where = f"{at}.{name}" if at else name
            rule = self._members.get(name)
            if rule is not None:
                rule(member, where, found)
            elif not name.endswith(self._extra or ("\0",)):
                found.append(Violation(Kind.UNKNOWN, where, f"'{where}' is not a known field"))
