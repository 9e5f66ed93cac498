"""What differs between two versions of a configuration, and which of their records holds."""

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.core.config_changes import changes, patch, text_diff
from streams.core.config_versions import (
    UnreadableVersionError,
    Version,
    version_bytes,
    version_from,
)

_names = st.sampled_from(["a", "b", "c", "x/y", "~"])
_scalars = st.sampled_from([None, True, 1, 1.5, "a", "b", ""])
_options = st.recursive(
    _scalars,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(_names, below, max_size=3),
    max_leaves=6,
)
_entries = st.fixed_dictionaries({"name": _names}, optional={"id": _names, "options": _options})
_overrides = st.fixed_dictionaries(
    {}, optional={"order_type": st.lists(_names, max_size=2), "sequence": st.lists(_entries)}
)
_documents = st.fixed_dictionaries(
    {"sequence": st.lists(_entries, max_size=5)},
    optional={
        "version": st.integers(1, 9),
        "post": st.lists(_entries, max_size=2),
        "overrides": st.lists(_overrides, max_size=3),
        "axes": _options,
    },
)


def applied(operations: list[dict[str, Any]], document: Any) -> Any:
    """The document after a JSON patch, as RFC 6902 says it."""
    document = copy.deepcopy(document)
    for operation in operations:
        *above, last = operation["path"].split("/")[1:]
        target = document
        for part in above:
            target = target[int(part) if isinstance(target, list) else _unescaped(part)]
        if isinstance(target, list):
            _in_list(target, int(last), operation)
        elif operation["op"] == "remove":
            del target[_unescaped(last)]
        else:
            assert (operation["op"] == "replace") == (_unescaped(last) in target)
            target[_unescaped(last)] = operation["value"]
    return document


def _in_list(target: list[Any], index: int, operation: dict[str, Any]) -> None:
    if operation["op"] == "add":
        assert index <= len(target)
        target.insert(index, operation["value"])
    elif operation["op"] == "remove":
        del target[index]
    else:
        target[index] = operation["value"]


def _unescaped(part: str) -> str:
    return part.replace("~1", "/").replace("~0", "~")


@settings(max_examples=40, deadline=None)
@given(_documents, _documents)
def test_the_patch_makes_one_of_the_other(before: Any, after: Any) -> None:
    made = applied(patch(before, after), before)
    plain = {name: value for name, value in after.items() if name != "version"}
    assert _typed({k: v for k, v in made.items() if k != "version"}) == _typed(plain)
    assert len(changes(before, after)) == len(patch(before, after))
    assert text_diff(before, after, ("a", "b")) or not patch(before, after)


def _typed(value: Any) -> Any:
    """True is not 1 here."""
    if isinstance(value, dict):
        return {name: _typed(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_typed(one) for one in value]
    return type(value), value


BEFORE = {
    "version": 3,
    "sequence": [
        {"name": "salesforceV3"},
        {"name": "zuora", "options": {"a": 1}},
        {"name": "calloutPlugin", "id": "loyalty"},
    ],
    "overrides": [{"order_type": "renew", "exclude": ["zuora"]}],
}
AFTER = {
    "version": 4,
    "sequence": [
        {"name": "entitlements"},
        {"name": "salesforceV3"},
        {"name": "zuora", "options": {"a": 2}, "critical": False},
    ],
    "overrides": [{"order_type": "renew", "exclude": ["zuora"]}, {"exclude": ["zuora"]}],
}


def test_changes_are_told_by_the_names_that_people_use() -> None:
    told = [(one.what, one.place, one.text) for one in changes(BEFORE, AFTER)]
    assert told == [
        ("added", "sequence/entitlements", '{"name": "entitlements"}'),
        ("changed", "sequence/zuora/options/a", "1 -> 2"),
        ("added", "sequence/zuora/critical", "false"),
        ("removed", "sequence/loyalty", '{"id": "loyalty", "name": "calloutPlugin"}'),
        ("added", "overrides/every order", '{"exclude": ["zuora"]}'),
    ]
    assert patch(BEFORE, AFTER)[0]["path"] == "/sequence/0"
    text = text_diff(BEFORE, AFTER, ("version 3", "version 4"))
    assert text[:2] == ["--- version 3", "+++ version 4"]
    assert '+      "name": "entitlements"' in text
    assert changes(BEFORE, {**BEFORE, "version": 9}) == []
    assert text_diff(BEFORE, {**BEFORE, "version": 9}, ("a", "b")) == []


AT = datetime(2026, 3, 1, tzinfo=UTC)
ONE = Version(
    tenant="t", version=4, base=3, author="key:a", reason="r", at=AT, document={"version": 4}
)


def test_a_record_is_read_as_it_was_written() -> None:
    for one in (ONE, replace(ONE, base=None), replace(ONE, revision=7)):
        assert version_from(version_bytes(one)) == one


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"{}",
        version_bytes(ONE).replace(b'"version":4,"base"', b'"version":true,"base"'),
        version_bytes(ONE).replace(b'"document":{"version":4}', b'"document":[]'),
        version_bytes(ONE).replace(b"+00:00", b""),
        version_bytes(replace(ONE, base=4)),
        version_bytes(replace(ONE, version=0, base=None)),
    ],
)
def test_what_is_no_version_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadableVersionError):
        version_from(value)


def test_records_of_before_rank_by_their_base() -> None:
    """Each was made from the one before it; whatever is made from one now comes after it."""
    plain = orjson.loads(version_bytes(ONE))
    del plain["revision"]
    assert version_from(orjson.dumps(plain)).revision == 3
    assert version_from(orjson.dumps({**plain, "base": None})).revision == 0
