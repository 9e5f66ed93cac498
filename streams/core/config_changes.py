"""What differs between two versions of a configuration: for programs and for people."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher, unified_diff
from typing import Any, Literal, TypeAlias

_AXES = ("order_type", "processing_type", "offer_type")
_LONGEST = 80

What: TypeAlias = Literal["added", "removed", "changed"]
Operation: TypeAlias = dict[str, Any]
"""One operation of a JSON patch (RFC 6902)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. `place` names it for people: `sequence/zuora/options/endpoint`.

    `text` says what was there and what is there now, cut to a line.
    """

    place: str
    what: What
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One operation, with the place where people look for it."""

    operation: Operation
    place: str
    before: Any = None


def patch(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Operation]:
    """The JSON patch that makes one document of the other; their versions are not compared."""
    return [step.operation for step in _steps(before, after)]


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The same for people, a line each; an entry that has moved is removed and added."""
    return [_change(step) for step in _steps(before, after)]


def text_diff(
    before: Mapping[str, Any], after: Mapping[str, Any], names: tuple[str, str]
) -> list[str]:
    """The lines of a unified diff of both as indented JSON; none where they are the same."""
    old, new = (
        json.dumps(_plain(one), indent=2, ensure_ascii=False).splitlines()
        for one in (before, after)
    )
    return list(unified_diff(old, new, *names, lineterm="", n=3))


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "version"}


def _steps(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[_Step]:
    yield from _objects(_plain(before), _plain(after), "", ())


def _values(before: Any, after: Any, at: str, place: tuple[str, ...]) -> Iterator[_Step]:
    if _canonical(before) == _canonical(after):
        return
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _objects(before, after, at, place)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _lists(before, after, at, place)
    else:
        yield _made("replace", at, place, after, before)


def _objects(
    before: Mapping[str, Any], after: Mapping[str, Any], at: str, place: tuple[str, ...]
) -> Iterator[_Step]:
    for name, value in before.items():
        below = f"{at}/{_escaped(name)}"
        if name in after:
            yield from _values(value, after[name], below, (*place, name))
        else:
            yield _made("remove", below, (*place, name), None, value)
    for name, value in after.items():
        if name not in before:
            yield _made("add", f"{at}/{_escaped(name)}", (*place, name), value)


def _lists(
    before: Sequence[Any], after: Sequence[Any], at: str, place: tuple[str, ...]
) -> Iterator[_Step]:
    """Entries are the same where their names are; indexes are those while the patch is applied."""
    names = [_name(value) for value in before], [_name(value) for value in after]
    index = 0
    for _, first, last, start, stop in SequenceMatcher(None, *names, autojunk=False).get_opcodes():
        if names[0][first:last] == names[1][start:stop]:
            for one, other in zip(before[first:last], after[start:stop], strict=True):
                yield from _values(one, other, f"{at}/{index}", (*place, _name(one)))
                index += 1
            continue
        for value in before[first:last]:
            yield _made("remove", f"{at}/{index}", (*place, _name(value)), None, value)
        for value in after[start:stop]:
            yield _made("add", f"{at}/{index}", (*place, _name(value)), value)
            index += 1


def _made(
    kind: str, at: str, place: tuple[str, ...], value: Any = None, before: Any = None
) -> _Step:
    operation = {"op": kind, "path": at}
    return _Step(
        operation=operation if kind == "remove" else {**operation, "value": value},
        place="/".join(place),
        before=before,
    )


def _change(step: _Step) -> Change:
    before, after = _short(step.before), _short(step.operation.get("value"))
    match step.operation["op"]:
        case "add":
            return Change(place=step.place, what="added", text=after)
        case "remove":
            return Change(place=step.place, what="removed", text=before)
        case _:
            return Change(place=step.place, what="changed", text=f"{before} -> {after}")


def _name(value: Any) -> str:
    """What people call an entry of a list: a step by its id, an override by its orders."""
    if not isinstance(value, dict):
        return _short(value)
    if isinstance(value.get("name"), str):
        return str(value.get("id") or value["name"])
    axes = [f"{axis}={_words(value[axis])}" for axis in _AXES if value.get(axis)]
    return ",".join(axes) or "every order"


def _words(value: Any) -> str:
    return "|".join(map(str, value)) if isinstance(value, list) else str(value)


def _short(value: Any) -> str:
    text = _canonical(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _canonical(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def _escaped(name: str) -> str:
    return name.replace("~", "~0").replace("/", "~1")
