"""`GET /api/events`: the tenant's timeline as it grows, as server-sent events."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Mapping
from difflib import get_close_matches

from aiohttp import web

from projections.feed import Wanted
from waybill.api.call import Call
from waybill.api.feed_shapes import TYPES
from waybill.api.feeding import Follower
from waybill.api.problems import BAD_HEADER, BAD_QUERY, TOO_MANY, ApiProblem
from waybill.api.tokens import parse_vector, vector_text

MOST_STREAMS = 1_000
PATIENCE_S = 30.0
"""A reader who takes nothing for so long is let go; it can come back with its last id."""

_RETRY_MS = 1000


async def events(call: Call) -> web.StreamResponse:
    """From `Last-Event-ID` on, else from now; ids are vectors of offsets."""
    feed, streams = call.api.feed, call.api.metrics.streams
    if feed.following >= MOST_STREAMS:
        raise ApiProblem(
            TOO_MANY,
            f"{MOST_STREAMS} streams are open already",
            "close one, or try again later",
            headers={"Retry-After": "5"},
        )
    wanted = _wanted(call)
    vector = await _start(call)
    response = web.StreamResponse(
        headers={
            "Content-Type": "text/event-stream",
            "Cache-Control": "no-store",
            "X-Accel-Buffering": "no",
        }
    )
    streams.inc()
    try:
        await response.prepare(call.request)
        await response.write(_opening(vector))
        follower = Follower(wanted, masked=not call.operates, vector=vector)
        # A reader who went away is no problem of ours; one who stays comes back with its last id.
        with contextlib.suppress(ConnectionError):
            await _send(call, response, feed.follow(follower))
    finally:
        streams.dec()
    return response


async def _send(
    call: Call, response: web.StreamResponse, frames: AsyncGenerator[bytes, None]
) -> None:
    async with contextlib.aclosing(frames):
        async for part in frames:
            try:
                async with asyncio.timeout(PATIENCE_S):
                    await response.write(part)
            except TimeoutError:
                if (transport := call.request.transport) is not None:
                    transport.abort()
                return


def _wanted(call: Call) -> Wanted:
    query, types = call.query, None
    if query.type is not None:
        types = frozenset(name.strip() for name in query.type.split(",")) - {""}
        for name in sorted(types - set(TYPES)):
            near = get_close_matches(name, TYPES, 1)
            raise ApiProblem(
                BAD_QUERY,
                f"{name[:80]!r} is no type of event",
                f"did you mean {near[0]!r}?" if near else f"use some of {', '.join(TYPES)}",
                "type",
            )
    return Wanted(tenant=call.tenant, order=query.order, types=types, stage=query.stage)


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
