"""Every error code that Salesforce's reference lists has its class, and nothing else is guessed."""

import pytest

from plugins.api import Failed, Reply
from plugins.salesforce import KINDS, errors
from schemas.steps import ErrorKind

LISTED = {
    ErrorKind.CONTENTION: ("UNABLE_TO_LOCK_ROW", "DUPLICATE_VALUE"),
    ErrorKind.RATE_LIMITED: ("REQUEST_LIMIT_EXCEEDED",),
    ErrorKind.TRANSIENT: (
        *("SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION"),
    ),
    ErrorKind.MISCONFIGURED: (
        *("INVALID_AUTH_HEADER", "INVALID_FIELD", "INVALID_FIELD_FOR_INSERT_UPDATE"),
        *("MALFORMED_QUERY", "INSUFFICIENT_ACCESS", "INSUFFICIENT_ACCESS_OR_READONLY"),
        *("INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY", "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY"),
        "JSON_PARSER_ERROR",
    ),
    ErrorKind.PERMANENT: (
        *("REQUIRED_FIELD_MISSING", "FIELD_CUSTOM_VALIDATION_EXCEPTION", "STRING_TOO_LONG"),
        *("MALFORMED_ID", "INVALID_CROSS_REFERENCE_KEY", "ENTITY_IS_DELETED"),
        *("DUPLICATES_DETECTED", "NOT_FOUND"),
    ),
}
"""The codes of the reference's error table, but for the two that the table itself leaves aside:
`INVALID_SESSION_ID`, which is the transport's, and `PROCESSING_HALTED`, which is never a cause."""

STATUSES = {300: ErrorKind.PERMANENT, 405: None, 415: None, 502: None, 503: None, 504: None}
CASES = [(code, kind) for kind, codes in LISTED.items() for code in codes]


def said(code, status=400, message="m"):
    return errors(Reply(status, [{"errorCode": code, "message": message, "fields": []}]))


@pytest.mark.parametrize(("code", "kind"), CASES)
def test_a_listed_code_has_its_class(code, kind):
    found = said(code)
    assert isinstance(found, Failed)
    assert (found.kind, found.code) == (kind, code)


def test_every_code_of_the_reference_is_covered():
    assert len(CASES) == 24
    prefix = "INSUFFICIENT_ACCESS"
    assert {code for code, _ in CASES} <= {*KINDS, f"{prefix}_ON_CROSS_REFERENCE_ENTITY"}


@pytest.mark.parametrize(("status", "kind"), STATUSES.items())
def test_what_only_the_status_tells_is_left_to_the_general_rules(status, kind):
    found = errors(Reply(status, ["/a", "/b"] if status == 300 else "<html>"))
    assert (found.kind if found else None) is kind


def test_a_session_that_expired_is_left_to_the_transport():
    assert said("INVALID_SESSION_ID", 401) is None


def test_a_code_that_nobody_listed_is_final():
    assert said("SOMETHING_NEW") == Failed(ErrorKind.PERMANENT, "SOMETHING_NEW", "m")


@pytest.mark.parametrize(
    ("message", "pause"),
    [
        ("ConcurrentRequests (Concurrent API Requests) Limit exceeded.", None),
        ("TotalRequests Limit exceeded.", 900.0),
    ],
)
def test_the_allocation_of_a_day_comes_back_later_than_the_concurrent_one(message, pause):
    found = said("REQUEST_LIMIT_EXCEEDED", 403, message)
    assert found == Failed(
        ErrorKind.RATE_LIMITED, "REQUEST_LIMIT_EXCEEDED", message, retry_after_s=pause
    )
