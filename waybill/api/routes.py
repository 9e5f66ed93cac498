"""Every route of the API: what is served and what the OpenAPI document says come from here."""

from waybill.api import (
    examples,
    feed,
    feed_shapes,
    health,
    orders,
    problems,
    registry,
    shapes,
    submitting,
)
from waybill.api.audit_routes import AUDITING
from waybill.api.auth import Scope
from waybill.api.call import Answer, Header, Headers, Route
from waybill.api.catalogue_routes import CATALOGUE
from waybill.api.configuring_routes import CONFIGURING
from waybill.api.exporting import EXPORT
from waybill.api.lag_routes import LAG
from waybill.api.limio_routes import LIMIO
from waybill.api.operating_routes import OPERATING
from waybill.api.partner_routes import PARTNERS
from waybill.api.parts import KEY, LAST_EVENT_ID, ORDER_PART, SCHEMA_PARTS
from waybill.api.past import PastQuery
from waybill.api.planning_routes import PLANNING
from waybill.api.rejected_routes import REJECTED
from waybill.api.statistics_routes import STATISTICS
from waybill.api.subscription_routes import SUBSCRIPTIONS
from waybill.api.webhook_routes import WEBHOOKS

_ORDER_HEADERS: Headers = {
    "Idempotency-Key": Header(
        "Stands in for the order's identity where `external_id` is missing", KEY
    ),
    "Prefer": "`wait=n`: wait up to n seconds (at most 25) for the end of the main phase",
    "traceparent": "W3C trace context; made where it is missing",
}
_LOCATION = {"Location": "Where the order can be read"}
_REGISTRY_404 = Answer(
    status=404,
    description="There is no such subject, version or schema",
    shape=shapes.RegistryError,
    example={"error_code": 40401, "message": "Subject not found."},
    content_type=registry.CONTENT_TYPE,
)
_STREAM = {
    "Last-Event-ID": Header(
        "Id of the last event seen; without it the stream begins now",
        LAST_EVENT_ID,
    )
}


def _registry(shape: object, description: str, example: object) -> Answer:
    return Answer(
        status=200,
        description=description,
        shape=shape,  # type: ignore[arg-type] # a model or a schema, as Answer says
        example=example,
        content_type=registry.CONTENT_TYPE,
    )


