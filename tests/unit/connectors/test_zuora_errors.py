"""Every category and status of Zuora's error table, and what each of them means for a step."""

import pytest

from plugins.api import Failed, Reply, Request, Unknown
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.options import ZuoraOptions
from plugins.judging import judged
from plugins.zuora import errors, refusal
from schemas.steps import ErrorKind

UNKNOWN = "unknown"
CATEGORIES = {
    10: ErrorKind.MISCONFIGURED,
    11: ErrorKind.MISCONFIGURED,
    20: ErrorKind.PERMANENT,
    21: ErrorKind.PERMANENT,
    22: ErrorKind.PERMANENT,
    23: ErrorKind.PERMANENT,
    27: ErrorKind.PERMANENT,
    30: ErrorKind.PERMANENT,
    40: ErrorKind.PERMANENT,
    45: ErrorKind.PERMANENT,
    50: ErrorKind.CONTENTION,
    60: UNKNOWN,
    61: ErrorKind.TRANSIENT,
    70: ErrorKind.RATE_LIMITED,
    90: ErrorKind.PERMANENT,
    99: UNKNOWN,
}
"""Zuora's categories: the last two digits of a code. Money may have moved with 60 and 99."""
STATUSES = {
    400: ErrorKind.PERMANENT,
    401: ErrorKind.MISCONFIGURED,
    403: ErrorKind.PERMANENT,
    404: ErrorKind.PERMANENT,
    405: ErrorKind.PERMANENT,
    408: UNKNOWN,
    409: UNKNOWN,
    415: ErrorKind.PERMANENT,
    422: ErrorKind.PERMANENT,
    429: ErrorKind.RATE_LIMITED,
    500: UNKNOWN,
    502: UNKNOWN,
    503: UNKNOWN,
    504: UNKNOWN,
}
"""Of a call with a key, without a body that says more."""


def kind_of(verdict):
    return UNKNOWN if isinstance(verdict, Unknown) else verdict.kind


def reasons(*codes, message="m"):
    return [{"code": code, "message": message} for code in codes]


@pytest.mark.parametrize("resource", [531003, 500000, 679999])
@pytest.mark.parametrize("category", CATEGORIES)
def test_the_last_two_digits_are_the_class_whatever_the_resource(category, resource):
    code = resource * 100 + category
    for written in (code, str(code)):
        reply = Reply(200, {"success": False, "reasons": reasons(written)})
        assert kind_of(refusal(reply)) == CATEGORIES[category]
        assert refusal(reply).code == str(code)


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_alone_is_enough(status):
    request = Request.post("/v1/orders", {}, call="create-order")
    verdict = judged(zuora, ZuoraOptions(), request, Reply(status, "<html>"))
    assert kind_of(verdict) == STATUSES[status]


def test_the_table_is_whole():
    """16 categories and 14 statuses: those that Zuora documents."""
    assert len(CATEGORIES) == 16
    assert len(STATUSES) == 14


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"success": False, "reasons": reasons(53100320)}, ErrorKind.PERMANENT),
        (429, {"reasons": reasons(70)}, ErrorKind.RATE_LIMITED),
        (429, {"reasons": reasons(50000070)}, ErrorKind.RATE_LIMITED),
        (500, {"reasons": reasons(50000060)}, UNKNOWN),
        (400, {"reasons": reasons(50000023), "requestId": "r"}, ErrorKind.PERMANENT),
        (
            200,
            {"Success": False, "Errors": [{"Code": "53100350", "Message": "m"}]},
            ErrorKind.CONTENTION,
        ),
    ],
    ids=["v1", "rate", "concurrency", "server", "object query", "older interfaces"],
)
def test_all_its_envelopes_are_read(status, body, kind):
    reply = Reply(status, body)
    assert kind_of(refusal(reply) or errors(reply)) == kind


@pytest.mark.parametrize("code", [90000003, 90000011])
def test_long_codes_that_begin_with_9_are_about_authentication(code):
    assert kind_of(errors(Reply(400, {"reasons": reasons(code)}))) == ErrorKind.MISCONFIGURED


def test_a_code_that_is_none_is_a_refusal_without_a_class():
    assert errors(Reply(200, {"reasons": reasons("odd")})) == Failed(
        ErrorKind.PERMANENT, "odd", "m"
    )


@pytest.mark.parametrize(
    "message", ["Transaction declined.05 - Do not honor", "Insufficient funds", "Card is expired"]
)
def test_a_declined_card_is_the_buyers_to_settle(message):
    assert kind_of(errors(Reply(200, {"reasons": reasons(53100399, message=message)}))) == (
        ErrorKind.DECLINED
    )


@pytest.mark.parametrize("message", ["The order number 7Q already exists.", "must be unique"])
def test_a_number_of_ours_that_is_there_already_may_be_our_own_doing(message):
    assert kind_of(errors(Reply(200, {"reasons": reasons(53100330, message=message)}))) == UNKNOWN


@pytest.mark.parametrize(
    ("codes", "kind"),
    [
        ((53100350, 53100320), ErrorKind.PERMANENT),
        ((53100320, 53100350), ErrorKind.PERMANENT),
        ((53100350, 53100361), ErrorKind.CONTENTION),
        ((53100350, 53100360), UNKNOWN),
    ],
)
def test_several_reasons_are_retried_only_if_all_may_be(codes, kind):
    assert kind_of(errors(Reply(200, {"reasons": reasons(*codes)}))) == kind
