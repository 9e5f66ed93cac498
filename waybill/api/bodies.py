"""Reading what a request brings: its body, its idempotency key, its trace and its patience."""

import re
from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from schemas.orders import MAX_ORDER_BYTES
from waybill.api.call import Call
from waybill.api.problems import (
    BAD_HEADER,
    MALFORMED_BODY,
    MALFORMED_MEMBER,
    OVERSIZE,
    ApiProblem,
)

LONGEST_WAIT_S = 25

_LONGEST_KEY = 255
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=$|[,;])", re.IGNORECASE)


async def body_of(request: web.Request) -> bytes:
    """The body; a 413 problem where it is larger than an order may be."""
    if (request.content_length or 0) > MAX_ORDER_BYTES:
        raise _oversize()
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _oversize() from None


async def json_of(request: web.Request) -> dict[str, Any]:
    """The JSON object that the body is."""
    try:
        plain = orjson.loads(await body_of(request))
    except orjson.JSONDecodeError as problem:
        raise ApiProblem(
            MALFORMED_BODY, f"the body is not JSON: {problem}", "send valid JSON in UTF-8"
        ) from None
    if not isinstance(plain, dict):
        raise ApiProblem(MALFORMED_BODY, "the body is not a JSON object", "send one object")
    return plain


def fitting(shape: type[BaseModel], plain: dict[str, Any]) -> Any:
    """The body as that shape, exactly: a text is no number and no truth value.

    A 422 problem names the member that does not fit.
    """
    try:
        return shape.model_validate_json(orjson.dumps(plain), strict=True)
    except TypeError:
        raise ApiProblem(
            MALFORMED_BODY, "the body is nested too deep", "nest at most 200 levels"
        ) from None
    except ValidationError as problem:
        found = problem.errors(include_input=False, include_url=False)[0]
        field = "/" + "/".join(str(part) for part in found["loc"])
        raise ApiProblem(
            MALFORMED_MEMBER, f"{field[1:200]}: {found['msg']}", "see the REST reference", field
        ) from None


def idempotency_key(request: web.Request) -> str | None:
    """The caller's own name for what it asks."""
    text = request.headers.get("Idempotency-Key", "").strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if len(text) > _LONGEST_KEY or not text.isprintable():
        raise ApiProblem(
            BAD_HEADER,
            f"Idempotency-Key has more than {_LONGEST_KEY} characters, or some nobody can see",
            "send a UUID or something alike",
            "Idempotency-Key",
        )
    return text or None


def trace_of(call: Call) -> str:
    """The trace that the request belongs to, else a new one."""
    given = call.request.headers.get("traceparent", "")
    if _TRACEPARENT.fullmatch(given):
        return given
    random = call.api.services.random_bytes(24).hex()
    return f"00-{random[:32]}-{random[32:]}-01"


def patience_of(request: web.Request) -> int | None:
    """Seconds that the caller says it waits."""
    preferred = _WAIT.search(",".join(request.headers.getall("Prefer", [])))
    return None if preferred is None else min(int(preferred[1]), LONGEST_WAIT_S)


def _oversize() -> ApiProblem:
    return ApiProblem(
        OVERSIZE,
        f"the body is larger than {MAX_ORDER_BYTES} bytes, which is the limit",
        "leave out what no plugin needs, such as embedded images",
    )
