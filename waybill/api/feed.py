"""`GET /api/events`: the tenant's timeline as it grows, as server-sent events."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

import orjson
from aiohttp import web

from waybill.api.call import Call
from waybill.api.masking import masked_entry
from waybill.api.problems import BAD_HEADER, TOO_MANY, ApiProblem
from waybill.api.tokens import parse_vector, vector_text

MOST_STREAMS = 100

_LOOK_S = 0.1
_KEEP_ALIVE_S = 15.0
_AT_ONCE = 200
_RETRY_MS = 1000


async def events(call: Call) -> web.StreamResponse:
    """From `Last-Event-ID` on, else from now; ids are vectors of offsets."""
    api = call.api
    if api.streams >= MOST_STREAMS:
        raise ApiProblem(
            TOO_MANY,
            f"{MOST_STREAMS} streams are open already",
            "close one, or try again later",
            headers={"Retry-After": "5"},
        )
    vector = await _start(call)
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
    )
    api.streams += 1
    api.metrics.streams.set(api.streams)
    try:
        await response.prepare(call.request)
        await response.write(_opening(vector))
        # A reader who went away is no problem of ours; one who stays comes back with its last id.
        with contextlib.suppress(ConnectionError, ApiProblem):
            await _follow(call, response, vector)
    finally:
        api.streams -= 1
        api.metrics.streams.set(api.streams)
    return response


async def _start(call: Call) -> dict[int, int]:
    text = call.request.headers.get("Last-Event-ID")
    if text:
        vector = parse_vector(text)
        if vector is None:
            raise ApiProblem(
                BAD_HEADER,
                "Last-Event-ID is none of ours",
                "send the id of the last event unchanged, or leave it out",
                "Last-Event-ID",
            )
        return vector
    await call.api.reader.ask(lambda _: None)
    # Never empty: an empty id would mean "from now" to us when the reader comes back.
    return dict(call.api.reader.applied) or {0: -1}


def _opening(vector: Mapping[int, int]) -> bytes:
    """An id at once: who is cut off before the first event goes on from here."""
    return f"retry: {_RETRY_MS}\nid: {vector_text(dict(vector))}\n\n".encode()


async def _follow(call: Call, response: web.StreamResponse, vector: dict[int, int]) -> None:
    silent = 0.0
    while not call.api.closing.is_set():
        followed = await call.api.reader.ask(
            lambda reading: reading.events_after(call.tenant, vector, _AT_ONCE)
        )
        if followed.entries:
            await response.write(
                b"".join(_event(call, entry, vector) for entry in followed.entries)
            )
            silent = 0.0
        vector.update(followed.reached)
        silent += _LOOK_S
        if silent >= _KEEP_ALIVE_S:
            await response.write(b": still here\n\n")
            silent = 0.0
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(call.api.closing.wait(), _LOOK_S)


def _event(call: Call, entry: Mapping[str, Any], vector: dict[int, int]) -> bytes:
    vector[entry["partition"]] = entry["offset"]
    shown = entry if call.operates else masked_entry(entry)
    head = f"id: {vector_text(vector)}\nevent: {entry['type']}\ndata: "
    return head.encode() + orjson.dumps(shown) + b"\n\n"
