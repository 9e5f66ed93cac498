"""Routes for webhooks: endpoints, their secrets, tests, deliveries and replays."""

from waybill.api import problems, webhook_deliveries, webhook_endpoints
from waybill.api import webhook_examples as examples
from waybill.api import webhook_problems as refused
from waybill.api import webhook_shapes as shapes
from waybill.api.auditing import ReasonQuery
from waybill.api.auth import Scope
from waybill.api.call import Answer, Header, Headers, Route
from waybill.api.parts import DELIVERY_PART, ENDPOINT_PART, KEY

_TAG = "webhooks"
_KEY: Headers = {
    "Idempotency-Key": Header("The same key again answers with the endpoint that it made", KEY)
}
_TEST_KEY: Headers = {
    "Idempotency-Key": Header("The same key again sends the same message, once", KEY)
}
_IF_MATCH: Headers = {
    "If-Match": Header(
        "The ETag of the endpoint as you know it; 412 where it has changed",
        {"type": "string", "pattern": r'^(\*|"[0-9]{1,18}")$'},
    )
}
_ETAG = {"ETag": "The revision, for If-Match"}
_BODY = (problems.MALFORMED_BODY, problems.MALFORMED_MEMBER, problems.OVERSIZE)
_READING = (problems.NOT_READY,)
_WRITING = (*_BODY, *_READING, problems.KAFKA_UNAVAILABLE)
_CHANGING = (
    problems.NOT_FOUND,
    refused.REVISION_DIFFERS,
    refused.CHANGED_MEANWHILE,
    problems.NOT_READY,
    problems.KAFKA_UNAVAILABLE,
)
_WISHES = (
    *refused.EGRESS,
    refused.UNKNOWN_EVENT_TYPE,
    refused.BAD_HEADER_NAME,
    refused.NO_KEY,
)


def _endpoint(description: str) -> Answer:
    return Answer(
        status=200,
        description=description,
        shape=shapes.WebhookEndpointView,
        example=examples.ENDPOINT,
        headers=_ETAG,
    )


