"""Partners with a memory: two honour keys, two can be asked, one offers nothing."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

import httpx
import orjson

from plugins.api import (
    Connector,
    Conversation,
    Done,
    Failed,
    Idempotency,
    Manifest,
    Options,
    Outcome,
    Reply,
    Request,
    Step,
    connector,
)
from plugins.registry import Registry
from schemas.connections import Connections
from schemas.steps import ErrorKind
from tests.simulation.chance import Chance
from tests.simulation.loop import Host, SimLoop

TIMEOUT_S = 3.0
REFUSALS: Mapping[str, tuple[int, Mapping[str, str]]] = {
    "refused_transient": (503, {"retry-after": "1"}),
    "refused_rate": (429, {"retry-after": "1"}),
    "refused_contention": (423, {}),
    "refused_permanent": (400, {}),
    "refused_declined": (402, {}),
}
BEFORE = ("not_reached", "cut_before", "hang_before", "error_before", "unavailable")
AFTER = ("cut_after", "hang_after", "error_after")
KEEPS, KEEPS_AFTER = "error_kept", "error_kept_after"
"""Errors before and after the work, which the partner keeps under the key."""


class Calls(Options):
    """How many requests a step makes, and whether it leaves something for a person."""

    calls: int = 1
    leaves: bool = False


def _errors(reply: Reply) -> Failed | None:
    kinds = {423: ErrorKind.CONTENTION, 402: ErrorKind.DECLINED}
    kind = kinds.get(reply.status)
    return None if kind is None else Failed(kind, kind.value, "the partner says no")


def _perform(step: Step[Calls]) -> Conversation:
    made = []
    for number in range(step.options.calls):
        call = f"call-{number}"
        reply = yield Request.post(f"/do/{step.id}/{call}", {"for": step.order["id"]}, call=call)
        made.append(reply["id"])
    left = {"follow_up": {"code": "by_hand", "message": "do it"}} if step.options.leaves else {}
    return Done(made=made, **left)


def _undo(step: Step[Calls]) -> Conversation:
    for number in reversed(range(step.options.calls)):
        call = f"undo-{number}"
        yield Request.post(f"/undo/{step.id}/{call}", {"for": step.order["id"]}, call=call)
    return Done()


def _look_up(step: Step[Calls]) -> Conversation:
    reply = yield Request.get(f"/look/{step.id}/look", {"order": str(step.order["id"])})
    outcome: Outcome = Done(made=reply["made"]) if reply["made"] else step.not_done()
    return outcome


def _connector(name: str, idempotency: Idempotency) -> Connector:
    native = idempotency is Idempotency.NATIVE
    made = connector(
        Manifest(
            name=name,
            service=name,
            summary=f"a partner that offers {idempotency.value}",
            idempotency=idempotency,
            options=Calls,
            connection=name,
            key_header="Idempotency-Key" if native else None,
            timeout_s=TIMEOUT_S,
            errors=_errors,
        )
    )(_perform)
    if idempotency is Idempotency.LOOK_UP or name == STORING:
        made.reconcile(_look_up)
    if native and name != STORING:
        made.compensate(_undo)
    return made


def _module(name: str, idempotency: Idempotency) -> ModuleType:
    module = ModuleType(name)
    vars(module)["CONNECTOR"] = _connector(name, idempotency)
    return module


STORING = "storing"
"""Keeps its errors under the key, too, and can be asked."""
PARTNERS = {
    "keyed": Idempotency.NATIVE,
    "looked": Idempotency.LOOK_UP,
    "blind": Idempotency.NONE,
    STORING: Idempotency.NATIVE,
}
REGISTRY = Registry([_module(name, offers) for name, offers in PARTNERS.items()])


def connections(limits: Mapping[str, Any]) -> Connections:
    """Where the partners are."""
    return Connections.model_validate(
        {
            "default": {
                "production": {
                    name: {"base_url": f"http://{name}.test", "limits": dict(limits)}
                    for name in PARTNERS
                }
            }
        }
    )


@dataclass(slots=True)
class Call:
    """One request as a partner's journal has it."""

    at: float
    host: str
    partner: str
    order: str
    step: str
    call: str
    verb: str
    key: str | None
    sent: float
    effect: bool = False
    fate: str = "ok"


@dataclass(slots=True)
class Partner:
    """What one partner keeps."""

    name: str
    down: bool = False
    silent: bool = False
    by_key: dict[str, httpx.Response] = field(default_factory=dict)
    errors: set[tuple[str, str, str]] = field(default_factory=set)
    made: dict[tuple[str, str], list[str]] = field(default_factory=dict)


