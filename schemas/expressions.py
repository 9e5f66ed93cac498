"""JMESPath expressions: compiled once, refused with their own place."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import jmespath
from jmespath.exceptions import JMESPathError
from jmespath.parser import ParsedResult


@lru_cache(maxsize=4096)
def compiled(text: str) -> ParsedResult:
    """The compiled expression; `ValueError` says where it does not parse."""
    try:
        return jmespath.compile(text)
    except JMESPathError as problem:
        raise ValueError(f"not a JMESPath expression: {problem}") from None


def evaluated(text: str, data: Mapping[str, Any]) -> Any:
    """What the expression picks from `data`; `ValueError` where a function refuses its input."""
    try:
        return compiled(text).search(data)
    except JMESPathError as problem:
        raise ValueError(f"the expression {text!r} cannot be applied: {problem}") from None
