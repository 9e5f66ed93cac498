"""What passes between the gate and a partner: one call goes in, one answer comes out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from waybill.sandbox.keys import KeyBook

SECRETS = frozenset({"client_secret", "assertion", "password", "refresh_token"})


@dataclass(slots=True)
class Call:
    """One request as a partner sees it.

    `path` is still percent-encoded and begins below the partner's mount point, `target` is the
    whole request target with its query, `base` the address of the mount point.
    """

    method: str
    path: str
    target: str
    base: str
    params: Mapping[str, str]
    query: Any
    headers: Mapping[str, str]
    raw: bytes = b""
    body: Any = None
    form: bool = False
    malformed: bool = False

    def for_journal(self) -> bytes:
        """The body as the journal may keep it: secrets of a form are masked."""
        if not self.form:
            return self.raw
        return orjson.dumps({k: "***" if k in SECRETS else v for k, v in self.body.items()})


@dataclass(frozen=True, slots=True)
class Answer:
    """What a partner says; `effect` names what came into being, None when nothing changed."""

    status: int
    body: bytes = b""
    effect: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"


Handler: TypeAlias = Callable[[Call], Answer]


class Route(NamedTuple):
    """Where a partner listens; `path` is aiohttp's, below the partner's mount point."""

    method: str
    path: str
    handler: Handler


class Partner(Protocol):
    """One stand-in. Handlers are synchronous, so that an effect and its key are one step."""

    name: str
    keys: KeyBook[Answer] | None

    def routes(self) -> Sequence[Route]:
        """Where the partner listens."""
        ...

    def refuse(self, call: Call) -> Answer | None:
        """What the partner's front door says before any key is looked at: 401, 415, ..."""
        ...

    def key_of(self, call: Call) -> str | None:
        """The key under which the journal files the call."""
        ...

    def honours(self, call: Call) -> bool:
        """Whether a key on this call is honoured."""
        ...

    def failing(self, status: int) -> Answer:
        """The partner's own way of answering with an HTTP error."""
        ...

    def refusing(self, call: Call, code: str, message: str | None) -> Answer:
        """The partner's own way of refusing this call with one of its error codes."""
        ...

    def state(self) -> dict[str, Any]:
        """All that the partner keeps, as plain JSON."""
        ...


class Advance(BaseModel):
    """Days that go by: up to `to`; `closed_through` closes the books up to that day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: date
    closed_through: date | None = None


@runtime_checkable
class Ages(Protocol):
    """A partner that has a day of its own."""

    def advance(self, wanted: Advance) -> dict[str, Any]:
        """Move on to the day, and tell what came of it."""
        ...


FAILED = 400  # and above


def answer(status: int, document: Any, effect: str | None = None, **headers: str) -> Answer:
    """An answer with a JSON body; header names are given with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, orjson.dumps(document), effect, named)


async def read_call(request: web.Request, mount: str) -> Call:
    """Read the whole request; a body that is not JSON (or a form) is marked, not refused."""
    target = request.path_qs
    call = Call(
        method=request.method,
        path=request.rel_url.raw_path.removeprefix(mount) or "/",
        target=target,
        base=f"{request.scheme}://{request.host}{mount}",
        params=request.match_info,
        query=request.query if "?" in target else {},
        headers=request.headers,
    )
    if request.body_exists:
        call.raw = await request.read()
    if call.raw:
        _parse(call, request.content_type)
    return call


def _parse(call: Call, content_type: str) -> None:
    if content_type == "application/x-www-form-urlencoded":
        call.form = True
        call.body = dict(parse_qsl(call.raw.decode(errors="replace")))
        return
    try:
        call.body = orjson.loads(call.raw)
    except orjson.JSONDecodeError:
        call.malformed = True
