"""The only module that sends: one HTTP request out, and what is known of it afterwards."""

import asyncio
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

MAX_BODY = 4 * 1024 * 1024
"""Bytes of a reply's body that are read; the rest is left on the wire."""

# Shorter than the idle time-out of common servers (5 s of Node and Uvicorn), so that a request
# hardly ever meets a connection which the partner is just closing: its outcome would be unknown.
_KEEP_ALIVE_S = 4.0
_DNS_TTL_S = 60
_QUIET_HEADERS = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")
_SAFE_METHODS = frozenset({"GET", "HEAD"})

# What aiohttp raises before it has written a byte: no name, no route, refused, TLS, bad address.
# `httpx_aiohttp` maps more than these to ConnectTimeout (a server that hangs up after reading the
# whole request, for one), so the cause decides and not the mapped error.
_BEFORE_SENDING = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ServerFingerprintMismatch,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)
_BEFORE_SENDING_HTTPX = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)


class Timeouts(NamedTuple):
    """Seconds: to connect, between two reads, and for the whole exchange."""

    connect: float
    read: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The partner answered. `cut`: the body was longer than is read."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: bool = False


@dataclass(frozen=True, slots=True)
class NotSent:
    """Not a byte of the request left: nothing can have come of it."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The request may have arrived, and no whole answer came back."""

    code: str
    message: str


Exchange: TypeAlias = Answer | NotSent | Lost


class Transport:
    """Sends requests through `wire`, each at most once, and never raises but for cancellation."""

    def __init__(self, wire: httpx.AsyncBaseTransport, max_body: int = MAX_BODY) -> None:
        self._wire = wire
        self._max_body = max_body

    @classmethod
    def over_aiohttp(cls, tls: ssl.SSLContext | None = None) -> "Transport":
        """The transport of the product; its session is opened by the first request."""
        context = tls or httpx.create_ssl_context(trust_env=False)
        return cls(AiohttpTransport(verify=context, client=lambda: _session(context)))

    async def send(self, request: httpx.Request, timeouts: Timeouts) -> Exchange:
        """Send once; a GET or HEAD that met a closing connection is sent a second time."""
        request.extensions["timeout"] = {
            "connect": timeouts.connect,
            "read": timeouts.read,
            "write": timeouts.read,
            "pool": None,
        }
        try:
            async with asyncio.timeout(timeouts.total):
                exchange = await self._once(request)
                if request.method in _SAFE_METHODS and _closed_under_us(exchange):
                    exchange = await self._once(request)
                return exchange
        except TimeoutError:
            return Lost("timeout", f"no answer within {timeouts.total:g} s")

    async def aclose(self) -> None:
        """Close all connections."""
        await self._wire.aclose()

    async def _once(self, request: httpx.Request) -> Exchange:
        try:
            response = await self._wire.handle_async_request(request)
        except Exception as error:  # noqa: BLE001 (whatever the wire raises is an outcome)
            return _without_answer(error)
        try:
            body, cut = await self._read(response)
        except Exception as error:  # noqa: BLE001 (as above: the answer broke off)
            return Lost("reply_cut", f"the answer broke off: {_named(error)}")
        finally:
            await _let_go(response)
        return Answer(response.status_code, response.headers, body, cut)

    async def _read(self, response: httpx.Response) -> tuple[bytes, bool]:
        if response.is_stream_consumed:
            return response.content[: self._max_body], len(response.content) > self._max_body
        encoded = "content-encoding" in response.headers
        stream = response.aiter_bytes() if encoded else response.stream
        parts: list[bytes] = []
        length = 0
        async for part in stream:  # type: ignore[union-attr]  # async on every async transport
            parts.append(part)
            length += len(part)
            if length > self._max_body:
                return b"".join(parts)[: self._max_body], True
        return (parts[0] if len(parts) == 1 else b"".join(parts)), False


def _session(tls: ssl.SSLContext) -> aiohttp.ClientSession:
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=0, ttl_dns_cache=_DNS_TTL_S, keepalive_timeout=_KEEP_ALIVE_S, ssl=tls
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        skip_auto_headers=_QUIET_HEADERS,
        trust_env=False,
    )
    # aiohttp sends PUT and DELETE a second time by itself when a connection closes under them.
    # Its own test client switches that off by this attribute; there is no public one.
    session._retry_connection = False  # noqa: SLF001 (see above)
    return session


async def _let_go(response: httpx.Response) -> None:
    """Give the connection back; one with unread bytes is closed by aiohttp."""
    with suppress(Exception):  # the answer is known; closing adds nothing to it
        await response.stream.aclose()  # type: ignore[union-attr]  # async on async transports


def _without_answer(error: Exception) -> NotSent | Lost:
    cause = error.__cause__
    if isinstance(cause, aiohttp.ClientError | OSError):
        unsent = isinstance(cause, _BEFORE_SENDING)
        gone = isinstance(cause, aiohttp.ClientOSError | aiohttp.ServerDisconnectedError)
    else:
        unsent = isinstance(error, _BEFORE_SENDING_HTTPX)
        gone = isinstance(error, httpx.RemoteProtocolError | httpx.NetworkError)
    if unsent:
        return NotSent("not_reached", f"the partner could not be reached: {_named(error)}")
    if isinstance(cause or error, TimeoutError | httpx.TimeoutException):
        return Lost("timeout", f"no answer in time: {_named(error)}")
    code = "disconnected" if gone else "no_answer"
    return Lost(code, f"the connection broke before an answer: {_named(error)}")


def _closed_under_us(exchange: Exchange) -> bool:
    return isinstance(exchange, Lost) and exchange.code == "disconnected"


def _named(error: Exception) -> str:
    cause = error.__cause__ or error
    return f"{type(cause).__name__}: {cause}"[:300]