_ORDERS = (
    Route(
        method="POST",
        path="/api/order",
        handler=submitting.submit,
        id="submitOrder",
        summary="Submit an order, queued or waiting for how it went",
        tag="orders",
        scope=Scope.SUBMIT,
        takes_order=True,
        headers=_ORDER_HEADERS,
        answers=(
            Answer(
                status=200,
                description="How it went: `process_immediately` or `Prefer: wait=n`",
                shape=shapes.OrderAnswer,
                example=examples.FAILED_ANSWER,
                headers=_LOCATION,
            ),
            Answer(
                status=202,
                description="Queued: it will reach an end",
                shape=shapes.OrderAnswer,
                example=examples.QUEUED_ANSWER,
                headers=_LOCATION,
            ),
        ),
        problems=problems.SUBMISSION,
    ),
    Route(
        method="GET",
        path="/api/orders",
        handler=orders.orders,
        id="listOrders",
        summary="The tenant's orders, the newest first",
        tag="orders",
        scope=Scope.READ,
        query=shapes.OrdersQuery,
        answers=(
            Answer(
                status=200,
                description="A page of orders",
                shape=shapes.OrdersPage,
                example={"items": [examples.ORDER], "next": None},
            ),
        ),
    ),
    EXPORT,
    Route(
        method="GET",
        path="/api/orders/{id}",
        parts=ORDER_PART,
        handler=orders.order,
        id="readOrder",
        summary="One order with its steps",
        tag="orders",
        scope=Scope.READ,
        query=PastQuery,
        answers=(
            Answer(
                status=200,
                description="The order",
                shape=shapes.OrderView,
                example=examples.ORDER,
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/api/orders/{id}/timeline",
        parts=ORDER_PART,
        handler=orders.timeline,
        id="readTimeline",
        summary="The order's events in log order",
        tag="orders",
        scope=Scope.READ,
        query=PastQuery,
        answers=(
            Answer(
                status=200,
                description="One entry per event",
                shape=shapes.Timeline,
                example={"items": [examples.ENTRY], "next": None},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/api/orders/{id}/process-events",
        parts=ORDER_PART,
        handler=orders.process_events,
        id="readProcessEvents",
        summary="The order's callouts, errors and log",
        tag="orders",
        scope=Scope.READ,
        query=PastQuery,
        answers=(
            Answer(
                status=200,
                description="One execution record for each run",
                shape=shapes.ProcessEvents,
                example={"items": [examples.PROCESS_EVENT], "next": None},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
)

_TENANT = (
    Route(
        method="GET",
        path="/api/events",
        handler=feed.events,
        id="followEvents",
        summary="The tenant's timeline as it grows, as server-sent events",
        tag="orders",
        scope=Scope.READ,
        query=feed_shapes.FeedQuery,
        headers=_STREAM,
        answers=(
            Answer(
                status=200,
                description="Events named by type; data is an entry of the timeline",
                shape=shapes.FeedEntry,
                content_type="text/event-stream",
                example=examples.STREAM,
            ),
        ),
        problems=(problems.BAD_HEADER, problems.TOO_MANY),
    ),
    Route(
        method="GET",
        path="/api/openapi.json",
        handler=health.openapi,
        id="readOpenApi",
        summary="This document",
        tag="about",
        scope=None,
        answers=(Answer(status=200, description="OpenAPI 3.1", shape={"type": "object"}),),
    ),
)

_NAMES = {"type": "array", "items": {"type": "string"}}
_NUMBERS = {"type": "array", "items": {"type": "integer"}}

_REGISTRY = (
    Route(
        method="GET",
        path="/subjects",
        handler=registry.subjects,
        id="listSubjects",
        summary="Names of the Avro subjects",
        tag="schemas",
        scope=None,
        query=shapes.RegistryQuery,
        answers=(_registry(_NAMES, "All subjects", ["order-events-value", "orders-value"]),),
    ),
    Route(
        method="GET",
        path="/subjects/{subject}/versions",
        parts=SCHEMA_PARTS,
        handler=registry.versions,
        id="listVersions",
        summary="Versions of a subject",
        tag="schemas",
        scope=None,
        query=shapes.RegistryQuery,
        answers=(_registry(_NUMBERS, "The versions, oldest first", [1]), _REGISTRY_404),
    ),
    Route(
        method="GET",
        path="/subjects/{subject}/versions/{version}",
        parts=SCHEMA_PARTS,
        handler=registry.version,
        id="readVersion",
        summary="One version of a subject, or `latest`",
        tag="schemas",
        scope=None,
        query=shapes.RegistryQuery,
        answers=(
            _registry(shapes.SchemaVersion, "The version", examples.SCHEMA_VERSION),
            _REGISTRY_404,
        ),
    ),
    Route(
        method="GET",
        path="/schemas/ids/{id}",
        parts=SCHEMA_PARTS,
        handler=registry.schema,
        id="readSchema",
        summary="The schema with that id",
        tag="schemas",
        scope=None,
        query=shapes.RegistryQuery,
        answers=(
            _registry(shapes.SchemaText, "The schema", {"schema": '"string"'}),
            _REGISTRY_404,
        ),
    ),
    Route(
        method="GET",
        path="/schemas/types",
        handler=registry.types,
        id="listSchemaTypes",
        summary="Kinds of schemas",
        tag="schemas",
        scope=None,
        query=shapes.RegistryQuery,
        answers=(_registry(_NAMES, "The kinds", ["AVRO"]),),
    ),
    Route(
        method="GET",
        path="/config",
        handler=registry.config,
        id="readCompatibility",
        summary="How subjects may change",
        tag="schemas",
        scope=None,
        query=shapes.RegistryQuery,
        answers=(
            _registry(
                shapes.Compatibility,
                "The level",
                {"compatibilityLevel": "BACKWARD_TRANSITIVE"},
            ),
        ),
    ),
)

_HEALTH = (
    Route(
        method="GET",
        path="/livez",
        handler=health.livez,
        id="livez",
        summary="Whether the process answers",
        tag="about",
        scope=None,
        answers=(
            Answer(
                status=200,
                description="It does",
                shape=shapes.Liveness,
                example={"status": "live"},
            ),
        ),
    ),
    Route(
        method="GET",
        path="/readyz",
        handler=health.readyz,
        id="readyz",
        summary="Whether requests should come",
        tag="about",
        scope=None,
        answers=(
            Answer(
                status=200,
                description="Ready",
                shape=shapes.Readiness,
                example=examples.READY,
            ),
            Answer(
                status=503,
                description="Not ready, and what is missing",
                shape=shapes.Readiness,
                example=examples.NOT_READY,
            ),
        ),
    ),
    Route(
        method="GET",
        path="/metrics",
        handler=health.metrics,
        id="metrics",
        summary="Figures in Prometheus' text format",
        tag="about",
        scope=None,
        answers=(
            Answer(
                status=200,
                description="The figures",
                content_type="text/plain",
                example='waybill_api_requests_total{route="submitOrder",status="202"} 1.0',
            ),
        ),
    ),
)

ROUTES: tuple[Route, ...] = (
    *_ORDERS,
    *LIMIO,
    *OPERATING,
    *CATALOGUE,
    *WEBHOOKS,
    *STATISTICS,
    *LAG,
    *SUBSCRIPTIONS,
    *CONFIGURING,
    *PLANNING,
    *PARTNERS,
    *REJECTED,
    *AUDITING,
    *_TENANT,
    *_REGISTRY,
    *_HEALTH,
)
