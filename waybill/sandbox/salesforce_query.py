"""The few sentences of SOQL that the sandbox understands."""

import re
from typing import NamedTuple

_QUERY = re.compile(
    r"\s*SELECT\s+(?P<fields>[\w\s,.]+?)\s+FROM\s+(?P<kind>\w+)"
    r"(?:\s+WHERE\s+(?P<where>.+?))?(?:\s+LIMIT\s+(?P<limit>\d+))?\s*",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION = re.compile(r"\s*(\w+)\s*=\s*'((?:[^'\\]|\\.)*)'\s*", re.DOTALL)
_AND = re.compile(r"AND\b", re.IGNORECASE)


class Query(NamedTuple):
    """`SELECT fields FROM kind [WHERE field='value' [AND ...]] [LIMIT n]`."""

    fields: list[str]
    kind: str
    conditions: list[tuple[str, str]]
    limit: int | None


def parse(text: str) -> Query | None:
    """The query, None when it is not of the form above."""
    found = _QUERY.fullmatch(text)
    if found is None:
        return None
    conditions = _conditions(found["where"]) if found["where"] else []
    if conditions is None:
        return None
    fields = [field.strip() for field in found["fields"].split(",")]
    limit = int(found["limit"]) if found["limit"] else None
    return Query(fields, found["kind"], conditions, limit)


def _conditions(text: str) -> list[tuple[str, str]] | None:
    conditions: list[tuple[str, str]] = []
    position = 0
    while True:
        found = _CONDITION.match(text, position)
        if found is None:
            return None
        conditions.append((found[1], re.sub(r"\\(.)", r"\1", found[2])))
        if found.end() == len(text):
            return conditions
        conjunction = _AND.match(text, found.end())
        if conjunction is None:
            return None
        position = conjunction.end()
