"""Routes of Limio's further interfaces: preview, Zuora's notifications, objects."""

from waybill.api import inbound, limio_shapes, objects, previewing, problems, shapes
from waybill.api import limio_examples as examples
from waybill.api.auth import Scope
from waybill.api.call import Answer, Header, Headers, Route
from waybill.api.parts import KEY, OBJECT_PARTS

_TRACE: Headers = {"traceparent": "W3C trace context; made where it is missing"}
_KEY: Headers = {
    "Idempotency-Key": Header(
        "Names the notification, where its body does not tell it from others", KEY
    )
}
_LOCATION = {"Location": "Where the order can be read"}
_OBJECTS = "/api/objects/{service}/{path_type}"

_PREVIEW = Route(
    method="POST",
    path="/api/order/preview",
    handler=previewing.preview,
    id="previewOrder",
    summary="What an order would do: charges to come, credits, effective date; nothing is written",
    tag="orders",
    scope=Scope.SUBMIT,
    takes_order=True,
    headers=_TRACE,
    answers=(
        Answer(
            status=200,
            description="What the plugins of its waybill say",
            shape=limio_shapes.PreviewAnswer,
            example=examples.PREVIEW,
        ),
    ),
    problems=(
        *problems.REFUSALS,
        problems.NO_PREVIEW,
        problems.PREVIEW_REFUSED,
        problems.OVERSIZE,
        problems.PARTNER_FAILED,
        problems.PARTNER_BUSY,
    ),
)

_INBOUND = (
    Route(
        method="POST",
        path="/api/events/zuora",
        handler=inbound.notified,
        id="notifyZuoraEvent",
        summary="Something changed in Zuora: read the subscription again",
        tag="inbound",
        scope=Scope.SUBMIT,
        partner="zuora",
        query=limio_shapes.ModeQuery,
        body=limio_shapes.ZuoraNotification,
        body_examples=examples.NOTIFICATIONS,
        headers={**_TRACE, **_KEY},
        answers=(
            Answer(
                status=202,
                description="Taken, as an order of type `external` that synchronises",
                shape=shapes.OrderAnswer,
                example=examples.NOTIFIED,
                headers=_LOCATION,
            ),
        ),
        problems=problems.SUBMISSION,
    ),
    Route(
        method="POST",
        path="/api/plugins/zuora/sync/subscription/{id}",
        handler=inbound.synchronise,
        id="synchroniseSubscription",
        summary="Read one subscription from Zuora, and wait until that is done",
        tag="inbound",
        scope=Scope.SUBMIT,
        partner="zuora",
        query=limio_shapes.ModeQuery,
        headers={
            **_TRACE,
            "Idempotency-Key": Header("The same key again is the same synchronisation", KEY),
            "Prefer": "`wait=n`: wait up to n seconds (at most and by default 25)",
        },
        answers=(
            Answer(
                status=200,
                description="How it went",
                shape=limio_shapes.SyncAnswer,
                example=examples.SYNCHRONISED,
                headers=_LOCATION,
            ),
            Answer(
                status=202,
                description="Taken, and not done yet",
                shape=limio_shapes.SyncAnswer,
                example=examples.NOT_YET,
                headers=_LOCATION,
            ),
        ),
        problems=(*problems.SUBMISSION, problems.NOT_FOUND),
    ),
)

_READING = (
    Route(
        method="GET",
        path=_OBJECTS,
        parts=OBJECT_PARTS,
        handler=objects.listed,
        id="listObjects",
        summary="Limio's objects: `orders`, `events`, `process`, `subscriptions`, `customers`",
        tag="objects",
        scope=Scope.READ,
        query=limio_shapes.ObjectsQuery,
        answers=(
            Answer(
                status=200,
                description="A page of summaries, the newest first",
                shape=limio_shapes.ObjectsPage,
                example={"items": [examples.SUMMARY], "queryMore": None},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path=_OBJECTS + "/{id}",
        parts=OBJECT_PARTS,
        handler=objects.one,
        id="readObject",
        summary="One object with its data",
        tag="objects",
        scope=Scope.READ,
        query=shapes.Reread,
        answers=(
            Answer(
                status=200,
                description="The object; what is personal is sealed and not in it",
                shape=limio_shapes.LimioObject,
                example=examples.OBJECT,
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path=_OBJECTS + "/{id}/related",
        parts=OBJECT_PARTS,
        handler=objects.related,
        id="readRelatedObjects",
        summary="The other objects of the same order, subscription or customer",
        tag="objects",
        scope=Scope.READ,
        query=shapes.Reread,
        answers=(
            Answer(
                status=200,
                description="Summaries",
                shape=limio_shapes.RelatedObjects,
                example={"items": [examples.EVENT_SUMMARY]},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
)

LIMIO: tuple[Route, ...] = (_PREVIEW, *_INBOUND, *_READING)
