"""Puts values in place of `${...}` in what journey files say."""

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeAlias

Names: TypeAlias = Mapping[str, Any]

_NAMED = re.compile(r"\$[{⟨]([^}⟩]+)[}⟩]")


def filled(told: Any, names: Names) -> Any:
    """The same with values; a text that is one `${...}` becomes the value as it is."""
    if isinstance(told, str):
        return _text(told, names)
    if isinstance(told, list):
        return [filled(one, names) for one in told]
    if isinstance(told, Mapping):
        return {_text(str(name), names): filled(value, names) for name, value in told.items()}
    if is_dataclass(told) and not isinstance(told, type):
        members = {one.name: filled(getattr(told, one.name), names) for one in fields(told)}
        return replace(told, **members)
    return told


def _text(told: str, names: Names) -> Any:
    whole = _NAMED.fullmatch(told)
    if whole is not None:
        return _named(whole[1], names)
    return _NAMED.sub(lambda found: str(_named(found[1], names)), told)


def _named(name: str, names: Names) -> Any:
    kind, colon, thing = name.partition(":")
    way = [kind, thing] if colon else name.split(".")
    value: Any = names
    for step in way:
        if isinstance(value, list) and step.isdecimal():
            value = value[int(step)]
        elif isinstance(value, Mapping) and step in value:
            value = value[step]
        else:
            known = ", ".join(sorted(map(str, value))) if isinstance(value, Mapping) else value
            raise KeyError(f"${{{name}}}: there is no {step!r}, but {known}")
    return value
