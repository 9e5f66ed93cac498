"""OAuth access tokens: one per connection, fetched once however many requests wait for it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlencode

import httpx
import orjson

from plugins.secret_values import SecretMissingError, SecretValues
from plugins.transport import Answer, Timeouts, Transport
from schemas.connections import Connection, OAuthAuth

_MAX_SKEW_S = 300.0
_SKEW_SHARE = 0.1
_TOTAL_S = 10.0
_GRANTED = range(200, 300)
_REFUSED = range(400, 500)
_NOT_REFUSED = frozenset({408, 429})


@dataclass(frozen=True, slots=True, repr=False)
class Token:
    """An access token. `expires_at` is monotonic; None: until the partner answers 401."""

    value: str
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class NoToken:
    """None could be had. `refused`: the credentials are wrong, so trying again is no use."""

    code: str
    message: str
    refused: bool


TokenKey: TypeAlias = tuple[str, str, OAuthAuth]


class Tokens:
    """Fetches tokens by the client credentials grant and keeps them until shortly before expiry."""

    def __init__(
        self, transport: Transport, secrets: SecretValues, monotonic: Callable[[], float]
    ) -> None:
        self._transport = transport
        self._secrets = secrets
        self._monotonic = monotonic
        self._known: dict[TokenKey, Token] = {}
        self._fetching: dict[TokenKey, asyncio.Task[Token | NoToken]] = {}

    async def get(
        self, connection: Connection, auth: OAuthAuth, path: str, within_s: float
    ) -> Token | NoToken:
        """A token that may be used now. A fresh one is used whatever its expiry says."""
        key = (connection.base_url, path, auth)
        known = self._known.get(key)
        if known and (known.expires_at is None or self._monotonic() < known.expires_at):
            return known
        fetching = self._fetching.get(key)
        if fetching is None:
            fetching = asyncio.create_task(self._fetch(connection, key))
            self._fetching[key] = fetching
            fetching.add_done_callback(lambda _: self._fetching.pop(key, None))
        # Shielded: who gives up waiting does not take the token away from the others.
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(fetching)
        except TimeoutError:
            return NoToken("deadline", "the step's time was up before a token came", refused=False)

    def drop(self, token: Token) -> None:
        """Forget a token that the partner refused; a newer one stays."""
        for key, known in list(self._known.items()):
            if known == token:
                del self._known[key]

    async def _fetch(self, connection: Connection, key: TokenKey) -> Token | NoToken:
        base_url, path, auth = key
        try:
            form = {
                "grant_type": "client_credentials",
                "client_id": self._secrets.of(auth.client_id),
                "client_secret": self._secrets.of(auth.client_secret),
            }
        except SecretMissingError as error:
            return NoToken(error.code, str(error), refused=True)
        headers = {**connection.headers, "content-type": "application/x-www-form-urlencoded"}
        url = path if "://" in path else base_url.rstrip("/") + path
        request = httpx.Request("POST", url, headers=headers, content=urlencode(form).encode())
        limits = connection.limits
        asked_at = self._monotonic()
        exchange = await self._transport.send(
            request, Timeouts(limits.connect_s, min(limits.read_s, _TOTAL_S), _TOTAL_S)
        )
        if not isinstance(exchange, Answer):
            return NoToken("no_token", f"no access token: {exchange.message}", refused=False)
        token = _read(exchange, asked_at)
        if isinstance(token, Token):
            self._known[key] = token
        return token


def _read(answer: Answer, asked_at: float) -> Token | NoToken:
    document = _parsed(answer.body)
    value = document.get("access_token")
    if answer.status in _GRANTED and isinstance(value, str) and value:
        lifetime = _seconds(document.get("expires_in"))
        if lifetime is None:
            return Token(value, None)
        return Token(value, asked_at + lifetime - min(_MAX_SKEW_S, lifetime * _SKEW_SHARE))
    # The partner's words may hold the client's id, so only the code of RFC 6749 is passed on.
    said = document.get("error")
    reason = f" ({said[:60]})" if isinstance(said, str) and said.isidentifier() else ""
    message = f"no access token: the partner answered {answer.status}{reason}"
    refused = answer.status in _REFUSED and answer.status not in _NOT_REFUSED
    return NoToken("token_refused" if refused else "no_token", message, refused)


def _parsed(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _seconds(said: Any) -> float | None:
    """RFC 6749 makes `expires_in` optional; some partners write it as text."""
    try:
        return max(0.0, float(said))
    except (TypeError, ValueError):
        return None
