"""Routes of the configuration: reading it, its versions, and changing it."""

from waybill.api import configuring, examples, problems
from waybill.api import configuring_examples as shown
from waybill.api import configuring_problems as refused
from waybill.api import configuring_shapes as shapes
from waybill.api.auth import Scope
from waybill.api.call import Answer, Header, Headers, Route

_TAG = "configuration"
_AT = "/api/processing-config"
_ETAG = {"ETag": "The version, for If-Match"}
_IF_MATCH: Headers = {
    "If-Match": Header(
        'The ETag of the version that the change was made from; `"0"` where there is none yet, `*`'
        " for whichever is in use",
        {"type": "string", "pattern": r'^(\*|"[0-9]{1,10}")$'},
        required=True,
    )
}
_CHANGING = (
    problems.MALFORMED_BODY,
    problems.OVERSIZE,
    refused.BAD_CONFIGURATION,
    refused.IF_MATCH_MISSING,
    refused.VERSION_DIFFERS,
    problems.NOT_READY,
    problems.KAFKA_UNAVAILABLE,
)
_MADE = Answer(
    status=200,
    description="What holds now, with warnings about it",
    shape=shapes.ConfigVersionMade,
    example=shown.MADE,
    headers=_ETAG,
)

CONFIGURING: tuple[Route, ...] = (
    Route(
        method="GET",
        path=_AT,
        handler=configuring.current,
        id="readProcessingConfig",
        summary="The processing configuration in use",
        tag=_TAG,
        scope=Scope.READ,
        answers=(
            Answer(
                status=200,
                description="The configuration as it was written",
                shape=examples.Configuration,
                example=examples.CONFIGURATION,
                headers=_ETAG,
            ),
        ),
        problems=(problems.NOT_FOUND, problems.NOT_READY),
    ),
    Route(
        method="PUT",
        path=_AT,
        handler=configuring.put,
        id="changeProcessingConfig",
        summary="Make the body the next version; orders under way keep theirs",
        tag=_TAG,
        scope=Scope.CONFIGURE,
        query=shapes.ReasonQuery,
        body=shapes.ProcessingConfigDraft,
        body_examples={"configuration": examples.CONFIGURATION},
        headers=_IF_MATCH,
        answers=(_MADE,),
        problems=_CHANGING,
    ),
    Route(
        method="GET",
        path=f"{_AT}/schema",
        handler=configuring.schema,
        id="readProcessingConfigSchema",
        summary="The JSON Schema of configurations, with the options of installed plugins",
        tag=_TAG,
        scope=Scope.READ,
        answers=(Answer(status=200, description="JSON Schema 2020-12", shape={"type": "object"}),),
    ),
    Route(
        method="GET",
        path=f"{_AT}/versions",
        handler=configuring.versions,
        id="listProcessingConfigVersions",
        summary="All versions with author and reason, the newest first",
        tag=_TAG,
        scope=Scope.READ,
        query=shapes.VersionsQuery,
        answers=(
            Answer(
                status=200,
                description="A page of versions",
                shape=shapes.ConfigVersionsPage,
                example={"items": [shown.VERSION], "next": None},
            ),
        ),
        problems=(problems.NOT_READY,),
    ),
    Route(
        method="GET",
        path=f"{_AT}/versions/{{version}}",
        parts={"version": {"type": "string", "pattern": "^[1-9][0-9]{0,9}$", "examples": ["4"]}},
        handler=configuring.version,
        id="readProcessingConfigVersion",
        summary="One version with its document",
        tag=_TAG,
        scope=Scope.READ,
        answers=(
            Answer(
                status=200,
                description="The version",
                shape=shapes.ConfigVersionDetails,
                example={**shown.VERSION, "document": {**examples.CONFIGURATION, "version": 4}},
            ),
        ),
        problems=(problems.NOT_FOUND, problems.NOT_READY),
    ),
    Route(
        method="GET",
        path=f"{_AT}/diff",
        handler=configuring.diff,
        id="compareProcessingConfigVersions",
        summary="What differs between two versions: JSON patch, words, unified diff",
        tag=_TAG,
        scope=Scope.READ,
        query=shapes.DiffQuery,
        answers=(
            Answer(
                status=200,
                description="The differences",
                shape=shapes.ConfigDiff,
                example=shown.DIFF,
            ),
        ),
        problems=(problems.NOT_FOUND, problems.NOT_READY),
    ),
    Route(
        method="POST",
        path=f"{_AT}/rollback",
        handler=configuring.rollback,
        id="rollBackProcessingConfig",
        summary="Make an older version the next one",
        tag=_TAG,
        scope=Scope.CONFIGURE,
        body=shapes.RollbackBody,
        body_examples={"rollback": shown.ROLLBACK},
        headers=_IF_MATCH,
        answers=(_MADE,),
        problems=(*_CHANGING, problems.MALFORMED_MEMBER, problems.NOT_FOUND),
    ),
)
