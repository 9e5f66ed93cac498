"""Sends one delivery to its endpoint once, and says what the receiver answered."""

import asyncio
import ssl
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple, Protocol

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorSSLError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    TCPConnector,
)
from yarl import URL

from plugins.redaction import Scrubber
from projections.webhooks.queue import Due
from streams.core.sealing import UnsealingError
from streams.core.webhooks.egress import EgressRefusedError
from streams.core.webhooks.endpoint import Endpoint
from streams.core.webhooks.schedule import is_success, retry_after
from streams.core.webhooks.signing import SigningKey, signature_headers

TIMEOUT_S = 15.0
"""Until a receiver has answered, the connection included."""

KEPT_BYTES = 4096
"""Of an answer so much is kept."""

_BODY_S = 2.0

AGENT = "Waybill-Webhooks/1.0"


class Answer(NamedTuple):
    """What came of an attempt: a status, or `error` as a word where there was none."""

    began: datetime
    duration_ms: int
    status: int | None
    error: str | None
    text: str | None
    not_before: datetime | None


class Secrets(Protocol):
    """What endpoints have sealed."""

    def signing_keys(self, endpoint: Endpoint, now: datetime) -> Sequence[SigningKey]:
        """The keys that sign now."""

    def headers(self, endpoint: Endpoint) -> Mapping[str, str]:
        """The endpoint's own headers."""


class _Opened(NamedTuple):
    revision: int
    url: URL
    headers: Mapping[str, str]
    scrubber: Scrubber


class Sender:
    """Makes attempts. No redirect is followed, no cookie kept, nothing sent through a proxy."""

    def __init__(
        self,
        connector: TCPConnector,
        secrets: Secrets,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
    ) -> None:
        self._session = ClientSession(
            connector=connector,
            cookie_jar=DummyCookieJar(),
            timeout=ClientTimeout(total=TIMEOUT_S),
            auto_decompress=False,
            headers={"User-Agent": AGENT, "Content-Type": "application/json"},
        )
        self._secrets = secrets
        self._now = now
        self._monotonic = monotonic
        self._opened: dict[str, _Opened] = {}

    async def close(self) -> None:
        """Closes all connections."""
        await self._session.close()

    async def attempt(self, endpoint: Endpoint, due: Due) -> Answer:
        """Sends it; whatever happens is an answer."""
        began, start = self._now(), self._monotonic()
        try:
            reply = await self._exchange(endpoint, due, began)
        except EgressRefusedError as refusal:
            reply = _Reply(None, refusal.code)
        except _FAILURES as problem:
            reply = _Reply(None, next(w for kind, w in _WORDS.items() if isinstance(problem, kind)))
        return Answer(began, round((self._monotonic() - start) * 1000), *reply)

    async def _exchange(self, endpoint: Endpoint, due: Due, began: datetime) -> "_Reply":
        opened = self._open(endpoint)
        keys = self._secrets.signing_keys(endpoint, began)
        signed = signature_headers(due.message, int(began.timestamp()), due.body, keys)
        headers = {**opened.headers, "waybill-event-type": due.type, **signed}
        async with self._session.post(
            opened.url, data=due.body, headers=headers, allow_redirects=False
        ) as response:
            raw = await _beginning(response)
        status = response.status
        return _Reply(
            status,
            _word(status),
            # Who may have personal data could say it again.
            None if due.subject is not None else opened.scrubber.recorded(raw)[:KEPT_BYTES],
            retry_after(response.headers.get("Retry-After"), began),
        )

    def _open(self, endpoint: Endpoint) -> _Opened:
        opened = self._opened.get(endpoint.id)
        if opened is None or opened.revision != endpoint.revision:
            headers = self._secrets.headers(endpoint)
            scrubber = Scrubber.of({}, headers.values())
            url = URL(endpoint.url, encoded=True)
            opened = _Opened(endpoint.revision, url, headers, scrubber)
            self._opened[endpoint.id] = opened
        return opened


class _Reply(NamedTuple):
    status: int | None
    error: str | None
    text: str | None = None
    not_before: datetime | None = None


_WORDS: Mapping[type[Exception], str] = {
    UnsealingError: "secrets_unreadable",
    TimeoutError: "timed_out",
    ClientConnectorSSLError: "tls_failed",
    ClientConnectorCertificateError: "tls_failed",
    ssl.SSLError: "tls_failed",
    ClientError: "not_reached",
    OSError: "not_reached",
    ValueError: "not_reached",
}
_FAILURES = tuple(_WORDS)


def _word(status: int) -> str | None:
    if is_success(status):
        return None
    return "redirected" if status // 100 == 3 else f"status_{status}"  # noqa: PLR2004 - RFC 9110's class of redirects


async def _beginning(response: ClientResponse) -> bytes:
    """The first bytes of the answer; its status counts, however the rest of it fares."""
    with suppress(ClientError, OSError, TimeoutError):
        async with asyncio.timeout(_BODY_S):
            raw = await response.content.read(KEPT_BYTES)
            while len(raw) < KEPT_BYTES and (more := await response.content.read(KEPT_BYTES)):
                raw += more
            return raw[:KEPT_BYTES]
    return b""
