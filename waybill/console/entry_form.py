"""The form of one plugin entry: its fields, those of the plugin's options, and back again."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import orjson

from schemas.configuration import PluginEntry
from schemas.steps import OnUnknown
from waybill.api.problems import MALFORMED_BODY, ApiProblem

OPTION = "option."
"""What names of fields begin with that are options of the plugin."""

Input: TypeAlias = Literal["text", "number", "whole", "switch", "choice", "json", "lines"]
_KINDS: Mapping[str, Input] = {
    "string": "text",
    "integer": "whole",
    "number": "number",
    "boolean": "switch",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field. `value` is what stands in it; empty: left out of the entry."""

    name: str
    label: str
    input: Input
    value: str
    note: str = ""
    required: bool = False
    choices: tuple[str, ...] = ()

    def filled(self, value: str) -> "Field":
        """The field with something else in it."""
        return replace(self, value=value)


def entry_fields(entry: Mapping[str, Any]) -> list[Field]:
    """The fields that entries of every plugin have, but for its name."""

    def made(name: str, label: str, kind: Input, note: str, **more: Any) -> Field:
        return Field(
            name=name, label=label, input=kind, value=_shown(entry.get(name)), note=note, **more
        )

    return [
        made("id", "Step id", "text", "else the plugin's name"),
        made("service", "Service", "text", "else the plugin's own"),
        made("critical", "Critical", "switch", "a failure fails the order; else true"),
        made("when", "Only when (JMESPath)", "text", "else always"),
        made("items", "Items (JMESPath, asked of each)", "text", "else all"),
        made("map", "Map (JSON: name to JMESPath)", "json", "picks values for the request"),
        made("retry", "Retry (JSON, or none)", "json", 'such as {"attempts": 5, "first_s": 2}'),
        made("timeout", "Timeout (s)", "number", "at most 45; else the plugin's own"),
        made(
            "on_unknown",
            "Where nobody knows what became of a call",
            "choice",
            "else the plugin's own",
            choices=tuple(OnUnknown),
        ),
        made("compensate", "Undo when cancelled", "switch", "else false"),
    ]


def option_fields(schema: Mapping[str, Any], options: Mapping[str, Any]) -> list[Field]:
    """The fields of a plugin's options, from the JSON Schema of its model."""
    required = schema.get("required", ())
    known = {
        name: _option(name, part, options.get(name), required=name in required)
        for name, part in schema.get("properties", {}).items()
    }
    other = (
        Field(name=OPTION + name, label=name, input="json", value=_json(value), note="not known")
        for name, value in options.items()
        if name not in known
    )
    return [*known.values(), *other]


def entry_of(form: Mapping[str, str], fields: list[Field]) -> dict[str, Any]:
    """The entry that the form says; a problem names the field that cannot be read."""
    entry: dict[str, Any] = {"name": form.get("name", "")}
    options: dict[str, Any] = {}
    for field in fields:
        text = form.get(field.name, "").strip()
        if not text:
            continue
        value = _read(field, text)
        if field.name.startswith(OPTION):
            options[field.name.removeprefix(OPTION)] = value
        else:
            entry[field.name] = value
    ordered = {name: entry[name] for name in PluginEntry.model_fields if name in entry}
    return {**ordered, "options": options} if options else ordered


def _option(name: str, part: Mapping[str, Any], value: Any, *, required: bool) -> Field:
    kind, choices = _input(part)
    notes = [part["description"]] if part.get("description") else []
    if part.get("default") is not None:
        notes.append(f"Else `{_json(part['default'])}`.")
    return Field(
        name=OPTION + name,
        label=name,
        input=kind,
        value=_shown(value) if kind != "json" or value is None else _json(value),
        note=" ".join(notes),
        required=required,
        choices=choices,
    )


def _input(part: Mapping[str, Any]) -> tuple[Input, tuple[str, ...]]:
    """How the part is filled in; `null` beside another type only says that it may be left out."""
    kinds = [one for one in part.get("anyOf", (part,)) if one.get("type") != "null"]
    only = kinds[0] if len(kinds) == 1 else {}
    if only.get("enum"):
        return "choice", tuple(map(str, only["enum"]))
    if only.get("type") == "array" and only.get("items", {}).get("type") == "string":
        return "lines", ()
    return _KINDS.get(str(only.get("type")), "json"), ()


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "\n".join(value)
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


def _read(field: Field, text: str) -> Any:
    match field.input:
        case "switch":
            return text == "true"
        case "lines":
            return [line.strip() for line in text.splitlines() if line.strip()]
        case "whole" | "number" | "json":
            return _parsed(field, text)
        case "text" | "choice":
            return text


def _parsed(field: Field, text: str) -> Any:
    if field.name == "retry" and text == "none":
        return text
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as problem:
        word = "JSON" if field.input == "json" else "a number"
        raise ApiProblem(
            MALFORMED_BODY, f"{field.label} is not {word}: {problem}", "mend it there", field.name
        ) from None


def holders(document: Mapping[str, Any]) -> Iterator[tuple[str, str, list[Any]]]:
    """The lists of entries of a configuration: a label, a JSON pointer, the entries."""
    parts: list[tuple[str, str, Any]] = [("", "", document)]
    for index, override in enumerate(_listed(document.get("overrides"))):
        parts.append((f"override {index}, ", f"/overrides/{index}", override))
    for label, at, holder in parts:
        if not isinstance(holder, Mapping):
            continue
        for member in ("sequence", "post"):
            if isinstance(holder.get(member), list) or not at:
                yield f"{label}{member}", f"{at}/{member}", _listed(holder.get(member))


def entries_at(document: dict[str, Any], at: str) -> list[Any]:
    """The list of entries that the pointer of one of them lies in; LookupError where none does."""
    *parts, _ = at.split("/")[1:]
    found: Any = document
    for part in parts:
        found = found[int(part)] if isinstance(found, list) else _member(found, part)
    if isinstance(found, list):
        return found
    raise LookupError(at)


def _member(holder: Any, name: str) -> Any:
    if name in {"sequence", "post"}:
        return holder.setdefault(name, [])
    return holder[name]


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
