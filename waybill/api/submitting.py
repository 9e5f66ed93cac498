"""`POST /api/order`: check, look whether it is known, write to Kafka, perhaps wait for the end."""

import logging
from typing import Any

from aiohttp import web

from projections.queries import KnownOrder
from schemas.codec import MAGIC
from schemas.problems import RefusedError
from streams.agents.intake import VERSION_SEEN
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


async def submit(call: Call) -> web.Response:
    """The order's ids at once, or how it went for those who asked to wait."""
    prepared = prepared_of(call, await order_body(call.request), idempotency_key(call.request))
    await take(call, prepared)
    headers = {"Location": location_of(prepared)}
    seconds = _seconds(call.request, prepared)
    outcome = await outcome_of(call, prepared, seconds) if seconds else None
    if outcome is None:
        return answered(answer_body(prepared), status=202, headers=headers)
    return answered(answer_body(prepared) | outcome, headers=headers)


async def order_body(request: web.Request) -> bytes:
    """The order as it was sent: JSON, or Avro where it says so."""
    body = await body_of(request)
    if "avro" in request.content_type and body[:1] != bytes([MAGIC]):
        raise ApiProblem(
            MALFORMED_BODY,
            "the content type says Avro, but the body does not begin with a schema id",
            "send Confluent's wire format, or JSON as application/json",
        )
    return body


def prepared_of(call: Call, body: bytes, identity: str | None) -> Prepared:
    """The order, checked; `identity` is the caller's own for one without `external_id`."""
    services = call.api.services
    submission = Submission(
        tenant=call.tenant,
        value=body,
        identity=identity or f"api-{services.random_bytes(16).hex()}",
        actor=call.principal.actor,
        origin="api",
        trace=trace_of(call),
    )
    try:
        return services.prepare(submission)
    except RefusedError as refused:
        raise refusal(refused.problem) from None


async def take(call: Call, prepared: Prepared) -> None:
    """Returns when Kafka has it, or where it was taken before."""
    known = await _is_known(call.api, prepared)
    if not known:
        await _produce(call.api, prepared)
    call.api.metrics.submitted.labels("repeated" if known else "acknowledged").inc()


async def outcome_of(call: Call, prepared: Prepared, seconds: int) -> dict[str, Any] | None:
    """`status`, and `error` where it failed, at the end of its main phase; None: not by then."""
    standing = await call.api.watch.end_of_main_phase(prepared.order_id, seconds)
    if standing is None:
        return None
    _check_same(standing, prepared)
    return await _outcome(call, standing)


def answer_body(prepared: Prepared) -> dict[str, Any]:
    """The order's ids, for one that was just written."""
    return {
        "id": prepared.order_id,
        "order_reference": ids.order_reference(prepared.order_id),
        "status": "submitted",
        "external_id": prepared.external_id,
        "subscriptionReference": prepared.subscription_reference,
        "owner": prepared.owner,
        "token": str(OrderToken(prepared.order_id)),
    }


def location_of(prepared: Prepared) -> str:
    """Where the order can be read."""
    return f"/api/orders/{prepared.order_id}"


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


async def _produce(api: Api, prepared: Prepared) -> None:
    try:
        await api.services.kafka.send(_record(api, prepared))
    except KafkaUnavailableError as problem:
        raise _unavailable(prepared, sent=problem.sent) from problem


def _record(api: Api, prepared: Prepared) -> Outgoing:
    submission = prepared.submission
    assert submission.value is not None
    headers = {
        TENANT_HEADER: submission.tenant,
        ACTOR_HEADER: submission.actor,
        "traceparent": submission.trace or "",
        VERSION_SEEN: str(prepared.config_version),
    }
    if prepared.external_id is None:
        headers[IDENTITY_HEADER] = submission.identity
    return Outgoing(
        topic=api.services.topics.orders,
        key=prepared.lane.encode(),
        value=submission.value,
        headers=[(name, text.encode()) for name, text in headers.items()],
    )


def _unavailable(prepared: Prepared, *, sent: bool) -> ApiProblem:
    headers = {"Retry-After": "5"}
    if prepared.external_id is None:
        headers["Idempotency-Key"] = prepared.submission.identity
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


async def _outcome(call: Call, standing: Standing) -> dict[str, Any]:
    """The status, and why it failed: read again only where there is something to tell."""
    if standing.status not in {"failed", "in_doubt"}:
        return {"status": standing.status}
    order = await call.api.reader.ask(lambda reading: reading.order(call.tenant, standing.id))
    assert order is not None, "rows of orders are never deleted"
    return {"status": order["status"], "error": masked_error(order["error"])}
