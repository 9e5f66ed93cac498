"""What the API answers when it cannot do what was asked: problem documents (RFC 9457)."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from schemas.problems import Problem

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which a request can be refused; `code` is stable and for programs."""

    status: int
    code: str
    title: str


MALFORMED_BODY = Kind(400, "malformed", "The body cannot be read")
EMPTY_BODY = Kind(400, "empty", "The body is missing")
UNKNOWN_SCHEMA = Kind(400, "unknown_schema", "The Avro schema is not known")
BAD_HEADER = Kind(400, "bad_header", "A header cannot be used")
BAD_QUERY = Kind(400, "bad_query", "The query cannot be used")
BAD_TOKEN = Kind(400, "bad_token", "The token cannot be used")
UNAUTHENTICATED = Kind(401, "unauthenticated", "The API key is missing or not valid")
MISSING_SCOPE = Kind(403, "missing_scope", "The API key may not do this")
FOREIGN_HOST = Kind(403, "foreign_host", "The request comes from somewhere else")
NOT_FOUND = Kind(404, "not_found", "There is no such thing")
METHOD_NOT_ALLOWED = Kind(405, "method_not_allowed", "The method does not fit")
IDENTITY_TAKEN = Kind(409, "external_id_conflict", "Another order has this reference")
OVERSIZE = Kind(413, "oversize", "The body is too large")
MALFORMED_MEMBER = Kind(422, "malformed", "A member of the order cannot be used")
NO_CONFIGURATION = Kind(422, "no_configuration", "The tenant has no configuration")
UNKNOWN_ORDER_TYPE = Kind(422, "unknown_order_type", "The order type is not known")
NO_CONNECTION = Kind(422, "no_connection", "A partner system cannot be reached in this mode")
SEVERAL_SUBSCRIPTIONS = Kind(422, "several_subscriptions", "The order touches too much at once")
SUBSCRIPTION_REQUIRED = Kind(422, "subscription_required", "The order names no subscription")
AMOUNT_REQUIRED = Kind(422, "amount_required", "The order names no amount above 0")
MIXED_CURRENCIES = Kind(422, "mixed_currencies", "The order is in several currencies")
TOTALS_DIFFER = Kind(422, "totals_differ", "The items do not come to the total")
NO_MATCHING_CONFIGURATION = Kind(
    422, "no_matching_configuration", "No sequence of plugins fits the order"
)
OVERSIZE_WAYBILL = Kind(422, "oversize", "The waybill is too large")
TOO_MANY = Kind(429, "too_many_streams", "Too many streams are open")
NO_PREVIEW = Kind(422, "no_preview", "No plugin of the order can tell what it would do")
PREVIEW_REFUSED = Kind(422, "preview_refused", "The order would not go through")
INTERNAL = Kind(500, "internal", "Something went wrong here")
PARTNER_FAILED = Kind(502, "partner_failed", "A partner does not answer as it should")
PARTNER_BUSY = Kind(503, "partner_busy", "A partner takes no questions now")
KAFKA_UNAVAILABLE = Kind(503, "kafka_unavailable", "Kafka does not answer")
STORE_UNAVAILABLE = Kind(503, "store_unavailable", "The store does not answer")
VIEW_BEHIND = Kind(503, "view_behind", "The view has not got there yet")
NOT_READY = Kind(503, "not_ready", "Not ready")

UNKNOWN_COMMAND = Kind(422, "unknown_command", "There is no such command")
UNCHANGEABLE = Kind(422, "unchangeable", "A member of the order cannot be changed")
NOTHING_CHANGED = Kind(422, "nothing_changed", "The order says that already")
CONFIGURATION_GONE = Kind(409, "configuration_gone", "The order's configuration is no longer there")
ERASED = Kind(409, "erased", "The data subject of the order was erased")
COMMAND_ID_TAKEN = Kind(409, "command_id_conflict", "Another command has this id")
BULK_ID_TAKEN = Kind(409, "bulk_id_conflict", "Another bulk has this id")
FILTER_MISSING = Kind(422, "filter_missing", "The bulk is about all orders there are")
UNKNOWN_STAGE = Kind(422, "unknown_stage", "There is no such stage")
TOO_MANY_BULKS = Kind(429, "too_many_bulks", "Too many bulks are under way")

REFUSALS = (
    EMPTY_BODY,
    MALFORMED_BODY,
    UNKNOWN_SCHEMA,
    MALFORMED_MEMBER,
    NO_CONFIGURATION,
    UNKNOWN_ORDER_TYPE,
    NO_CONNECTION,
    SEVERAL_SUBSCRIPTIONS,
    SUBSCRIPTION_REQUIRED,
    AMOUNT_REQUIRED,
    MIXED_CURRENCIES,
    TOTALS_DIFFER,
    NO_MATCHING_CONFIGURATION,
    OVERSIZE_WAYBILL,
)
"""Why an order is not taken, as intake says it."""

SUBMISSION = (*REFUSALS, IDENTITY_TAKEN, OVERSIZE, BAD_HEADER, KAFKA_UNAVAILABLE)
"""Why sending one comes to nothing."""

_BY_CODE = {kind.code: kind for kind in REFUSALS}

COMMAND_REFUSALS = (
    MALFORMED_BODY,
    MALFORMED_MEMBER,
    UNKNOWN_COMMAND,
    UNCHANGEABLE,
    NOTHING_CHANGED,
    CONFIGURATION_GONE,
    ERASED,
    OVERSIZE,
)
"""Why a command is not taken; an amendment is refused for what is wrong with its order, too."""

_COMMANDS_BY_CODE = {kind.code: kind for kind in (*REFUSALS, *COMMAND_REFUSALS)}


@dataclass(eq=False)
class ApiProblem(Exception):  # noqa: N818 - named as RFC 9457 names it
    """Ends a request with a problem document. `more` are members, `headers` HTTP headers."""

    kind: Kind
    detail: str
    remedy: str
    field: str | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)

    def response(self) -> web.Response:
        """The problem as an answer."""
        document = {
            "type": f"urn:waybill:problem:{self.kind.code}",
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.detail,
            "code": self.kind.code,
            "field": self.field,
            "remedy": self.remedy,
            **self.more,
        }
        return web.Response(
            body=orjson.dumps(document),
            status=self.kind.status,
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


def refusal(problem: Problem) -> ApiProblem:
    """What intake refuses: 400 where nothing could be read, 422 where a member is to blame."""
    if problem.code == MALFORMED_BODY.code and problem.field is None:
        kind = MALFORMED_BODY
    else:
        kind = _BY_CODE.get(problem.code, Kind(422, problem.code, "The order is not taken"))
    return ApiProblem(kind, problem.message, problem.remedy, problem.field)


def command_refusal(problem: Problem) -> ApiProblem:
    """What is wrong with a command."""
    unnamed = Kind(422, problem.code, "The command is not taken")
    kind = _COMMANDS_BY_CODE.get(problem.code, unnamed)
    if kind in {MALFORMED_BODY, MALFORMED_MEMBER}:
        kind = MALFORMED_BODY if problem.field is None else MALFORMED_MEMBER
    return ApiProblem(kind, problem.message, problem.remedy, problem.field)


def not_found(what: str) -> ApiProblem:
    """404; also for what belongs to another tenant, so that nobody learns what others have."""
    return ApiProblem(NOT_FOUND, f"{what} is not there", "check the id, and the key's tenant")
