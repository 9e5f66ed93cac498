"""`POST /api/order`: check, look whether it is known, write to Kafka, perhaps wait for the end."""

import logging
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from projections.queries import KnownOrder
from schemas.codec import MAGIC
from schemas.problems import RefusedError
from streams.core import ids
from streams.core.intake import Prepared, Submission
from waybill.api.bodies import (
    LONGEST_WAIT_S,
    body_of,
    idempotency_key,
    patience_of,
    trace_of,
)
from waybill.api.call import Api, Call, answered
from waybill.api.masking import masked_error
from waybill.api.problems import (
    IDENTITY_TAKEN,
    KAFKA_UNAVAILABLE,
    MALFORMED_BODY,
    STORE_UNAVAILABLE,
    ApiProblem,
    refusal,
)
from waybill.api.producing import KafkaUnavailableError, Outgoing
from waybill.api.reading import Reading, Standing
from waybill.api.tokens import OrderToken

log = logging.getLogger(__name__)

ACTOR_HEADER = "waybill-actor"
IDENTITY_HEADER = "waybill-identity"
TENANT_HEADER = "waybill-tenant"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One request, checked. `given` is the caller's own identity for the order, if any."""

    call: Call
    prepared: Prepared
    identity: str
    seconds: int


async def submit(call: Call) -> web.Response:
    """The order's ids at once, or how it went for those who asked to wait."""
    attempt = _checked(call, await _body(call.request))
    known = await _is_known(call.api, attempt.prepared)
    if not known:
        await _produce(attempt)
    call.api.metrics.submitted.labels("repeated" if known else "acknowledged").inc()
    return await _answer(attempt)


async def _body(request: web.Request) -> bytes:
    body = await body_of(request)
    if "avro" in request.content_type and body[:1] != bytes([MAGIC]):
        raise ApiProblem(
            MALFORMED_BODY,
            "the content type says Avro, but the body does not begin with a schema id",
            "send Confluent's wire format, or JSON as application/json",
        )
    return body


def _checked(call: Call, body: bytes) -> _Attempt:
    given = idempotency_key(call.request)
    services = call.api.services
    identity = given or f"api-{services.random_bytes(16).hex()}"
    submission = Submission(
        tenant=call.tenant,
        value=body,
        identity=identity,
        actor=call.principal.actor,
        origin="api",
        trace=trace_of(call),
    )
    try:
        prepared = services.prepare(submission)
    except RefusedError as refused:
        raise refusal(refused.problem) from None
    return _Attempt(call, prepared, identity, _seconds(call.request, prepared))


def _seconds(request: web.Request, prepared: Prepared) -> int:
    preferred = patience_of(request)
    if preferred is not None:
        return preferred
    return LONGEST_WAIT_S if prepared.document.get("process_immediately") is True else 0


async def _is_known(api: Api, prepared: Prepared) -> bool:
    """Whether it was taken before; a 409 problem where its reference belongs to another order."""
    tenant, external_id, order_id = (
        prepared.submission.tenant,
        prepared.external_id,
        prepared.order_id,
    )

    def question(reading: Reading) -> tuple[Standing | None, KnownOrder | None]:
        same = reading.standings([order_id]).get(order_id)
        if same is not None or external_id is None:
            return same, None
        return None, reading.find_by_external_id(tenant, external_id)

    try:
        same, other = await api.reader.ask(question)
    except ApiProblem as problem:
        if problem.kind is not STORE_UNAVAILABLE:
            raise
        # Intake looks again before it takes the order, so an outage of the views stops no shop.
        log.warning("a submission was not compared with what is known: %s", problem.detail)
        return False
    if same is not None:
        _check_same(same, prepared)
    elif other is not None:
        raise _taken(prepared, f"an order of the lane {other.lane!r}")
    return same is not None


def _check_same(standing: Standing, prepared: Prepared) -> None:
    if standing.fingerprint != prepared.fingerprint:
        raise _taken(prepared, "an order with another body")


def _taken(prepared: Prepared, by: str) -> ApiProblem:
    if prepared.external_id is not None:
        return ApiProblem(
            IDENTITY_TAKEN,
            f"{by} has this external_id already",
            "send the same body again, or another external_id",
            "/external_id",
        )
    return ApiProblem(
        IDENTITY_TAKEN,
        f"{by} was sent with this Idempotency-Key already",
        "send the same body again, or another key",
        "Idempotency-Key",
    )


async def _produce(attempt: _Attempt) -> None:
    try:
        await attempt.call.api.services.kafka.send(_record(attempt))
    except KafkaUnavailableError as problem:
        raise _unavailable(attempt, sent=problem.sent) from problem


def _record(attempt: _Attempt) -> Outgoing:
    prepared, submission = attempt.prepared, attempt.prepared.submission
    assert submission.value is not None
    headers = {
        TENANT_HEADER: submission.tenant,
        ACTOR_HEADER: submission.actor,
        "traceparent": submission.trace or "",
    }
    if prepared.external_id is None:
        headers[IDENTITY_HEADER] = attempt.identity
    return Outgoing(
        topic=attempt.call.api.services.topics.orders,
        key=prepared.lane.encode(),
        value=submission.value,
        headers=[(name, text.encode()) for name, text in headers.items()],
    )


def _unavailable(attempt: _Attempt, *, sent: bool) -> ApiProblem:
    headers = {"Retry-After": "5"}
    if attempt.prepared.external_id is None:
        headers["Idempotency-Key"] = attempt.identity
        remedy = "repeat the request with the header Idempotency-Key of this answer"
    else:
        remedy = "repeat the request as it is"
    return ApiProblem(
        KAFKA_UNAVAILABLE,
        "Kafka did not acknowledge the order in time"
        + ("; should it come through after all, the repetition counts as the same" if sent else ""),
        f"{remedy}; it is safe to do so",
        headers=headers,
    )


async def _answer(attempt: _Attempt) -> web.Response:
    prepared, call = attempt.prepared, attempt.call
    body = _answer_body(prepared)
    headers = {"Location": f"/api/orders/{prepared.order_id}"}
    if attempt.seconds:
        standing = await call.api.watch.end_of_main_phase(prepared.order_id, attempt.seconds)
        if standing is not None:
            _check_same(standing, prepared)
            return answered(body | await _outcome(call, standing), headers=headers)
    return answered(body, status=202, headers=headers)


async def _outcome(call: Call, standing: Standing) -> dict[str, Any]:
    """The status, and why it failed: read again only where there is something to tell."""
    if standing.status not in {"failed", "in_doubt"}:
        return {"status": standing.status}
    order = await call.api.reader.ask(lambda reading: reading.order(call.tenant, standing.id))
    assert order is not None, "rows of orders are never deleted"
    return {"status": order["status"], "error": masked_error(order["error"])}


def _answer_body(prepared: Prepared) -> dict[str, Any]:
    return {
        "id": prepared.order_id,
        "order_reference": ids.order_reference(prepared.order_id),
        "status": "submitted",
        "external_id": prepared.external_id,
        "subscriptionReference": prepared.subscription_reference,
        "owner": prepared.owner,
        "token": str(OrderToken(prepared.order_id)),
    }
