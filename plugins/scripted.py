"""A partner that answers from a script, for the contract suite: it can also misbehave."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import httpx
import orjson

from plugins.api import (
    Connector,
    Conversation,
    Done,
    Example,
    Reply,
    Request,
    Script,
    Step,
)
from plugins.perform import Assignment, Performed, Performer
from plugins.redaction import Scrubber
from plugins.relaying import relayed
from plugins.secret_values import SecretValues
from plugins.transport import Transport
from schemas.connections import BasicAuth, Connection, OAuthAuth, SecretFromEnvironment

PERSONAL_SECTIONS = (
    "customerDetails",
    "billingDetails",
    "deliveryDetails",
    "recipientDetails",
    "payment",
    "notificationData",
)
"""Members of an order document whose values must never be recorded."""

CANARIES = {"PASSWORD": "canary-password", "CLIENT": "canary-client", "SECRET": "canary-secret"}
"""Secrets of the suite's connections; tokens are `canary-token-1` and so on."""

TOKEN_PATH = "/canary/token"  # noqa: S105 (a path)
_START = datetime(2026, 1, 1, tzinfo=UTC)
_REASONABLE_S = 30.0


Talk: TypeAlias = Callable[[Step[Any]], Conversation]


class UnscriptedError(AssertionError):
    """The conversation asked for something that its example does not answer."""


Misbehaviour: TypeAlias = Callable[[int, httpx.Request], "httpx.Response | Exception | None"]
"""Asked with every request and its place in the conversation; None: the script answers."""


class HangError(Exception):
    """As a misbehaviour: the answer never comes."""


@dataclass(slots=True)
class ScriptedPartner(httpx.AsyncBaseTransport):
    """Answers from `script`; keeps what it was sent."""

    script: Script
    misbehaves: Misbehaviour | None = None
    asked: list[Request] = field(default_factory=list)
    sent: list[httpx.Request] = field(default_factory=list)
    tokens: int = 0
    unscripted: str | None = None
    _given: dict[str, int] = field(default_factory=dict)

    def watched(
        self, conversation: Callable[[Step[Any]], Conversation]
    ) -> Callable[[Step[Any]], Conversation]:
        """The same conversation; the partner then knows which call it is answering."""

        def seen(request: Request) -> Request:
            self.asked.append(request)
            return request

        return lambda step: relayed(conversation(step), seen)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange."""
        if request.url.path == TOKEN_PATH:
            self.tokens += 1
            return httpx.Response(200, json={"access_token": f"canary-token-{self.tokens}"})
        self.sent.append(request)
        special = self.misbehaves and self.misbehaves(len(self.asked) - 1, request)
        if isinstance(special, HangError):
            await asyncio.Event().wait()
        if isinstance(special, Exception):
            raise special
        return special or _response(self._reply(self.asked[-1]))

    def _reply(self, request: Request) -> Reply:
        key = request.call or f"{request.method} {request.path}"
        scripted = self.script.get(key)
        if scripted is None:
            self.unscripted = f"the example has no reply to {key!r}"
            raise UnscriptedError(self.unscripted)
        if isinstance(scripted, Reply):
            return scripted
        turn = self._given.get(key, 0)
        self._given[key] = turn + 1
        return scripted[min(turn, len(scripted) - 1)]


@dataclass(frozen=True, slots=True)
class Trial:
    """One performed conversation and what the partner saw of it."""

    performed: Performed
    asked: Sequence[Request]
    sent: Sequence[httpx.Request]
    tokens: int


@dataclass(frozen=True, slots=True)
class Stand:
    """A connector with one of its examples, ready to be performed again and again."""

    connector: Connector
    example: Example
    misbehaves: Misbehaviour | None = None
    deadline_s: float = _REASONABLE_S

    async def perform(self) -> Trial:
        """The perform conversation."""
        return await self._have(self.example.replies, self.connector.perform)

    async def look_up(self, script: Script) -> Trial:
        """The look-up conversation, answered by `script`."""
        return await self._have(script, self.connector.look_up)

    async def compensate(self, script: Script) -> Trial:
        """The compensation, answered by `script`, after the outcome that the example expects."""
        return await self._have(script, self.connector.compensation)

    async def _have(self, script: Script, talk: Talk | None) -> Trial:
        assert talk is not None, "the connector has no such conversation"
        partner = ScriptedPartner(script, self.misbehaves)
        watched, clock = partner.watched(talk), _Clock()
        connector = self.connector
        if talk is connector.look_up:
            connector = replace(connector, look_up=watched)
        performer = Performer(Transport(partner), SecretValues(CANARIES), clock.now, clock.tick)
        undone = talk is self.connector.compensation
        performed = await performer.perform(self._assignment(connector, undone=undone), watched)
        if partner.unscripted is not None and self.misbehaves is None:
            raise UnscriptedError(partner.unscripted)
        return Trial(performed, partner.asked, partner.sent, partner.tokens)

    def _assignment(self, connector: Connector, *, undone: bool) -> Assignment:
        step, expected = self.example.step, self.example.expected
        if undone and isinstance(expected, Done):
            step = replace(step, context={**step.context, step.id: expected.output})
        return Assignment(
            connector=connector,
            step=step,
            connection=connection_for(connector, step),
            attempt=1,
            key_of=lambda call: f"key-of-{call}",
            order_json=orjson.dumps(step.order),
            scrubber=Scrubber.of(personal(step.order)),
            deadline_s=self.deadline_s,
        )


def connection_for(connector: Connector, step: Step[Any]) -> Connection:
    """A connection with secrets that must never be seen again."""
    manifest = connector.manifest
    absolute = manifest.endpoint(step.options) if manifest.endpoint else None
    url = httpx.URL(absolute or "https://partner.test")
    base_url = str(url.copy_with(path="", query=None, fragment=None)).rstrip("/")
    if manifest.oauth is None:
        password = SecretFromEnvironment(env="PASSWORD")
        basic = BasicAuth(type="basic", username="canary-user", password=password)
        return Connection(base_url=base_url, auth=basic)
    oauth = OAuthAuth(
        type="oauth_client_credentials",
        client_id=SecretFromEnvironment(env="CLIENT"),
        client_secret=SecretFromEnvironment(env="SECRET"),
        token_path=TOKEN_PATH,
    )
    return Connection(base_url=base_url, auth=oauth)


def personal(order: Mapping[str, Any]) -> dict[str, Any]:
    """The personal sections of an order document."""
    return {name: order[name] for name in PERSONAL_SECTIONS if name in order}


class _Clock:
    """Time that moves only when it is asked, so that every run has the same times."""

    def __init__(self) -> None:
        self._asked = 0

    def now(self) -> datetime:
        return _START + timedelta(milliseconds=self._asked)

    def tick(self) -> float:
        self._asked += 1
        return self._asked / 1000


def _response(reply: Reply) -> httpx.Response:
    headers = dict(reply.headers)
    if reply.body is None:
        return httpx.Response(reply.status, headers=headers)
    if isinstance(reply.body, str):
        return httpx.Response(reply.status, headers=headers, text=reply.body)
    return httpx.Response(reply.status, headers=headers, content=orjson.dumps(reply.body))
