"""Values of records that anybody may write: JSON, or Avro in Confluent's wire format."""

import io
from dataclasses import dataclass
from typing import Any

import orjson
from fastavro import schemaless_reader

from schemas.codec import HEADER, MAGIC
from schemas.problems import Problem, RefusedError
from schemas.registry import by_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Arriving:
    """What arrives: its name in messages, its Avro subject, its limit and what to do about it."""

    name: str
    subject: str
    most_bytes: int
    shorten: str

    def read(self, value: bytes | None) -> tuple[Any, bool]:
        """What the bytes say, and whether they were Avro; `RefusedError` where they say nothing."""
        if not value:
            raise refused("empty", "there is no value", f"send the {self.name} as JSON or Avro")
        if len(value) > self.most_bytes:
            raise refused(
                "oversize",
                f"the {self.name} has {len(value)} bytes; the limit is {self.most_bytes}",
                self.shorten,
            )
        if value[0] == MAGIC:
            return self._avro(value), True
        return self.json(value), False

    def json(self, value: bytes) -> Any:
        """What the JSON says."""
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError as problem:
            raise refused(
                "malformed", f"the {self.name} is not JSON: {problem}", "send valid JSON in UTF-8"
            ) from None

    def _avro(self, value: bytes) -> Any:
        if len(value) <= HEADER.size:
            raise refused("malformed", "the record ends within its schema id", "send whole records")
        _, schema_id = HEADER.unpack_from(value)
        schema = by_id(schema_id)
        if schema is None or schema.subject != self.subject:
            raise refused(
                "unknown_schema",
                f"schema id {schema_id} is not known",
                f"use a schema of the subject {self.subject}, served under /subjects",
            )
        source = io.BytesIO(value)
        source.seek(HEADER.size)
        try:
            return schemaless_reader(source, schema.parsed, None)
        except Exception as problem:  # noqa: BLE001 (fastavro raises whatever the bytes provoke)
            raise refused(
                "malformed", f"the bytes do not fit schema {schema_id}: {problem}", "write it again"
            ) from None


def refused(code: str, message: str, remedy: str, field: str | None = None) -> RefusedError:
    """To be raised."""
    return RefusedError(Problem(code=code, message=message, remedy=remedy, field=field))