_ENDPOINTS = (
    Route(
        method="POST",
        path="/api/webhook-endpoints",
        handler=webhook_endpoints.create,
        id="createWebhookEndpoint",
        summary="Make a webhook endpoint; its secret is shown this once",
        tag=_TAG,
        scope=Scope.CONFIGURE,
        query=ReasonQuery,
        body=shapes.WebhookEndpointBody,
        body_examples=examples.CREATIONS,
        headers=_KEY,
        answers=(
            _endpoint("It was made before, by the same Idempotency-Key; without its secret"),
            Answer(
                status=201,
                description="Made: it gets what happens from now on",
                shape=shapes.WebhookEndpointWithSecret,
                example=examples.WITH_SECRET,
                headers={"Location": "Where the endpoint can be read", **_ETAG},
            ),
        ),
        problems=(*_WRITING, *_WISHES, refused.TOO_MANY_ENDPOINTS, refused.ENDPOINT_DELETED),
    ),
    Route(
        method="GET",
        path="/api/webhook-endpoints",
        handler=webhook_endpoints.endpoints,
        id="listWebhookEndpoints",
        summary="All webhook endpoints, and how they do",
        tag=_TAG,
        scope=Scope.READ,
        answers=(
            Answer(
                status=200,
                description="The oldest first",
                shape=shapes.WebhookEndpointsPage,
                example={"items": [examples.ENDPOINT, examples.DISABLED], "next": None},
            ),
        ),
        problems=_READING,
    ),
    Route(
        method="GET",
        path="/api/webhook-endpoints/{id}",
        handler=webhook_endpoints.endpoint,
        parts=ENDPOINT_PART,
        id="readWebhookEndpoint",
        summary="One webhook endpoint, and how it does",
        tag=_TAG,
        scope=Scope.READ,
        answers=(_endpoint("The endpoint"),),
        problems=(problems.NOT_FOUND, *_READING),
    ),
    Route(
        method="PATCH",
        path="/api/webhook-endpoints/{id}",
        handler=webhook_endpoints.update,
        parts=ENDPOINT_PART,
        id="updateWebhookEndpoint",
        summary="Change a webhook endpoint, or enable it again",
        tag=_TAG,
        scope=Scope.CONFIGURE,
        query=ReasonQuery,
        body=shapes.WebhookEndpointChanges,
        body_examples=examples.CHANGES,
        headers=_IF_MATCH,
        answers=(_endpoint("As it is now"),),
        problems=(*_BODY, *_CHANGING, *_WISHES),
    ),
    Route(
        method="DELETE",
        path="/api/webhook-endpoints/{id}",
        handler=webhook_endpoints.delete,
        parts=ENDPOINT_PART,
        id="deleteWebhookEndpoint",
        summary="Delete a webhook endpoint; what is pending for it is discarded",
        tag=_TAG,
        scope=Scope.CONFIGURE,
        query=ReasonQuery,
        headers=_IF_MATCH,
        answers=(
            Answer(
                status=200,
                description="Deleted for ever",
                shape=shapes.WebhookEndpointDeleted,
                example=examples.DELETED,
            ),
        ),
        problems=_CHANGING,
    ),
    Route(
        method="POST",
        path="/api/webhook-endpoints/{id}/secret",
        handler=webhook_endpoints.rotate,
        parts=ENDPOINT_PART,
        id="rotateWebhookSecret",
        summary="Replace the secret; the one before signs along for a while",
        tag=_TAG,
        scope=Scope.CONFIGURE,
        query=ReasonQuery,
        body=shapes.WebhookSecretBody,
        body_examples=examples.ROTATIONS,
        headers=_IF_MATCH,
        answers=(
            Answer(
                status=200,
                description="The endpoint with its new secret, shown this once",
                shape=shapes.WebhookEndpointWithSecret,
                example=examples.WITH_SECRET,
                headers=_ETAG,
            ),
        ),
        problems=(*_BODY, *_CHANGING, refused.NO_KEY, refused.TOO_MANY_SECRETS),
    ),
    Route(
        method="POST",
        path="/api/webhook-endpoints/{id}/test",
        handler=webhook_deliveries.test,
        parts=ENDPOINT_PART,
        id="testWebhookEndpoint",
        summary="Send `webhook.test` to an endpoint, or the example of a type",
        tag=_TAG,
        scope=Scope.OPERATE,
        query=ReasonQuery,
        body=shapes.WebhookTestBody,
        body_examples=examples.TESTS,
        headers=_TEST_KEY,
        answers=(
            Answer(
                status=202,
                description="On its way: read the delivery to see what came of it",
                shape=shapes.WebhookTestView,
                example=examples.TEST,
            ),
        ),
        problems=(
            *_BODY,
            refused.UNKNOWN_EVENT_TYPE,
            problems.NOT_FOUND,
            refused.ENDPOINT_DISABLED,
            *_READING,
        ),
    ),
    Route(
        method="POST",
        path="/api/webhook-endpoints/{id}/replay",
        handler=webhook_deliveries.replay_many,
        parts=ENDPOINT_PART,
        id="replayWebhookDeliveries",
        summary="Deliver again what a filter finds, with the same ids and bodies",
        tag=_TAG,
        scope=Scope.OPERATE,
        query=ReasonQuery,
        body=shapes.WebhookReplayBody,
        body_examples=examples.REPLAYS,
        answers=(
            Answer(
                status=200,
                description="`preview`: how many; nothing is done",
                shape=shapes.WebhookReplayView,
                example=examples.PREVIEWED,
            ),
            Answer(
                status=202,
                description="Pending again, in the order of their lanes",
                shape=shapes.WebhookReplayView,
                example=examples.REPLAYED,
            ),
        ),
        problems=(*_BODY, problems.FILTER_MISSING, problems.NOT_FOUND, *_READING),
    ),
)

_DELIVERIES = (
    Route(
        method="GET",
        path="/api/webhook-deliveries",
        handler=webhook_deliveries.deliveries,
        id="listWebhookDeliveries",
        summary="What was sent to endpoints, the newest first",
        tag=_TAG,
        scope=Scope.READ,
        query=shapes.WebhookDeliveriesQuery,
        answers=(
            Answer(
                status=200,
                description="A page of deliveries",
                shape=shapes.WebhookDeliveriesPage,
                example={"items": [examples.DELIVERY], "next": None},
            ),
        ),
    ),
    Route(
        method="GET",
        path="/api/webhook-deliveries/{id}",
        handler=webhook_deliveries.delivery,
        parts=DELIVERY_PART,
        id="readWebhookDelivery",
        summary="One delivery with its request and all attempts",
        tag=_TAG,
        scope=Scope.READ,
        answers=(
            Answer(
                status=200,
                description="The delivery",
                shape=shapes.WebhookDeliveryDetails,
                example=examples.DELIVERY_DETAILS,
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="POST",
        path="/api/webhook-deliveries/{id}/replay",
        handler=webhook_deliveries.replay_one,
        parts=DELIVERY_PART,
        id="replayWebhookDelivery",
        summary="Deliver one message again, with the same id and body",
        tag=_TAG,
        scope=Scope.OPERATE,
        query=ReasonQuery,
        answers=(
            Answer(
                status=202,
                description="Pending again",
                shape=shapes.WebhookReplayView,
                example={"matched": 1, "replayed": 1},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
)

WEBHOOKS: tuple[Route, ...] = (*_ENDPOINTS, *_DELIVERIES)
