"""Tokens of forms: what another site cannot know, new for every page that is sent."""

import hmac
from collections.abc import Callable
from urllib.parse import quote

from aiohttp import web

from waybill.api.sessions import COOKIE

CSRF_FIELD = "csrf"

_NONCE_BYTES = 12


class Tokens:
    """Bound to the session; where nobody signs in, to this process.

    Each one has a nonce of its own, so that the size of compressed pages tells nothing of it.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def made(self, request: web.Request, random_bytes: Callable[[int], bytes]) -> str:
        """A token for the forms of one answer."""
        nonce = random_bytes(_NONCE_BYTES).hex()
        return f"{nonce}.{self._seal(request, nonce)}"

    def fits(self, request: web.Request, token: str) -> bool:
        """Whether the token was made for this session."""
        nonce, _, seal = token.partition(".")
        return hmac.compare_digest(quote(seal), self._seal(request, nonce))

    def _seal(self, request: web.Request, nonce: str) -> str:
        session = request.cookies.get(COOKIE)
        key = self._secret if session is None else session.encode()
        return hmac.digest(key, f"console form {nonce}".encode(), "sha256").hex()
