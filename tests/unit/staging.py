"""What the tests of stages share: a partner in memory, connectors, orders, virtual time."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import httpx

from plugins.addressing import Addressing
from plugins.api import (
    Connector,
    Done,
    Idempotency,
    Manifest,
    NoOptions,
    Options,
    Request,
    Step,
)
from plugins.perform import Performer
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from schemas.connections import Connection, Connections, Limits
from schemas.events import Result
from schemas.steps import OnUnknown, Retry, WaybillStep
from streams.agents.fate import StoreCalls
from streams.agents.keyring import KeyRing
from streams.agents.stages import Equipment, Stages
from streams.agents.turn import Turn
from streams.core.decide import RunStep
from streams.core.order import Order
from tests.facts import START, accepted, given
from tests.unit.virtual import clock

STAGE = "acme@partner.test"
RETRY = Retry(attempts=3, first_s=10, longest_s=60, age_s=3600)
MINE = Turn(lambda: True, lambda: False)


def answer(status: int = 200, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"id": "A"}, headers=named)


DOWN = httpx.ConnectError("refused")
LOST = httpx.ReadError("reset")


def make(_: Step[Any]):
    reply = yield Request.post("/things", {"a": 1}, call="make")
    return Done(id=reply["id"])


def find(step: Step[Any]):
    reply = yield Request.get("/things", accept={404})
    return step.not_done() if reply.status == 404 else Done(id=reply["id"])


def undo(step: Step[Any]):
    yield Request("DELETE", f"/things/{step.output['id']}", call="undo")
    return Done()


class Bench:
    """Stages in front of a partner that answers in turn; the last answer repeats."""

    def __init__(self, *answers: httpx.Response | Exception, **limits: Any) -> None:
        self.answers = list(answers)
        self.sent: list[httpx.Request] = []
        self.lasting = 0.0
        self.jitter = 0.5
        self.idempotency = Idempotency.NATIVE
        self.connection = Connection(base_url="https://partner.test", limits=Limits(**limits))
        transport = Transport(_Wire(self._answer))
        self.performer = Performer(transport, SecretValues({}), self.now, clock)
        self.stages = self.staged({"acme": self.connection}, _NoVault())

    def staged(self, named: dict[str, Connection], vault: Any) -> Stages:
        """Stages of this bench's plugins over these connections."""
        return Stages(
            Equipment(
                addressing=Addressing(self, Connections({"default": {"production": named}})),
                performer=self.performer,
                keys=KeyRing(vault, StoreCalls(local=True)),
                now=self.now,
                monotonic=clock,
                random_bytes=bytes,
                jitter=lambda: self.jitter,
            )
        )

    def get(self, name: str) -> Connector:
        manifest = Manifest(
            name=name,
            service="test",
            summary="test",
            idempotency=self.idempotency,
            options=NoOptions,
            timeout_s=10,
            key_methods=frozenset({"POST", "DELETE"}),
        )
        return Connector(manifest, make, find, undo)

    def validate_options(self, name: str, options: Mapping[str, Any]) -> Options:
        del name
        return NoOptions.model_validate(options)

    def now(self) -> datetime:
        return START + timedelta(seconds=clock())

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        found = self.answers[min(len(self.sent), len(self.answers)) - 1]
        if isinstance(found, Exception):
            raise found
        return httpx.Response(found.status_code, headers=found.headers, content=found.content)

    async def attempt(self, order: Order | None = None, turn: Turn = MINE, **run: Any) -> Result:
        order = order or an_order()
        assert order.open_step is not None
        decided = RunStep(order.id, order.run, order.open_step.id, order.opened.attempt, **run)
        return await self.stages(order, decided, turn)

    @property
    def keys(self) -> list[str | None]:
        return [request.headers.get("idempotency-key") for request in self.sent]

    @property
    def methods(self) -> list[str]:
        return [request.method for request in self.sent]


class _Wire(httpx.AsyncBaseTransport):
    def __init__(self, answer: Callable[[httpx.Request], Any]) -> None:
        self._answer = answer

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response: httpx.Response = await self._answer(request)
        return response


class _NoVault:
    def at_hand(self, tenant: str, subjects: Any) -> Mapping[str, Any]:
        raise AssertionError(tenant, subjects)

    made = existing = at_hand


def a_step(**more: Any) -> WaybillStep:
    return WaybillStep(**{"id": "acme", "plugin": "acme", "service": "s", "retry": RETRY, **more})


def an_order(**step: Any) -> Order:
    return given(accepted(a_step(**step)))


def looking_up(**more: Any) -> dict[str, Any]:
    return {"on_unknown": OnUnknown.LOOK_UP, **more}
