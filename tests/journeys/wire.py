"""The wire between Waybill and the partners: keeps what passes, and makes trouble as asked."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import httpx
import orjson

from tests.journeys.reading import Trouble

TOKENS = ("/oauth/token", "/oauth2/token")
_AFTER = {"timeout_after", "cut_after", "malformed_after"}
_UNSTORED = {"unavailable", "expired"}
_GARBAGE = b"<html>all is well</html>"
# An error code is a resource followed by a category of two digits.
_REASONS: Mapping[str, tuple[int, str]] = {
    "contention": (53100050, "Operation failed due to a lock competition, please retry later."),
    "temporary": (53100061, "A temporary error occurred, please retry."),
    "internal": (53100060, "An internal error occurred."),
    "closed_period": (53100030, "The accounting period of 2026-03-01 is closed."),
    "declined": (53100399, "Transaction declined. 05 - Do Not Honor"),
    "gateway": (53100399, "The payment gateway cannot be reached."),
}


@dataclass(frozen=True, slots=True)
class Passed:
    """One exchange. `status` None: no answer arrived. `at` is the path below the partner's."""

    partner: str
    method: str
    at: str
    query: Sequence[tuple[str, str]]
    body: Any
    headers: Mapping[str, str]
    status: int | None
    answer: bytes = b""

    @property
    def key(self) -> str | None:
        """Its idempotency key."""
        return self.headers.get("idempotency-key")

    @property
    def call(self) -> str:
        """As journey files write it."""
        return f"{self.method} {self.at}"


@dataclass(slots=True)
class Wire(httpx.AsyncBaseTransport):
    """Hands requests on to `inner`, but for what `troubles` say.

    `stored` are answers of trouble's own making, by key: partners repeat them.
    """

    inner: httpx.AsyncBaseTransport
    troubles: Sequence[Trouble] = ()
    passed: list[Passed] = field(default_factory=list)
    struck: dict[int, int] = field(default_factory=dict)
    stored: dict[str, httpx.Response] = field(default_factory=dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One exchange."""
        if request.url.path.endswith(TOKENS):
            return await self.inner.handle_async_request(request)
        status, answer = None, b""
        try:
            response = await self._met(request)
            status, answer = response.status_code, await response.aread()
            return response
        finally:
            self.passed.append(_passed(request, status, answer))

    async def aclose(self) -> None:
        """Close what is behind it."""
        await self.inner.aclose()

    async def _met(self, request: httpx.Request) -> httpx.Response:
        key = request.headers.get("idempotency-key")
        kept = self.stored.get(key) if key else None
        if kept is not None:
            return _copy(kept)
        trouble = self._trouble(request)
        if trouble is None:
            return await self._handed_on(request)
        how = trouble.how if isinstance(trouble.how, str) else None
        if how in _AFTER:
            await self._handed_on(request)
        broken = _BREAKS.get(how or "")
        if broken is not None:
            raise broken("the wire of the journeys")
        response = _answer(trouble.how)
        if key and how not in _UNSTORED and not (how or "").startswith("malformed"):
            self.stored[key] = _copy(response)
        return response

    def _trouble(self, request: httpx.Request) -> Trouble | None:
        _, at = place(str(request.url))
        for number, trouble in enumerate(self.troubles):
            struck = self.struck.get(number, 0)
            fits = fnmatchcase(f"{request.method} {at}", _literal(trouble.at))
            if fits and (trouble.times is None or struck < trouble.times):
                self.struck[number] = struck + 1
                return trouble
        return None

    async def _handed_on(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        content = await response.aread()
        await response.aclose()
        headers = {name: value for name, value in response.headers.items() if name in _KEPT}
        return httpx.Response(response.status_code, headers=headers, content=content)


_KEPT = {"content-type", "retry-after", "ratelimit-reset", "zuora-request-id", "location"}
_BREAKS: Mapping[str, type[httpx.TransportError]] = {
    "not_reached": httpx.ConnectError,
    "timeout_before": httpx.ReadTimeout,
    "timeout_after": httpx.ReadTimeout,
    "cut_before": httpx.ReadError,
    "cut_after": httpx.ReadError,
}


def place(url: str) -> tuple[str, str]:
    """The partner, and the path below its mount point."""
    _, partner, *rest = unquote(urlsplit(url).path).split("/")
    return partner, "/" + "/".join(rest)


def fits(call: str, passed: Passed) -> bool:
    """Whether the request is the one that a journey file writes as `METHOD path?query`."""
    path, _, query = call.partition("?")
    named = parse_qsl(query, keep_blank_values=True)
    return path == passed.call and all(one in passed.query for one in named)


def _literal(pattern: str) -> str:
    """Of the wildcards only `*` is one: paths hold brackets and question marks."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _passed(request: httpx.Request, status: int | None, answer: bytes) -> Passed:
    partner, at = place(str(request.url))
    return Passed(
        partner=partner,
        method=request.method,
        at=at,
        query=parse_qsl(urlsplit(str(request.url)).query, keep_blank_values=True),
        body=_body(request),
        headers=dict(request.headers),
        status=status,
        answer=answer,
    )


def _body(request: httpx.Request) -> Any:
    if not request.content:
        return None
    if "form" in request.headers.get("content-type", ""):
        return dict(parse_qsl(request.content.decode()))
    return orjson.loads(request.content)


def _answer(how: str | Mapping[str, Any]) -> httpx.Response:
    if isinstance(how, str):
        return _refusal(*_REASONS[how]) if how in _REASONS else _PLAIN[how]()
    if "reason" in how:
        return _refusal(how["reason"], how.get("message", "refused"))
    return httpx.Response(how["status"], json=how.get("body"))


def _limited() -> httpx.Response:
    reasons = [{"code": 70, "message": "Request exceeded limit"}]
    return httpx.Response(429, json={"reasons": reasons}, headers={"Retry-After": "1"})


_PLAIN: Mapping[str, Callable[[], httpx.Response]] = {
    "malformed_before": lambda: httpx.Response(200, content=_GARBAGE),
    "malformed_after": lambda: httpx.Response(200, content=_GARBAGE),
    "rate_limited": _limited,
    "unavailable": lambda: httpx.Response(503, content=b"<html>Service unavailable</html>"),
    "expired": lambda: httpx.Response(401, json={"message": "the token has expired"}),
}


def _refusal(code: int, message: str) -> httpx.Response:
    reasons = [{"code": code, "message": message}]
    return httpx.Response(200, json={"success": False, "processId": "9F", "reasons": reasons})


def _copy(response: httpx.Response) -> httpx.Response:
    """A response can be read only once."""
    return httpx.Response(response.status_code, headers=response.headers, content=response.content)
