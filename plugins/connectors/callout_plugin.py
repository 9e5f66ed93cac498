"""Callout: sends the whole order to an endpoint of the tenant's, and keeps what it answers."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from plugins.api import (
    Conversation,
    Done,
    Example,
    Failed,
    Idempotency,
    Manifest,
    Options,
    Outcome,
    Reply,
    Request,
    Step,
    Unknown,
    connector,
    json_of,
)
from schemas.expressions import compiled, evaluated
from schemas.steps import ErrorKind

LARGEST_BODY_KEPT = 4096
_ERRORS = frozenset(range(400, 600))
_RATE_LIMITED, _UNAVAILABLE = 429, 503
_GONE = frozenset({404, 410})
# A gateway or the endpoint gave up half-way, or is still at work on the same key (409): the work
# may have been done. An endpoint that refuses with 409 says so by `shouldRejectOn`.
_UNTOLD = frozenset({408, 409, 500, 502, 503, 504})
_KINDS = {
    401: ErrorKind.MISCONFIGURED,
    _RATE_LIMITED: ErrorKind.RATE_LIMITED,
    _UNAVAILABLE: ErrorKind.TRANSIENT,
}
# Nobody knows what an endpoint answers; outputs of these names are sealed in the log.
_PERSONAL = (
    *("body", "name", "firstName", "lastName", "fullName", "email", "phone", "mobile"),
    *("address", "address1", "address2", "postalCode", "city", "birthDate", "username"),
)
_SECRET = (
    *("password", "secret", "token", "accessToken", "access_token", "refreshToken"),
    *("refresh_token", "idToken", "id_token", "apiKey", "api_key", "clientSecret", "client_secret"),
)
_NOT_STATIC = frozenset(
    {"authorization", "connection", "content-length", "content-type", "cookie", "host"}
    | {"idempotency-key", "proxy-authorization", "transfer-encoding"}
)


_URL = r"^(https?://[^/\s?#]+|/)[^\s]*$"


class RejectOn(Options):
    """Which replies make the step fail."""

    status: tuple[int, ...] | None = None
    """Exactly these statuses fail the step."""


class CalloutOptions(Options):
    """Limio's options, and what it lacks: method, headers, and what the reply hands on."""

    endpoint: str = Field(pattern=_URL)
    """Where the order is sent: a URL, or a path below the connection's address."""
    timeout_ms: int = Field(default=2000, alias="timeoutValue", gt=0, le=45_000)
    """Milliseconds that the step may take."""
    should_reject_on: RejectOn = Field(default=RejectOn(), alias="shouldRejectOn")
    """Which replies make the step fail; without it every status from 400."""
    limio_compatible: bool = Field(default=False, alias="limioCompatible")
    """As in Limio no status fails the step, unless `shouldRejectOn` lists it."""
    method: Literal["POST", "PUT", "PATCH"] = "POST"
    """Method of the request."""
    headers: Mapping[str, str] = {}
    """Headers of your own; credentials belong to the connection."""
    response: Mapping[str, str] = {}
    """What the step hands on: names to JMESPath of the reply."""
    undo: str | None = Field(default=None, pattern=_URL)
    """Where the same is sent to undo it, at the host of `endpoint`."""

    @model_validator(mode="after")
    def _one_host(self) -> Self:
        """The connection, and with it whether a test order may go there, is the endpoint's."""
        if self.undo is not None and urlsplit(self.undo).netloc != urlsplit(self.endpoint).netloc:
            raise ValueError("undo and endpoint must be at the same host")
        return self

    @field_validator("headers")
    @classmethod
    def _static(cls, headers: Mapping[str, str]) -> Mapping[str, str]:
        taken = sorted(name for name in headers if name.lower() in _NOT_STATIC)
        if taken:
            remedy = "it is set for you; credentials belong to the connection"
            raise ValueError(f"leave out {', '.join(taken)}: {remedy}")
        return headers

    @field_validator("response")
    @classmethod
    def _expressions(cls, response: Mapping[str, str]) -> Mapping[str, str]:
        for expression in response.values():
            compiled(expression)
        return response


def errors(reply: Reply) -> Failed | Unknown:
    """Replies that the conversation does not judge itself; the words are Limio's."""
    message = f"callout plugin failed due to response status: [{reply.status}]"
    refused_itself = reply.status == _UNAVAILABLE and "retry-after" in reply.headers
    if reply.status in _UNTOLD and not refused_itself:
        return Unknown("callout_rejected", message)
    return Failed(_KINDS.get(reply.status, ErrorKind.PERMANENT), "callout_rejected", message)


def endpoint(options: CalloutOptions) -> str | None:
    """The absolute URL; its host names the connection, as in Limio. None: below the connection."""
    return options.endpoint if urlsplit(options.endpoint).netloc else None


