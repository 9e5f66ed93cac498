"""What the connectors of one Salesforce org share: where its API is, and what its errors mean."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from plugins.api import Failed, OAuthClientCredentials, Reply
from schemas.steps import ErrorKind

CONNECTION = "salesforce"
OAUTH = OAuthClientCredentials(token_path="/services/oauth2/token")  # noqa: S106 (a path)
VERSION_PATTERN = r"^v[0-9]{2}\.0$"
CUSTOM_FIELD_PATTERN = r"^[A-Za-z][A-Za-z0-9_]*__c$"

_RECORD_ID = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_MULTIPLE_CHOICES = 300
_HALTED = "PROCESSING_HALTED"
_DAILY_LIMIT = "TotalRequests"
_DAILY_PAUSE_S = 900.0
"""Salesforce sends no Retry-After; the allocation of a day comes back by and by."""

KINDS: Mapping[str, ErrorKind] = {
    # Two first upserts of one external id raced; repeated, the loser becomes an update.
    "DUPLICATE_VALUE": ErrorKind.CONTENTION,
    "UNABLE_TO_LOCK_ROW": ErrorKind.CONTENTION,
    "REQUEST_LIMIT_EXCEEDED": ErrorKind.RATE_LIMITED,
    "SERVER_UNAVAILABLE": ErrorKind.TRANSIENT,
    "REQUEST_RUNNING_TOO_LONG": ErrorKind.TRANSIENT,
    "QUERY_TIMEOUT": ErrorKind.TRANSIENT,
    "UNKNOWN_EXCEPTION": ErrorKind.TRANSIENT,
    # For the org's administrator, or for who wrote the options.
    "INVALID_AUTH_HEADER": ErrorKind.MISCONFIGURED,
    "API_DISABLED_FOR_ORG": ErrorKind.MISCONFIGURED,
    "API_CURRENTLY_DISABLED": ErrorKind.MISCONFIGURED,
    "INSUFFICIENT_ACCESS": ErrorKind.MISCONFIGURED,
    "INSUFFICIENT_ACCESS_OR_READONLY": ErrorKind.MISCONFIGURED,
    "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY": ErrorKind.MISCONFIGURED,
    "INVALID_FIELD": ErrorKind.MISCONFIGURED,
    "INVALID_FIELD_FOR_INSERT_UPDATE": ErrorKind.MISCONFIGURED,
    "INVALID_TYPE": ErrorKind.MISCONFIGURED,
    "MALFORMED_QUERY": ErrorKind.MISCONFIGURED,
    "JSON_PARSER_ERROR": ErrorKind.MISCONFIGURED,
    "METHOD_NOT_ALLOWED": ErrorKind.MISCONFIGURED,
    "UNSUPPORTED_MEDIA_TYPE": ErrorKind.MISCONFIGURED,
    # What this order says, or what the org has already.
    "REQUIRED_FIELD_MISSING": ErrorKind.PERMANENT,
    "FIELD_CUSTOM_VALIDATION_EXCEPTION": ErrorKind.PERMANENT,
    "FIELD_INTEGRITY_EXCEPTION": ErrorKind.PERMANENT,
    "STRING_TOO_LONG": ErrorKind.PERMANENT,
    "INVALID_EMAIL_ADDRESS": ErrorKind.PERMANENT,
    "MALFORMED_ID": ErrorKind.PERMANENT,
    "INVALID_CROSS_REFERENCE_KEY": ErrorKind.PERMANENT,
    "ENTITY_IS_DELETED": ErrorKind.PERMANENT,
    "NOT_FOUND": ErrorKind.PERMANENT,
    "DUPLICATES_DETECTED": ErrorKind.PERMANENT,
    "SEVERAL_RECORDS": ErrorKind.PERMANENT,
}
"""What each error code means for the step; one that is not listed is permanent."""

# The transport renews the token on these itself.
_EXPIRED = "INVALID_SESSION_ID"


class Problem(NamedTuple):
    """One thing that Salesforce complains of."""

    code: str
    message: str


def record_id(given: str | None) -> str | None:
    """What was given, where it has the form of a record's id."""
    return given if given and _RECORD_ID.fullmatch(given) else None


def errors(reply: Reply) -> Failed | None:
    """The cause of a refused request; None where the body does not tell.

    A halted part of a composite request names the part that failed, so it is never the cause.
    """
    found = list(_problems(reply.body, reply.status))
    causes = [problem for problem in found if problem.code != _HALTED] or found
    if not causes or causes[0].code == _EXPIRED:
        return None
    cause, kind = causes[0], _kind(causes[0])
    all_day = kind is ErrorKind.RATE_LIMITED and _DAILY_LIMIT in cause.message
    pause_s = _DAILY_PAUSE_S if all_day else None
    return Failed(kind, cause.code, cause.message, retry_after_s=pause_s)


def _kind(problem: Problem) -> ErrorKind:
    """Flows and triggers wrap a row lock in errors of their own, so the message counts too."""
    if "UNABLE_TO_LOCK_ROW" in problem.message:
        return ErrorKind.CONTENTION
    if problem.code.startswith("INSUFFICIENT_ACCESS"):
        return ErrorKind.MISCONFIGURED
    return KINDS.get(problem.code, ErrorKind.PERMANENT)


def _problems(body: Any, status: int) -> Iterator[Problem]:
    if isinstance(body, list):
        yield from _listed(body, status)
    elif isinstance(body, Mapping) and isinstance(body.get("compositeResponse"), list):
        for sub in body["compositeResponse"]:
            if isinstance(sub, Mapping) and not _fine(sub):
                yield from _problems(sub.get("body"), _status(sub))
    elif isinstance(body, Mapping) and body.get("success") is False:
        yield from _listed(body.get("errors"), status)
    elif isinstance(body, Mapping) and isinstance(body.get("error"), str):
        yield Problem(body["error"], str(body.get("error_description", "")))


def _listed(found: Any, status: int) -> Iterator[Problem]:
    if status == _MULTIPLE_CHOICES:
        yield Problem("SEVERAL_RECORDS", "several records carry this external id; merge them")
        return
    for entry in found if isinstance(found, list) else []:
        # A save result says `statusCode` where every other error says `errorCode`.
        if isinstance(entry, Mapping):
            code = entry.get("errorCode") or entry.get("statusCode") or "unnamed"
            yield Problem(str(code), str(entry.get("message", "")))


def refusal(reply: Reply) -> Failed | None:
    """What went wrong behind a good outer status: parts of a composite, or a save result."""
    body = reply.body
    if not isinstance(body, Mapping):
        return None
    parts = body.get("compositeResponse")
    failing = isinstance(parts, list) and any(
        isinstance(sub, Mapping) and not _fine(sub) for sub in parts
    )
    if not failing and body.get("success") is not False:
        return None
    unnamed = Failed(ErrorKind.PERMANENT, "refused", "Salesforce refused without saying why")
    return errors(reply) or unnamed


def _fine(sub: Mapping[str, Any]) -> bool:
    return _status(sub) < _MULTIPLE_CHOICES


def _status(sub: Mapping[str, Any]) -> int:
    status = sub.get("httpStatusCode")
    return status if isinstance(status, int) else 0
