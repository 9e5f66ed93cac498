"""Checks one connection: whether its partner is reached, TLS holds, and credentials are let in."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeAlias

import httpx

from plugins.api import Idempotency, Manifest, NoOptions, Request
from plugins.credentials import Credential, Credentials
from plugins.outgoing import outgoing
from plugins.secret_values import SecretMissingError, SecretValues
from plugins.tokens import NoToken
from plugins.transport import Answer, Timeouts, Transport
from schemas.connections import (
    Connection,
    NoAuth,
    OAuthAuth,
    Secret,
    SecretFromEnvironment,
    SecretFromFile,
)
from waybill.findings import Finding, Severity

PATIENCE_S = 5.0
CERTIFICATE_DAYS = 14

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_PORTS = {"http": 80, "https": 443}
_REFUSED = frozenset({401, 403})
_ERROR = 400


class Access(StrEnum):
    """What is known of a connection's credentials.

    `none`: the connection has none. `missing`: a reference leads nowhere. `present`: they are
    there, and the partner has no harmless request to try them on. `untried`: the partner did not
    get so far.
    """

    NONE = "none"
    MISSING = "missing"
    PRESENT = "present"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True)
class Tls:
    """How the partner showed who it is."""

    version: str
    issuer: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionCheck:
    """What one check saw; without findings all is well. `connect_ms` without TLS's own part."""

    at: datetime
    reached: bool
    connect_ms: float | None
    tls: Tls | None
    credentials: Access
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class _Reached:
    connect_ms: float
    tls: Tls | None


_Tried: TypeAlias = tuple[Access, Finding | None]


def secret_references(connection: Connection) -> Iterator[tuple[str, Secret]]:
    """Each secret that the connection names, by the member that names it."""
    for member in type(connection.auth).model_fields:
        value = getattr(connection.auth, member)
        if isinstance(value, SecretFromEnvironment | SecretFromFile):
            yield f"auth.{member}", value
    if connection.inbound is not None:
        yield "inbound", connection.inbound


class ConnectionChecker:
    """Checks connections with the transport and the secrets that steps have."""

    def __init__(
        self,
        transport: Transport,
        secrets: SecretValues,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._transport = transport
        self._secrets = secrets
        self._now = now
        self._monotonic = monotonic
        self._tls = tls or httpx.create_ssl_context(trust_env=False)

    async def check(self, connection: Connection, users: Sequence[Manifest]) -> ConnectionCheck:
        """Connects, and asks the harmless request of one of the connectors that use it, if any."""
        try:
            httpx.URL(connection.base_url)
        except httpx.InvalidURL as problem:
            return self._unusable(connection, problem)
        findings = [*self._missing(connection), *_in_clear(connection)]
        missing = any(found.code == "secret_missing" for found in findings)
        access = Access.MISSING if missing else Access.UNTRIED
        reached = await self._reach(connection)
        if isinstance(reached, _Reached):
            findings += self._short_lived(connection, reached.tls)
            if not missing:
                access, found = await self._try(connection, users)
                findings += [found] if found else []
        else:
            findings.append(reached)
        if isinstance(connection.auth, NoAuth) and access is Access.UNTRIED:
            access = Access.NONE
        return ConnectionCheck(
            at=self._now(),
            reached=isinstance(reached, _Reached),
            connect_ms=reached.connect_ms if isinstance(reached, _Reached) else None,
            tls=reached.tls if isinstance(reached, _Reached) else None,
            credentials=access,
            findings=tuple(findings),
        )

    def _unusable(self, connection: Connection, problem: Exception) -> ConnectionCheck:
        bare = isinstance(connection.auth, NoAuth)
        said = f"base_url is no address: {problem}"
        return ConnectionCheck(
            at=self._now(),
            reached=False,
            connect_ms=None,
            tls=None,
            credentials=Access.NONE if bare else Access.UNTRIED,
            findings=(_error("base_url_invalid", said, "correct it in the connections"),),
        )

    def _missing(self, connection: Connection) -> Iterator[Finding]:
        for member, secret in secret_references(connection):
            try:
                self._secrets.of(secret)
            except SecretMissingError:
                yield _missing_secret(member, secret)

    async def _reach(self, connection: Connection) -> _Reached | Finding:
        url = httpx.URL(connection.base_url)
        host, port = url.host, url.port or _PORTS[url.scheme]
        began = self._monotonic()
        try:
            async with asyncio.timeout(min(PATIENCE_S, connection.limits.connect_s)):
                _, writer = await asyncio.open_connection(
                    host, port, ssl=self._tls if url.scheme == "https" else None
                )
        except (OSError, UnicodeError) as problem:
            return _unreached(f"{host}:{port}", problem)
        took = round((self._monotonic() - began) * 1000, 1)
        tls = _shown_tls(writer.get_extra_info("ssl_object"))
        writer.close()
        with suppress(OSError):  # what it said is known; how it hangs up does not matter
            await writer.wait_closed()
        return _Reached(took, tls)

    def _short_lived(self, connection: Connection, tls: Tls | None) -> Iterator[Finding]:
        if tls is not None and tls.expires_at - self._now() < timedelta(days=CERTIFICATE_DAYS):
            host = httpx.URL(connection.base_url).host
            yield _warning(
                "certificate_expires",
                f"the certificate of {host} ends {tls.expires_at:%Y-%m-%d}",
                "tell the partner, or renew it",
            )

    async def _try(self, connection: Connection, users: Sequence[Manifest]) -> _Tried:
        """Nothing is sent where there are no credentials to be tried."""
        if isinstance(connection.auth, NoAuth):
            return Access.NONE, None
        user = next((one for one in users if one.probe or one.oauth), _NOBODY)
        credentials = Credentials(self._transport, self._secrets, self._monotonic)
        found = await credentials.of(connection, user, PATIENCE_S)
        if isinstance(found, NoToken):
            return _without_token(found)
        if user.probe is not None:
            return await self._probe(connection, user.probe, found)
        known = isinstance(connection.auth, OAuthAuth)
        return (Access.ACCEPTED if known else Access.PRESENT), None

    async def _probe(
        self, connection: Connection, probe: Request, credential: Credential
    ) -> _Tried:
        try:
            request = outgoing(probe, connection, b"{}", {}).http(credential.header)
        except ValueError:
            return Access.UNTRIED, _unanswered("a header holds characters that no header may")
        asked = f"{probe.method} {probe.path}"
        exchange = await self._transport.send(
            request, Timeouts(connection.limits.connect_s, PATIENCE_S, PATIENCE_S)
        )
        if not isinstance(exchange, Answer):
            return Access.UNTRIED, _unanswered(f"{asked}: {exchange.message}")
        if exchange.status in _REFUSED:
            return Access.REFUSED, _refused(f"the partner answered {exchange.status} to {asked}")
        if exchange.status >= _ERROR:
            return Access.UNTRIED, _unanswered(f"it answered {exchange.status} to {asked}")
        return Access.ACCEPTED, None


_NOBODY = Manifest(
    name="a connection that no connector is made for",
    service="none",
    idempotency=Idempotency.NONE,
    options=NoOptions,
)


def _shown_tls(session: Any) -> Tls | None:
    if session is None:
        return None
    shown = session.getpeercert()
    issuer = {name: value for part in shown["issuer"] for name, value in part}
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(shown["notAfter"]), UTC)
    named = issuer.get("organizationName") or issuer.get("commonName") or "unknown"
    return Tls(session.version(), named, ends)


