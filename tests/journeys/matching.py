"""Compares what a journey file expects with what there is, and says where they differ."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

ANY, ABSENT = "<any>", "<absent>"
IDENTIFIERS = (
    "subscriptionNumber",
    "accountNumber",
    "orderNumber",
    "number",
    "invoiceNumber",
    "paymentNumber",
    "reference",
    "id",
    "Id",
)
"""Members by one of which a record of a list may be called."""


@dataclass(frozen=True, slots=True)
class Like:
    """A text in which the regular expression is found."""

    pattern: str

    def differences(self, actual: Any, at: str) -> Iterator[str]:
        if not isinstance(actual, str) or not re.search(self.pattern, actual, re.IGNORECASE):
            yield f"{at}: {_short(actual)} is not like {self.pattern!r}"


@dataclass(frozen=True, slots=True)
class Has:
    """A list that holds such elements, among others."""

    elements: list[Any]

    def differences(self, actual: Any, at: str) -> Iterator[str]:
        found = list(actual.values()) if isinstance(actual, Mapping) else actual
        if not isinstance(found, list | tuple):
            yield f"{at}: is {_short(actual)}, expected a list"
            return
        for wanted in self.elements:
            if all(any(differences(wanted, one)) for one in found):
                yield f"{at}: holds nothing like {_short(wanted)}: {_short(actual)}"


@dataclass(frozen=True, slots=True)
class Only:
    """An object with these members and no others."""

    members: dict[str, Any]

    def differences(self, actual: Any, at: str) -> Iterator[str]:
        yield from _members(self.members, actual, at)
        surplus = sorted(set(actual) - set(self.members)) if isinstance(actual, Mapping) else []
        yield from (f"{at}.{name}: is there ({_short(actual[name])})" for name in surplus)


@dataclass(frozen=True, slots=True)
class Not:
    """Anything that does not match."""

    value: Any

    def differences(self, actual: Any, at: str) -> Iterator[str]:
        if not any(differences(self.value, actual)):
            yield f"{at}: is {_short(actual)}"


Matcher: TypeAlias = Like | Has | Only | Not


def differences(expected: Any, actual: Any, at: str = "") -> Iterator[str]:
    """One line for each place where `actual` is not as expected."""
    if isinstance(expected, Matcher):
        yield from expected.differences(actual, at)
    elif isinstance(expected, Mapping):
        yield from _members(expected, actual, at)
    elif isinstance(expected, list):
        yield from _elements(expected, actual, at)
    elif expected == ANY and actual is not None:
        return
    elif expected == ABSENT:
        if actual is not None:
            yield f"{at}: is there ({_short(actual)})"
    elif not _equal(expected, actual):
        yield f"{at}: is {_short(actual)}, expected {_short(expected)}"


def called(records: Any) -> Any:
    """A list of records as an object by what each is called; anything else as it is."""
    if not isinstance(records, list):
        return records
    return {
        str(record[name]): record
        for record in records
        if isinstance(record, Mapping)
        for name in IDENTIFIERS
        if record.get(name) is not None
    }


def _members(expected: Mapping[str, Any], actual: Any, at: str) -> Iterator[str]:
    actual = called(actual)
    if not isinstance(actual, Mapping):
        yield f"{at}: is {_short(actual)}, expected an object"
        return
    for name, value in expected.items():
        yield from differences(value, actual.get(str(name)), f"{at}.{name}")


def _elements(expected: list[Any], actual: Any, at: str) -> Iterator[str]:
    actual = list(actual.values()) if isinstance(actual, Mapping) else actual
    if not isinstance(actual, list | tuple) or len(actual) != len(expected):
        yield f"{at}: is {_short(actual)}, expected {len(expected)} elements"
        return
    for index, (wanted, found) in enumerate(zip(expected, actual, strict=True)):
        yield from differences(wanted, found, f"{at}[{index}]")


def _equal(expected: Any, actual: Any) -> bool:
    numbers = int | float | Decimal
    if isinstance(expected, bool) or isinstance(actual, bool):
        return expected is actual
    if isinstance(expected, numbers) and isinstance(actual, numbers):
        return Decimal(str(expected)) == Decimal(str(actual))
    return bool(expected == actual)


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 400 else f"{shown[:400]}..."