class Partners:
    """All of them, with one journal."""

    def __init__(self, loop: SimLoop, chance: Chance) -> None:
        self._loop = loop
        self._chance = chance
        self.journal: list[Call] = []
        self.arrived: list[Any] = []
        self.answered: list[Any] = []
        self.by_name = {name: Partner(name) for name in PARTNERS}
        self.in_flight = 0

    def receive(self, host: Host, request: httpx.Request) -> "asyncio.Future[httpx.Response]":
        """A request on its way; the answer, if there is one."""
        answer: asyncio.Future[httpx.Response] = self._loop.create_future()
        name = request.url.host.partition(".")[0]
        partner, chance = self.by_name[name], self._chance
        fault = chance.first(*BEFORE, *AFTER, *REFUSALS)
        if partner.down:
            fault = chance.one_of(("not_reached", "unavailable"))
        if fault == "not_reached":
            self._reply(host, answer, httpx.ConnectError("no route"))
            return answer
        sent = self._loop.time()
        trip = chance.between(0.001, 0.02)
        if chance.hits("partner_slow"):
            trip = chance.between(0.1, 0.4 * TIMEOUT_S)
        self.in_flight += 1
        self._later(None, trip, lambda: self._arrives(partner, host, request, answer, fault, sent))
        return answer

    def _later(self, host: Host | None, seconds: float, call: Any) -> None:
        self._loop.within(host, lambda: self._loop.call_later(seconds, call))

    def _reply(self, host: Host, answer: Any, given: Any) -> None:
        def told() -> None:
            if answer.done():
                return
            if self._chance.hits("crash_on_reply"):
                host.dies_soon(self._chance.below(12))
            if isinstance(given, Exception):
                answer.set_exception(given)
            else:
                answer.set_result(given)

        self._later(host, self._chance.between(0.001, 0.02), told)

    def _arrives(  # noqa: PLR0917 (a request on its way, and whoever waits for the answer)
        self,
        partner: Partner,
        host: Host,
        request: httpx.Request,
        answer: Any,
        fault: str | None,
        sent: float,
    ) -> None:
        self.in_flight -= 1
        _, verb, step, call = request.url.path.split("/")
        made = Call(
            at=self._loop.time(),
            host=host.name,
            partner=partner.name,
            order=request.headers["waybill-order"],
            step=step,
            call=call,
            verb=verb,
            key=request.headers.get("idempotency-key"),
            sent=sent,
            fate=fault or "ok",
        )
        for listener in self.arrived:
            listener(made)
        given = self._answer(partner, made, fault)
        self.journal.append(made)
        for listener in self.answered:
            listener(made)
        if given is not None:
            self._reply(host, answer, given)

    def _answer(  # noqa: PLR0911 (an answer per fault)
        self, partner: Partner, made: Call, fault: str | None
    ) -> Any:
        """What the partner says; None: it never does."""
        if partner.silent:
            return None
        match fault:
            case "cut_before":
                return httpx.RemoteProtocolError("disconnected")
            case "hang_before":
                return None
            case "error_before" | "unavailable":
                return httpx.Response(500 if fault == "error_before" else 503, content=b"{}")
        given = self._worked(partner, made, fault)
        match fault:
            case "cut_after":
                return httpx.RemoteProtocolError("disconnected")
            case "hang_after":
                return None
            case "error_after":
                return httpx.Response(500, content=b"{}")
        return given

    def _worked(self, partner: Partner, made: Call, fault: str | None) -> httpx.Response:
        if made.verb == "look":
            known = partner.made.get((made.order, made.step))
            return _json(200, {"made": known})
        if made.key is not None and made.key in partner.by_key:
            kept = partner.by_key[made.key]
            return httpx.Response(kept.status_code, headers=kept.headers, content=kept.content)
        error = self._chance.first(KEEPS, KEEPS_AFTER) if partner.name == STORING else None
        if error is not None:
            given = httpx.Response(500, content=b"{}")
            if error == KEEPS_AFTER:
                made.effect = True
                self._note(partner, made)
            partner.errors.add((made.order, made.step, made.call))
        elif fault in REFUSALS:
            status, headers = REFUSALS[fault]
            given = httpx.Response(status, headers=dict(headers), content=b"{}")
        else:
            made.effect = True
            given = _json(200, {"id": f"{made.step}-{made.call}"})
            self._note(partner, made)
        if made.key is not None:
            partner.by_key[made.key] = given
        return given

    def _note(self, partner: Partner, made: Call) -> None:
        place = (made.order, made.step)
        if (*place, made.call) in partner.errors:
            self._chance.met["key_renewed"] += 1
        if made.verb == "undo":
            partner.made.pop(place, None)
        else:
            partner.made.setdefault(place, []).append(made.call)


def _json(status: int, body: Any) -> httpx.Response:
    return httpx.Response(status, content=orjson.dumps(body))


class SimWire(httpx.AsyncBaseTransport):
    """What lies beneath `plugins/transport.py` in one process."""

    def __init__(self, host: Host, partners: Partners) -> None:
        self._host = host
        self._partners = partners

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if not self._host.alive:
            await asyncio.get_running_loop().create_future()
        return await self._partners.receive(self._host, request)
