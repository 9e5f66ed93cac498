"""The Avro schemas of this repository: subjects, versions and ids that are never reused."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import orjson
from fastavro.schema import parse_schema

ORDER_EVENTS = "order-events-value"
ORDERS = "orders-value"
ORDER_COMMANDS = "order-commands-value"


@dataclass(frozen=True, slots=True)
class RegisteredSchema:
    """One version of one subject; `text` is the schema as it is published."""

    subject: str
    version: int
    id: int
    compatibility: str
    text: str

    @property
    def parsed(self) -> Any:
        """Ready for reading and writing."""
        return _parsed(self.text)


@cache
def _parsed(text: str) -> Any:
    return parse_schema(orjson.loads(text))


@cache
def published() -> Mapping[str, tuple[RegisteredSchema, ...]]:
    """Every subject with its versions, oldest first."""
    folder = files("schemas") / "avro"
    index = orjson.loads((folder / "index.json").read_bytes())
    return {
        subject: tuple(
            RegisteredSchema(
                subject=subject,
                version=entry["version"],
                id=entry["id"],
                compatibility=entry["compatibility"],
                text=(folder / entry["file"]).read_text(),
            )
            for entry in versions
        )
        for subject, versions in index["subjects"].items()
    }


def latest(subject: str) -> RegisteredSchema:
    """The version that is written."""
    return published()[subject][-1]


def by_id(schema_id: int) -> RegisteredSchema | None:
    """The schema with that id, or None where the repository has none."""
    for versions in published().values():
        for schema in versions:
            if schema.id == schema_id:
                return schema
    return None