def _in_clear(connection: Connection) -> Iterator[Finding]:
    url = httpx.URL(connection.base_url)
    shows = not isinstance(connection.auth, NoAuth)
    if shows and url.scheme == "http" and url.host not in _LOOPBACK:
        yield _warning(
            "credentials_in_clear",
            f"credentials go to {url.host} without TLS",
            "use an address that begins with https://",
        )


def _missing_secret(member: str, secret: Secret) -> Finding:
    match secret:
        case SecretFromEnvironment(env=name):
            what, remedy = f"the environment has no {name}", f"set {name} for API and workers"
        case SecretFromFile(file=name):
            what, remedy = f"there is no secret in {name}", f"write it into {name}"
    return _warning("secret_missing", f"{what} ({member})", remedy)


def _unreached(where: str, problem: Exception) -> Finding:
    match problem:
        case ssl.SSLCertVerificationError():
            return _error(
                "certificate_invalid",
                f"the certificate of {where} does not hold: {problem.verify_message}",
                "correct the address, or have the partner correct its certificate",
            )
        case ssl.SSLError():
            said = problem.reason or "no handshake"
            return _error(
                "tls_failed",
                f"{where} does not speak TLS as we do: {said}",
                "correct the scheme and port of base_url",
            )
        case socket.gaierror() | UnicodeError():
            return _warning(
                "name_unknown",
                f"nobody knows the address of {where}",
                "correct base_url, or look after the name service",
            )
        case TimeoutError():
            said = "no answer in time"
        case _:
            said = getattr(problem, "strerror", None) or type(problem).__name__
    return _warning(
        "partner_unreachable",
        f"{where} is not reached: {said}",
        "correct base_url, or look after the network and the partner",
    )


def _without_token(found: NoToken) -> _Tried:
    if found.code == "token_path_missing":
        return Access.PRESENT, _warning(
            found.code,
            "nobody says where tokens are fetched",
            "give the connection auth.token_path",
        )
    if found.refused:
        return Access.REFUSED, _refused(found.message)
    return Access.UNTRIED, _unanswered(found.message)


def _refused(message: str) -> Finding:
    remedy = "correct the credentials that the connection names"
    return _error("credentials_refused", message, remedy)


def _unanswered(message: str) -> Finding:
    remedy = "look after the partner, and check again"
    return _warning("credentials_untried", f"credentials could not be tried: {message}", remedy)


def _error(code: str, message: str, remedy: str) -> Finding:
    return Finding(code=code, message=message, remedy=remedy)


def _warning(code: str, message: str, remedy: str) -> Finding:
    return replace(_error(code, message, remedy), severity=Severity.WARNING)
