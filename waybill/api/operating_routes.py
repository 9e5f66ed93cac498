"""Routes for operators: commands, bulks, what needs a person, and stages."""

from waybill.api import (
    bulk,
    commanding,
    foretelling,
    operating_shapes,
    problems,
    shapes,
    stages,
)
from waybill.api import operating_examples as examples
from waybill.api.auth import Scope
from waybill.api.call import Answer, Header, Headers, Route
from waybill.api.parts import BULK_ID, COMMAND_ID, NAMING_KEY, ORDER_PART, STAGE

_HEADERS: Headers = {
    "Idempotency-Key": Header("Stands in for `id` where it is missing", NAMING_KEY),
    "Prefer": "`wait=n`: wait up to n seconds (at most 25) for the answer",
    "traceparent": "W3C trace context; made where it is missing",
}
_WRITING = (problems.OVERSIZE, problems.BAD_HEADER, problems.KAFKA_UNAVAILABLE)
_BULK_LOCATION = {"Location": "Where its progress can be read"}


def _progress(status: int, description: str) -> Answer:
    return Answer(
        status=status,
        description=description,
        shape=operating_shapes.BulkProgress,
        example=examples.PROGRESS,
        headers=_BULK_LOCATION if status == examples.ACCEPTED else {},
    )


_COMMANDS = (
    Route(
        method="POST",
        path="/api/orders/{id}/commands",
        parts=ORDER_PART,
        handler=commanding.command,
        id="commandOrder",
        summary="Ask something of an order: retry, skip, resolve, pause, resume, cancel, amend ...",
        tag="commands",
        scope=Scope.OPERATE,
        query=shapes.Reread,
        body=operating_shapes.CommandBody,
        body_examples=examples.COMMANDS,
        headers=_HEADERS,
        answers=(
            Answer(
                status=200,
                description="How it was answered: `Prefer: wait=n`, or it was known before",
                shape=operating_shapes.CommandView,
                example=examples.REJECTED,
            ),
            Answer(
                status=202,
                description="On its way: its order will answer it",
                shape=operating_shapes.CommandView,
                example=examples.SENT,
                headers={"Location": "Where the command can be read"},
            ),
        ),
        problems=(
            *problems.COMMAND_REFUSALS,
            *problems.REFUSALS,
            problems.COMMAND_ID_TAKEN,
            problems.NOT_FOUND,
            *_WRITING,
        ),
    ),
    Route(
        method="POST",
        path="/api/orders/{id}/commands/preview",
        parts=ORDER_PART,
        handler=foretelling.preview,
        id="previewCommand",
        summary="What a command would do to an order; nothing is written",
        tag="commands",
        scope=Scope.OPERATE,
        query=shapes.Reread,
        body=operating_shapes.CommandPreviewBody,
        body_examples={name: examples.COMMANDS[name] for name in ("retry", "skip", "amend")},
        answers=(
            Answer(
                status=200,
                description="What would happen, or why the order would reject it",
                shape=operating_shapes.CommandPreview,
                example=examples.COMMAND_PREVIEWED,
            ),
        ),
        problems=(
            *problems.COMMAND_REFUSALS,
            *problems.REFUSALS,
            problems.NOT_FOUND,
        ),
    ),
    Route(
        method="GET",
        path="/api/orders/{id}/commands",
        parts=ORDER_PART,
        handler=commanding.commands_of,
        id="listCommands",
        summary="All commands of an order, and how they were answered",
        tag="commands",
        scope=Scope.OPERATE,
        query=shapes.Reread,
        answers=(
            Answer(
                status=200,
                description="First come first",
                shape=operating_shapes.CommandsPage,
                example={"items": [examples.APPLIED], "next": None},
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="POST",
        path="/api/commands",
        handler=bulk.bulk,
        id="commandOrders",
        summary="Ask the same of all orders that a filter finds, or preview which",
        tag="commands",
        scope=Scope.OPERATE,
        body=operating_shapes.BulkBody,
        body_examples=examples.BULKS,
        headers={"Idempotency-Key": _HEADERS["Idempotency-Key"]},
        answers=(
            Answer(
                status=200,
                description="`preview`: how many and which; nothing is done",
                shape=operating_shapes.BulkPreview,
                example=examples.PREVIEW,
            ),
            _progress(202, "Begun, or going on"),
        ),
        problems=(
            problems.MALFORMED_BODY,
            problems.MALFORMED_MEMBER,
            problems.FILTER_MISSING,
            problems.BULK_ID_TAKEN,
            problems.TOO_MANY_BULKS,
            problems.OVERSIZE,
            problems.BAD_HEADER,
        ),
    ),
    Route(
        method="GET",
        path="/api/commands",
        handler=bulk.bulk_by_query,
        id="readBulkByQuery",
        summary="How far the bulk in `bulk` is",
        tag="commands",
        scope=Scope.OPERATE,
        query=operating_shapes.CommandsQuery,
        answers=(_progress(200, "Its progress"),),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/api/commands/bulk/{id}",
        parts={"id": BULK_ID},
        handler=bulk.bulk_progress,
        id="readBulk",
        summary="How far a bulk is",
        tag="commands",
        scope=Scope.OPERATE,
        query=shapes.Reread,
        answers=(_progress(200, "Its progress"),),
        problems=(problems.NOT_FOUND,),
    ),
    Route(
        method="GET",
        path="/api/commands/{id}",
        parts={"id": COMMAND_ID},
        handler=commanding.read_command,
        id="readCommand",
        summary="A command and how it was answered",
        tag="commands",
        scope=Scope.OPERATE,
        query=shapes.Reread,
        answers=(
            Answer(
                status=200,
                description="The command",
                shape=operating_shapes.CommandView,
                example=examples.APPLIED,
            ),
        ),
        problems=(problems.NOT_FOUND,),
    ),
)

_STANDING = (
    Route(
        method="GET",
        path="/api/attention",
        handler=stages.attention,
        id="readAttention",
        summary="What needs a person, by cause",
        tag="commands",
        scope=Scope.OPERATE,
        query=shapes.Reread,
        answers=(
            Answer(
                status=200,
                description="The causes, most orders first",
                shape=operating_shapes.AttentionPage,
                example={"items": [examples.CAUSE], "next": None},
            ),
        ),
    ),
    Route(
        method="GET",
        path="/api/stages",
        handler=stages.stages,
        id="listStages",
        summary="What each plugin did, and which of its stages are held or waited for",
        tag="stages",
        scope=Scope.OPERATE,
        query=shapes.Reread,
        answers=(
            Answer(
                status=200,
                description="By plugin",
                shape=operating_shapes.StagesPage,
                example={"items": [examples.STAGE], "controls_known": True, "next": None},
            ),
        ),
    ),
    Route(
        method="POST",
        path="/api/stages/{stage}/commands",
        parts={"stage": STAGE},
        handler=stages.stage_command,
        id="commandStage",
        summary="Hold a stage, or release it",
        tag="stages",
        scope=Scope.OPERATE,
        body=operating_shapes.StageCommandBody,
        body_examples=examples.STAGE_COMMANDS,
        headers={"Idempotency-Key": _HEADERS["Idempotency-Key"]},
        answers=(
            Answer(
                status=202,
                description="On its way to the workers",
                shape=operating_shapes.StageCommandView,
                example=examples.STAGE_SENT,
            ),
        ),
        problems=(
            problems.MALFORMED_BODY,
            problems.MALFORMED_MEMBER,
            problems.UNKNOWN_STAGE,
            *_WRITING,
        ),
    ),
)

OPERATING: tuple[Route, ...] = (*_COMMANDS, *_STANDING)
