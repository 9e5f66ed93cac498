"""`POST /api/events`: what a shop tells of a buyer on the way, for webhooks and consumers."""

from typing import Any

import orjson
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from streams.core import ids
from streams.core.webhooks.journeys import (
    Journey,
    JourneyType,
    journey_headers,
    journey_id,
    journey_value,
)
from waybill.api.bodies import fitting, idempotency_key, json_of, trace_of
from waybill.api.call import Call, answered
from waybill.api.problems import (
    KAFKA_UNAVAILABLE,
    OVERSIZE,
    ApiProblem,
    not_found,
)
from waybill.api.producing import KafkaUnavailableError, Outgoing
from waybill.api.tokens import ORDER_ID

MAX_DATA_BYTES = 64 << 10


class JourneyBody(BaseModel):
    """Something that a buyer has done."""

    model_config = ConfigDict(extra="forbid")

    type: JourneyType
    order: str | None = Field(
        default=None, pattern=f"^{ORDER_ID}$", description="The order that it is about"
    )
    subscription: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        pattern=r"^[ -~]+$",
        description="Reference of the subscription that it is about",
    )
    data: dict[str, Any] = Field(
        default_factory=dict,
        description="Anything that subscribers should know; what is personal in it is replaced by "
        "a mark",
    )


class JourneyAnswer(BaseModel):
    """The event as it was taken."""

    id: str = Field(pattern="^event-[0-9a-f]{32}$")
    type: JourneyType


async def tell(call: Call) -> web.Response:
    """The event's id, once Kafka has it; the same Idempotency-Key is the same event."""
    body: JourneyBody = fitting(JourneyBody, await json_of(call.request))
    _check_size(body)
    services = call.api.services
    identity = idempotency_key(call.request) or services.random_bytes(16).hex()
    lane, subscription = await _place(call, body)
    journey = Journey(
        id=journey_id(call.tenant, identity),
        type=body.type,
        tenant=call.tenant,
        at=services.now(),
        order=body.order,
        subscription=subscription,
        data=body.data,
    )
    await _send(call, journey, lane or f"{call.tenant}/{journey.subject}", identity)
    return answered({"id": journey.id, "type": journey.type}, status=202)


def _check_size(body: JourneyBody) -> None:
    size = len(orjson.dumps(body.data))
    if size > MAX_DATA_BYTES:
        raise ApiProblem(
            OVERSIZE,
            f"data has {size} bytes, and {MAX_DATA_BYTES} is the limit",
            "send what subscribers need to know, and ids for the rest",
            "/data",
        )


async def _place(call: Call, body: JourneyBody) -> tuple[str | None, str | None]:
    """The lane in whose order it is told, and the subscription that it is about."""
    if body.order is None:
        named = body.subscription
        return None if named is None else ids.lane_id(call.tenant, named), named
    order = body.order
    found = await call.api.reader.ask(lambda reading: reading.order(call.tenant, order))
    if found is None:
        raise not_found("the order")
    return found["lane"], body.subscription or found["subscriptionReference"]


async def _send(call: Call, journey: Journey, lane: str, identity: str) -> None:
    services = call.api.services
    record = Outgoing(
        topic=services.topics.order_updates,
        key=lane.encode(),
        value=journey_value(journey),
        headers=journey_headers(journey, lane, trace_of(call)),
    )
    try:
        await services.kafka.send(record)
    except KafkaUnavailableError as problem:
        raise ApiProblem(
            KAFKA_UNAVAILABLE,
            "Kafka did not take the event in time",
            "send it again with the header Idempotency-Key of this answer; it is safe to do so",
            headers={"Retry-After": "5", "Idempotency-Key": identity},
        ) from problem
