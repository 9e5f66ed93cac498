"""What a reply means: the connector's own tables first, then one table of statuses for all."""

from collections.abc import Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from plugins.api import Connector, Failed, Reply, Request, Unknown
from schemas.steps import ErrorKind

BUYER_MESSAGES: Final[Mapping[ErrorKind, str]] = {
    ErrorKind.TRANSIENT: "We could not finish your order just now. Please try again in a moment.",
    ErrorKind.RATE_LIMITED: "We are very busy just now. Please try again in a few minutes.",
    ErrorKind.CONTENTION: "Your account is being changed just now. Please try again in a moment.",
    ErrorKind.PERMANENT: "We could not process your order. Please contact customer service.",
    ErrorKind.DECLINED: "Your payment was declined. Please check it or use another one.",
    ErrorKind.MISCONFIGURED: "We could not process your order. Please contact customer service.",
}
"""What the buyer reads where the connector has no words of its own."""

_ERROR = 400
_SERVER_ERROR = 500

# Every status that is not listed: from 500 on unknown, from 400 on permanent. RFC 9110 section 15.
_UNKNOWN: Final[Mapping[int, str]] = {
    408: "request_timeout",
    409: "in_progress",  # only with a key: the first request under it still runs
    500: "server_error",
    502: "bad_gateway",
    503: "unavailable",  # proxies say so, too, when the answer to a sent request broke off
    504: "gateway_timeout",
}
_DEFINITE: Final[Mapping[int, tuple[ErrorKind, str]]] = {
    401: (ErrorKind.MISCONFIGURED, "unauthorized"),
    429: (ErrorKind.RATE_LIMITED, "rate_limited"),
    # With Retry-After a 503 is the partner's own refusal (RFC 9110 section 10.2.3).
    503: (ErrorKind.TRANSIENT, "unavailable"),
}


def judged(
    connector: Connector, options: object, request: Request, reply: Reply
) -> Failed | Unknown | None:
    """Whether a reply ends the conversation, and as what; None: the conversation goes on."""
    if reply.status in request.accept:
        return None
    if not _rejected(connector, options, reply):
        return None
    return _by_connector(connector.manifest.errors, reply) or by_status(connector, request, reply)


def by_status(connector: Connector, request: Request, reply: Reply) -> Failed | Unknown:
    """The general rules."""
    status = reply.status
    if status < _ERROR:
        return Failed(ErrorKind.PERMANENT, "rejected", _said(reply, "rejected"))
    if _is_unknown(connector, request, reply):
        code = _UNKNOWN.get(status, "server_error")
        return Unknown(code, _said(reply, code))
    kind, code = _DEFINITE.get(status, (ErrorKind.PERMANENT, f"http_{status}"))
    return Failed(kind, code, _said(reply, "refused"))


def is_keyed(connector: Connector, request: Request) -> bool:
    """Whether the request carries its call's key."""
    manifest = connector.manifest
    named = request.call is not None and manifest.key_header is not None
    return named and request.method in manifest.key_methods


def retry_after_s(reply: Reply, now: Callable[[], datetime]) -> float | None:
    """Seconds that the partner asks to wait: `Retry-After` as a number or a date."""
    said = reply.headers.get("retry-after")
    if not said:
        return None
    if said.strip().isdigit():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - now()).total_seconds())
    except (ValueError, TypeError, OverflowError):  # no date, or one without a zone
        return None


def _rejected(connector: Connector, options: object, reply: Reply) -> bool:
    rejects = connector.manifest.rejects
    if rejects is None:
        return reply.status >= _ERROR
    try:
        return rejects(options, reply)
    except Exception:  # noqa: BLE001 (a body that the rule cannot read: the status still holds)
        return reply.status >= _ERROR


def _is_unknown(connector: Connector, request: Request, reply: Reply) -> bool:
    match reply.status:
        case 409:
            return is_keyed(connector, request)
        case 503:
            return not reply.headers.get("retry-after")
        case status:
            return status >= _SERVER_ERROR or status in _UNKNOWN


def _by_connector(
    table: Callable[[Reply], Failed | Unknown | None] | None, reply: Reply
) -> Failed | Unknown | None:
    if table is None:
        return None
    try:
        verdict = table(reply)
    except Exception:  # noqa: BLE001 (a body that the table cannot read: the status still holds)
        return None
    return verdict if isinstance(verdict, Failed | Unknown) else None


def _said(reply: Reply, what: str) -> str:
    return f"the partner answered {reply.status} ({what})"
