"""What a route is, what its handler gets, and what the application is made of."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

import orjson
from aiohttp import web
from pydantic import BaseModel

from plugins.registry import Registry
from projections.audit import Audit
from streams.agents.previewing import Foreseen
from streams.core.intake import Prepared, Submission
from streams.topics import Topics
from waybill.api.auth import Gate, Principal, Scope
from waybill.api.checking import CommandChecks
from waybill.api.controls import Controls
from waybill.api.feeding import Feed
from waybill.api.lags import Lags
from waybill.api.metrics import ApiMetrics
from waybill.api.problems import Kind
from waybill.api.producing import Producer
from waybill.api.reading import Reader, Reading
from waybill.api.shapes import NoQuery
from waybill.api.waiting import Watch
from waybill.api.webhook_services import WebhookServices
from waybill.configuring.book import ConfigurationBook
from waybill.configuring.replays import Replays
from waybill.partner_connections import PartnerConnections
from waybill.rejected_pages import RejectedLog

JSON = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServices:
    """What the API works with; the caller starts and closes `kafka`."""

    reading: Reading
    prepare: Callable[[Submission], Prepared]
    previewing: Callable[[Prepared], Awaitable[Sequence[Foreseen]]]
    checks: CommandChecks
    controls: Controls
    webhooks: WebhookServices
    plugins: Collection[str]
    registry: Registry
    connections: PartnerConnections
    kafka: Producer
    rejected: RejectedLog
    audit: Audit
    lags: Lags
    configurations: ConfigurationBook
    replays: Replays
    gate: Gate
    topics: Topics
    now: Callable[[], datetime]
    monotonic: Callable[[], float]
    random_bytes: Callable[[int], bytes]


@dataclass(slots=True)
class Api:
    """The running application."""

    services: ApiServices
    reader: Reader
    watch: Watch
    feed: Feed
    metrics: ApiMetrics
    openapi: bytes
    log_end: Mapping[int, int] | None = None
    caught_up: bool = False
    closing: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, admitted and with its query read."""

    request: web.Request
    api: Api
    principal: Principal
    query: Any

    @property
    def tenant(self) -> str:
        """Whose objects are asked for."""
        return self.principal.tenant

    @property
    def operates(self) -> bool:
        """Whether the caller may see what is meant for operators only."""
        return self.principal.may(Scope.OPERATE)

    def part(self, name: str) -> str:
        """A part of the path."""
        return self.request.match_info[name]


Handler: TypeAlias = Callable[[Call], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One good answer of a route, for the OpenAPI document. `shape` None: no JSON."""

    status: int
    description: str
    shape: type[BaseModel] | Mapping[str, Any] | None = None
    example: Any = None
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Header:
    """A header of requests, for the OpenAPI document."""

    text: str
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "string"})
    required: bool = False


Headers: TypeAlias = Mapping[str, str | Header]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One operation. `scope` None: open to everybody who can reach the address.

    `partner` is the connection whose `inbound` secret may be shown instead of a key. `parts` are
    the JSON Schemas of the path's parameters.
    """

    method: str
    path: str
    handler: Handler
    id: str
    summary: str
    tag: str
    scope: Scope | None
    answers: tuple[Answer, ...]
    problems: tuple[Kind, ...] = ()
    query: type[BaseModel] = NoQuery
    takes_order: bool = False
    body: type[BaseModel] | None = None
    body_examples: Mapping[str, Any] = field(default_factory=dict)
    partner: str | None = None
    parts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    headers: Headers = field(default_factory=dict)


def answered(
    body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer."""
    return web.Response(body=orjson.dumps(body), status=status, content_type=JSON, headers=headers)
