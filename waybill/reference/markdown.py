"""Markdown as the reference pages need it: tables, and the members of documents."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel

NOTICE = "<!-- Written by `python -m waybill.reference`; changes belong into the code. -->"
_BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "minLength": "length at least",
    "maxLength": "length at most",
    "minItems": "items at least",
}


def page(title: str, *parts: str) -> str:
    """A page with its title, the notice that it is generated, and its parts."""
    return "\n\n".join([f"# {title}", NOTICE, *(part for part in parts if part)]) + "\n"


def table(headings: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A table; cells are Markdown already."""
    names = list(headings)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(value: Any) -> str:
    """A value as code; nothing where there is none."""
    return "" if value in (None, "") else f"`{value}`"


def promise(thing: Any) -> str:
    """The docstring as paragraphs."""
    return inspect.getdoc(thing) or ""


def members(model: type[BaseModel], *, nested: bool = False) -> str:
    """The members of a document with their types and defaults; `nested` adds their own members."""
    schema = model.model_json_schema()
    below = [one for one in schema.get("$defs", {}).values() if nested and "properties" in one]
    return "\n\n".join([_members(schema), *(_part(one) for one in below)])


def explained(model: type[BaseModel], but: type[BaseModel] | None = None) -> str:
    """The members of what is sent, with their types and meanings; `but` those of that model."""
    schema = model.model_json_schema(mode="serialization")
    required = set(schema.get("required", ()))
    rows = [
        (
            code(name) if name in required else f"{code(name)} where there is any",
            _type(member),
            member.get("description", ""),
        )
        for name, member in schema["properties"].items()
        if but is None or name not in but.model_fields
    ]
    return table(("member", "value", "meaning"), rows)


def _part(schema: Mapping[str, Any]) -> str:
    return f"{schema['title']}:\n\n{_members(schema)}"


def _members(schema: Mapping[str, Any]) -> str:
    required = set(schema.get("required", ()))
    rows = [
        (
            code(name),
            _type(member),
            "required" if name in required else _default(member),
            member.get("description", ""),
        )
        for name, member in schema.get("properties", {}).items()
    ]
    if not rows:
        return "No members."
    if not any(meaning for *_, meaning in rows):
        return table(("member", "value", "default"), [row[:-1] for row in rows])
    return table(("member", "value", "default", "meaning"), rows)


def _cell(value: Any) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")


def _default(member: Mapping[str, Any]) -> str:
    value = member.get("default")
    if value is None:
        return ""
    shown = {True: "true", False: "false"}.get(value) if isinstance(value, bool) else value
    return code(shown) if not isinstance(value, dict | list) else "empty"


def _type(member: Mapping[str, Any]) -> str:
    if "$ref" in member:
        return str(member["$ref"]).rpartition("/")[2]
    if "enum" in member or "const" in member:
        return ", ".join(code(value) for value in member.get("enum") or [member["const"]])
    choices = member.get("anyOf") or member.get("oneOf")
    if choices:
        return " or ".join(_type(one) for one in choices if one.get("type") != "null")
    return ", ".join([_plain_type(member), *_bounds(member)])


def _plain_type(member: Mapping[str, Any]) -> str:
    kind = str(member.get("type", "any value"))
    if kind == "array" and "items" in member:
        return f"list of {_type(member['items'])}"
    if kind == "object" and isinstance(member.get("additionalProperties"), dict):
        return f"object of {_type(member['additionalProperties'])}"
    return {"array": "list"}.get(kind, kind)


def _bounds(member: Mapping[str, Any]) -> Iterator[str]:
    for name, words in _BOUNDS.items():
        if name in member:
            yield f"{words} {member[name]}"
    if "pattern" in member:
        yield f"like `{member['pattern']}`"
