"""The way of one request: fault, front door, key, pause, effect, journal, answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random

from aiohttp import web

from waybill.sandbox.exchange import Answer, Call, Handler, Partner, read_call
from waybill.sandbox.faults import Fault, FaultBook
from waybill.sandbox.journal import Entry, Journal, order_of
from waybill.sandbox.keys import Taken

# Said in front of the place where answers are stored by key (session, gateway, running twin).
NEVER_STORED = frozenset({401, 408, 409, 502, 503, 504})
GONE_POLL_SECONDS = 0.02


@dataclass(slots=True)
class World:
    """What all partners share."""

    now: Callable[[], float]
    random: Random
    latency_ms: float
    faults: FaultBook
    journal: Journal = field(default_factory=Journal)
    closing: bool = False

    def pause(self, fault: Fault | None) -> float:
        """Seconds before the call is dealt with: exponential latency and the fault's delay."""
        latency = self.random.expovariate(1000 / self.latency_ms) if self.latency_ms else 0.0
        return latency + (fault.pause if fault else 0.0)


class Gate:
    """Stands before one partner."""

    def __init__(self, partner: Partner, world: World) -> None:
        self._partner = partner
        self._world = world
        self._mount = f"/{partner.name}"

    def opening(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The partner's handler as aiohttp wants it."""

        async def serve(request: web.Request) -> web.StreamResponse:
            return await self.serve(request, handler)

        return serve

    async def serve(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let one request through, or let a fault befall it."""
        world, name = self._world, self._partner.name
        arrived = world.now()
        call = await read_call(request, self._mount)
        entry = self._entry(arrived, call, request)
        fault = world.faults.strike(name, call.path, call.method)
        if fault is not None and fault.mode in {"hang", "cut_before"}:
            world.journal.add(entry)
            await self._leave_unanswered(request, fault)
            return _cut(request)
        answer = await self._answer(call, entry.key, handler, fault)
        entry.effect = answer.effect
        entry.status = answer.status
        if fault is not None and fault.mode == "cut_after":
            entry.status = None
            world.journal.add(entry)
            return _cut(request)
        world.journal.add(entry)
        half = fault is not None and fault.mode == "malformed"
        return web.Response(
            status=answer.status,
            body=answer.body[: len(answer.body) // 2] if half else answer.body,
            headers=answer.headers,
            content_type=answer.content_type if answer.body else None,
        )

    def _entry(self, arrived: float, call: Call, request: web.Request) -> Entry:
        resource = request.match_info.route.resource
        return Entry(
            at=arrived,
            partner=self._partner.name,
            method=call.method,
            path=call.target,
            route=resource.canonical if resource is not None else "(unknown)",
            key=self._partner.key_of(call),
            order=order_of(call.headers, call.body),
            body=call.for_journal(),
            is_json=not call.malformed,
        )

    async def _leave_unanswered(self, request: web.Request, fault: Fault) -> None:
        if fault.pause:
            await asyncio.sleep(fault.pause)
        if fault.mode != "hang":
            return
        while request.transport is not None and not self._world.closing:  # noqa: ASYNC110 - aiohttp tells of a gone client in no other way
            await asyncio.sleep(GONE_POLL_SECONDS)

    async def _answer(
        self, call: Call, key: str | None, handler: Handler, fault: Fault | None
    ) -> Answer:
        partner = self._partner
        pause = self._world.pause(fault)
        if fault is not None and fault.mode == "status":
            handler = _saying(partner.failing(fault.answered))
            if fault.answered in NEVER_STORED:
                return await _after(pause, call, handler)
        if fault is not None and fault.code is not None:
            handler = _saying(partner.refusing(call, fault.code, fault.message))
        refused = partner.refuse(call)
        if refused is not None:
            return refused
        if key is None or partner.keys is None or not partner.honours(call):
            return await _after(pause, call, handler)
        return await self._once(call, key, handler, pause)

    async def _once(self, call: Call, key: str, handler: Handler, pause: float) -> Answer:
        """Run the call under its key, or repeat what was answered then."""
        keys = self._partner.keys
        if keys is None:  # a partner without keys has no business here
            raise RuntimeError("no key book")
        stored = keys.claim(key, f"{call.method} {call.path}")
        if isinstance(stored, Taken):
            return self._partner.failing(409 if stored is Taken.RUNNING else 422)
        if stored is not None:
            return Answer(stored.status, stored.body, None, stored.headers, stored.content_type)
        try:
            answer = await _after(pause, call, handler)
            keys.keep(key, answer)
        finally:
            keys.release(key)
        return answer


async def _after(pause: float, call: Call, handler: Handler) -> Answer:
    if pause:
        await asyncio.sleep(pause)
    return handler(call)


def _saying(answer: Answer) -> Handler:
    return lambda _: answer


def _cut(request: web.Request) -> web.Response:
    """Close the connection; what is returned then can no longer be written."""
    if request.transport is not None:
        request.transport.close()
    return web.Response()
