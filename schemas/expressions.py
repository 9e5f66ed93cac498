"""JMESPath expressions: compiled once, refused with their own place."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError, JMESPathTypeError
from jmespath.parser import ParsedResult


@lru_cache(maxsize=4096)
def compiled(text: str) -> ParsedResult:
    """The compiled expression; `ValueError` says where it does not parse."""
    try:
        return jmespath.compile(text)
    except JMESPathError as problem:
        raise ValueError(f"not a JMESPath expression: {problem}") from None


def evaluated(text: str, data: Mapping[str, Any]) -> Any:
    """What the expression picks from `data`; `ValueError` where a function refuses its input.

    The error names types, never values: they may be somebody's address.
    """
    try:
        return compiled(text).search(data)
    except JMESPathTypeError as problem:
        takes = ", ".join(problem.expected_types)
        raise ValueError(
            f"the expression {text!r} cannot be applied: {problem.function_name}() takes {takes},"
            f" not {problem.actual_type}"
        ) from None
    except JMESPathError as problem:
        raise ValueError(f"the expression {text!r} cannot be applied: {problem}") from None


@lru_cache(maxsize=4096)
def fields(text: str) -> frozenset[str] | None:
    """All members that the expression names, however deep; None where it can reach any.

    What it names is more than what it reads from the top, never less.
    """
    return _fields(compiled(text).parsed)


def _fields(node: Mapping[str, Any]) -> frozenset[str] | None:
    kind = node.get("type")
    if kind in {"current", "value_projection"}:
        return None
    found = {str(node["value"])} if kind in {"field", "key_val_pair"} else set[str]()
    for child in node.get("children", ()):
        below = _fields(child) if isinstance(child, dict) else frozenset[str]()
        if below is None:
            return None
        found |= below
    return frozenset(found)