MANIFEST = Manifest(
    name="calloutPlugin",
    service="limio",
    summary="Sends the whole order with its context to an endpoint; members of the reply go on.",
    idempotency=Idempotency.NONE,
    options=CalloutOptions,
    connection="callout",
    timeout_s=45.0,
    personal=_PERSONAL,
    secret_outputs=_SECRET,
    errors=errors,
    endpoint=endpoint,
    deadline_s=lambda options: options.timeout_ms / 1000,
    timeout_message="This operation was aborted",
    undoes=lambda options: options.undo is not None,
    docs=(
        "The body is the order with `context` (the outputs so far, and `orderId`, `tenant`, "
        "`stepId`) and what the entry's `map` picks as further members. A given "
        "`shouldRejectOn.status` is exactly the list of statuses that fail the step; without it "
        "every status from 400 fails, with `limioCompatible` none does. Output: what `response` "
        "(name: JMESPath) picks from the reply, by default its texts, numbers and flags, and "
        "the reply itself as `body` when it has at most 4 KiB. Outputs named like personal data "
        "(`body`, `name`, `email` ...) or secrets (`password`, `token` ...) are sealed in the log. "
        "Its compensation sends the same body, with its own output in `context`, to `undo`, an "
        "endpoint at the same host; what is undone already is answered 404, 410 or like the first "
        "time."
    ),
)


@connector(MANIFEST)
def callout_plugin(step: Step[CalloutOptions]) -> Conversation:
    """One request with the whole order."""
    reply = yield _request(step, step.options.endpoint, "callout")
    return _refused(step.options, reply) or _handed_on(step.options, reply)


@callout_plugin.compensate
def undo_callout(step: Step[CalloutOptions]) -> Conversation:
    """The same request to the endpoint that takes back what the first one did."""
    options = step.options
    if options.undo is None:
        return Failed(ErrorKind.MISCONFIGURED, "undo_missing", "the option `undo` is missing")
    reply = yield _request(step, options.undo, "undo", accept=_GONE)
    if reply.status in _GONE:
        return Done()
    return _refused(options, reply) or Done()


def _request(
    step: Step[CalloutOptions], url: str, call: str, accept: frozenset[int] = frozenset()
) -> Request:
    options = step.options
    meta = {"orderId": step.order["id"], "tenant": step.tenant, "stepId": step.id}
    return Request(
        options.method,
        url,
        body={"context": {**meta, **step.context}, **step.mapped},
        call=call,
        headers=options.headers,
        accept=_judged_here(options) | accept,
        order_body=True,
    )


def _refused(options: CalloutOptions, reply: Reply) -> Failed | None:
    if reply.status not in (options.should_reject_on.status or ()):
        return None
    message = f"callout plugin failed due to response status: [{reply.status}]"
    return Failed(ErrorKind.PERMANENT, "callout_rejected", message)


def _judged_here(options: CalloutOptions) -> frozenset[int]:
    """A listed status is a definite refusal, an unlisted one none; by default all are errors.

    Limits and overload keep their general rules, for what they say about when to come back.
    """
    listed = options.should_reject_on.status
    if listed is None:
        return _ERRORS if options.limio_compatible else frozenset()
    return _ERRORS - ({_RATE_LIMITED, _UNAVAILABLE} & set(listed))


def _handed_on(options: CalloutOptions, reply: Reply) -> Outcome:
    if not options.response:
        return Done(**_plain(reply.body))
    try:
        picked = {name: evaluated(text, reply.body) for name, text in options.response.items()}
    except ValueError as problem:
        return Unknown("response_unreadable", f"option `response`: {problem}")
    return Done(**picked)


def _plain(body: Any) -> dict[str, Any]:
    members = body if isinstance(body, Mapping) else {}
    scalars = {k: v for k, v in members.items() if isinstance(v, str | int | float)}
    small = body not in (None, "") and len(json_of(body)) <= LARGEST_BODY_KEPT
    return {"body": body, **scalars} if small else scalars


_ORDER = {
    "id": "order-1",
    "order_reference": "7Q2KX5M9ADLP",
    "order_type": "new",
    "subscriptionReference": "SUBK3V7Q2WXA",
    "owner": "id-41",
    "effective_date": "2026-03-01",
    "orderItems": [],
    "customerDetails": {
        "firstName": "Ottilie",
        "lastName": "Brandvold",
        "email": "ottilie.brandvold@example.org",
    },
}


def _step(**options: Any) -> Step[CalloutOptions]:
    given = {"endpoint": "https://provisioning.example.org/users", **options}
    crm = {"salesforceV3": {"crmId": "001xx000003DGb2AAG"}}
    parsed = CalloutOptions.model_validate(given)
    return Step(id="provisioning", order=_ORDER, options=parsed, context=crm)


EXAMPLES: Sequence[Example] = (
    Example(
        name="a callout provisions a user and hands on its id",
        step=_step(response={"userId": "user.id"}, undo="https://provisioning.example.org/undo"),
        replies={"callout": Reply(200, {"user": {"id": "u-1"}})},
        expected=Done(userId="u-1"),
        undone={"undo": Reply(200, {})},
        gone={"undo": Reply(404, {})},
    ),
    Example(
        name="a listed status fails the step",
        step=_step(shouldRejectOn={"status": [404]}),
        replies={"callout": Reply(404, {"message": "no such user"})},
        expected=Failed(ErrorKind.PERMANENT, "callout_rejected", ""),
    ),
)
