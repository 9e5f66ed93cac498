"""Makes what goes over the wire out of a conversation's request: address, headers, body."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlencode

import httpx

from plugins.api import Request, json_of
from schemas.connections import Connection

_JSON = "application/json"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request, complete but for its credentials. `extra` is what an order's body adds to it.

    `own` says that it goes to the connection's own origin: credentials go nowhere else.
    """

    method: str
    url: httpx.URL
    headers: Mapping[str, str]
    body: bytes
    own: bool
    key: str | None = None
    extra: bytes | None = None

    def http(self, authorization: str | None) -> httpx.Request:
        """As httpx has it."""
        headers = list(self.headers.items())
        if authorization is not None:
            headers.append(("authorization", authorization))
        # As a stream httpx leaves Host and Content-Length to the wire, which adds them anyhow.
        stream = httpx.ByteStream(self.body)
        request = httpx.Request(self.method, self.url, headers=headers, stream=stream)
        request.read()
        return request


def outgoing(
    request: Request,
    connection: Connection,
    order_json: bytes,
    ours: Mapping[str, str],
    key: tuple[str, str] | None = None,
) -> Outgoing:
    """The request as it will be sent.

    `ours` are headers that nobody else may set; `key` is the key's header and the key.
    """
    url, own = _address(request, connection)
    body, extra = _body(request, order_json)
    headers: dict[str, str] = {}
    if body:
        headers["content-type"] = _FORM if request.form else _JSON
    if request.headers:
        headers.update({name.lower(): value for name, value in request.headers.items()})
    if own and connection.headers:
        headers.update({name.lower(): value for name, value in connection.headers.items()})
    headers.update(ours)
    if key is not None:
        headers[key[0].lower()] = key[1]
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise ValueError(f"the header {name} holds characters that no header may")
    return Outgoing(request.method, url, headers, body, own, key[1] if key else None, extra)


def _address(request: Request, connection: Connection) -> tuple[httpx.URL, bool]:
    base = connection.base_url
    absolute = request.path.startswith(("http://", "https://"))
    if absolute:
        url = request.path
    else:
        # Without the slash, `@elsewhere` in a path would make another host of it.
        slash = "" if request.path.startswith("/") else "/"
        url = base.rstrip("/") + slash + request.path
    if request.query:
        url += ("&" if "?" in url else "?") + urlencode(request.query)
    parsed = _parsed(url)
    return parsed, not absolute or _origin(parsed) == _origin(_parsed(base))


@lru_cache(maxsize=2048)
def _parsed(url: str) -> httpx.URL:
    return httpx.URL(url)


def _origin(url: httpx.URL) -> tuple[str, str, int]:
    return url.scheme, url.host, url.port or (443 if url.scheme == "https" else 80)


def _body(request: Request, order_json: bytes) -> tuple[bytes, bytes | None]:
    if request.order_body:
        extra = json_of(request.body or {})
        return _spliced(order_json, extra), extra
    if request.body is None:
        return b"", None
    if request.form:
        return urlencode(request.body).encode(), None
    return json_of(request.body), None


def _spliced(order_json: bytes, extra: bytes) -> bytes:
    """Members added at the end, without reading 5 kB of order again."""
    if extra == b"{}":
        return order_json
    if order_json == b"{}":
        return extra
    return order_json[:-1] + b"," + extra[1:]
