"""Routes for those who receive what goes out: types, AsyncAPI, and events of buyers' journeys."""

from waybill.api import catalogue, journeys, problems
from waybill.api.auth import Scope
from waybill.api.call import Answer, Header, Route
from waybill.api.parts import KEY

_KEY = {
    "Idempotency-Key": Header(
        "The same key again is the same event; without it, each is a new one", KEY
    )
}
_TRACE = {"traceparent": "W3C trace context; made where it is missing"}
_NAME = {"name": {"type": "string", "pattern": r"^[a-z]+\.[a-z_]+$", "examples": ["order.failed"]}}
_EVENTS = {
    "checkout": {
        "type": "checkout_initiated",
        "data": {"checkoutId": "basket-6f1c0f0a", "offer": "/offers/Harbour Post/Quarterly"},
    },
    "cancellation": {
        "type": "cancel_attempted",
        "subscription": "22FOPJV2XZBK",
        "data": {"step": "reason"},
    },
}

CATALOGUE: tuple[Route, ...] = (
    Route(
        method="POST",
        path="/api/events",
        handler=journeys.tell,
        id="tellEvent",
        summary="Tell what a buyer does on the way to an order, for webhooks and consumers",
        tag="inbound",
        scope=Scope.SUBMIT,
        body=journeys.JourneyBody,
        body_examples=_EVENTS,
        headers={**_KEY, **_TRACE},
        answers=(
            Answer(
                status=202,
                description="Taken: Kafka has it",
                shape=journeys.JourneyAnswer,
                example={"id": f"event-{'0b9f3c6c' * 4}", "type": "checkout_initiated"},
            ),
        ),
        problems=(
            problems.MALFORMED_BODY,
            problems.MALFORMED_MEMBER,
            problems.OVERSIZE,
            problems.BAD_HEADER,
            problems.NOT_FOUND,
            problems.KAFKA_UNAVAILABLE,
        ),
    ),
    Route(
        method="GET",
        path="/api/webhook-types",
        handler=catalogue.webhook_types,
        id="listWebhookTypes",
        summary="Every type of webhook, with JSON Schemas and examples",
        tag="webhooks",
        scope=None,
        answers=(
            Answer(
                status=200,
                description="All types",
                shape=catalogue.WebhookTypes,
                example={"items": [catalogue.webhook_type("webhook.test")], "next": None},
            ),
        ),
    ),
    Route(
        method="GET",
        path="/api/webhook-types/{name}",
        handler=catalogue.one_webhook_type,
        id="readWebhookType",
        summary="One type of webhook, with JSON Schemas and examples",
        tag="webhooks",
        scope=None,
        parts=_NAME,
        answers=(
            Answer(
                status=200,
                description="The type",
                shape=catalogue.WebhookType,
                example=catalogue.webhook_type("webhook.test"),
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/api/asyncapi.json",
        handler=catalogue.asyncapi_document,
        id="readAsyncApi",
        summary="What goes out, on topics and as webhooks",
        tag="about",
        scope=None,
        answers=(Answer(status=200, description="AsyncAPI 3.0", shape={"type": "object"}),),
    ),
)
