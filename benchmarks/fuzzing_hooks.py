"""What the fuzzer has to know of this API: tokens that are held, short waits, orders as Avro."""

import io
import os
import re
from typing import Any

import fastavro
import orjson
import schemathesis
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode
from schemathesis.generation.meta import TestPhase

from schemas.codec import HEADER, MAGIC
from schemas.registry import ORDERS, latest
from waybill.api.tokens import OFFSETS, TOKEN, VECTOR

HELD = "FUZZ_TOKEN"
"""Environment variable: a token that the views hold already."""
RECEIVER = "FUZZ_RECEIVER"
"""Environment variable: a URL that webhooks may be sent to."""
_MOMENT = "2026-03-01T10:15:30Z"
_PAGES = ("cursor", "queryMore")


@schemathesis.hook
def before_call(_context: Any, case: Any, _kwargs: Any) -> None:
    """Nobody waits for what no view will ever hold, nor guesses what only answers tell."""
    query, headers = case.query or {}, dict(case.headers or {})
    if re.fullmatch(TOKEN, str(query.get("min_offset", ""))):
        query["min_offset"] = os.environ[HELD]
    known = {one.name for one in case.operation.headers}
    if "Prefer" in known:
        headers["Prefer"] = "wait=1" if _is_example(case) else "wait=0"
    if re.fullmatch(OFFSETS, str(query.get("as_of", ""))):
        query["as_of"] = _MOMENT
    if "Last-Event-ID" in known and re.fullmatch(f"|{VECTOR}", headers.get("Last-Event-ID") or ""):
        headers["Last-Event-ID"] = "0:-1"
    if str(headers.get("If-Match", "")).isdecimal():
        # A quoted number is taken for JSON text, and loses its quotes.
        headers["If-Match"] = f'"{headers["If-Match"]}"'
    case.headers = headers
    if case.meta is None or case.meta.generation.mode is GenerationMode.POSITIVE:
        _reach_something(case, query)


def _is_example(case: Any) -> bool:
    return case.meta is not None and case.meta.phase.name is TestPhase.EXAMPLES


def _reach_something(case: Any, query: dict[str, Any]) -> None:
    for name in _PAGES:
        query.pop(name, None)
    if isinstance(case.body, dict) and "url" in case.body:
        case.body["url"] = os.environ[RECEIVER]


def _an_order() -> bytes:
    schema = latest(ORDERS)
    nothing = dict.fromkeys(field["name"] for field in orjson.loads(schema.text)["fields"])
    out = io.BytesIO()
    out.write(HEADER.pack(MAGIC, schema.id))
    fastavro.schemaless_writer(out, schema.parsed, nothing)
    return out.getvalue()


schemathesis.openapi.media_type("application/vnd.confluent.avro", st.just(_an_order()))
