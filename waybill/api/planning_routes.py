"""Routes that tell what a configuration does: the plan of a draft, and the matrix."""

from waybill.api import configuring_problems as refused
from waybill.api import configuring_shapes as drafts
from waybill.api import examples, planning, problems
from waybill.api import planning_shapes as shapes
from waybill.api.auth import Scope
from waybill.api.call import Answer, Route

_TAG = "configuration"
_AT = "/api/processing-config"

PLANNING: tuple[Route, ...] = (
    Route(
        method="POST",
        path=f"{_AT}/plan",
        handler=planning.plan,
        id="planProcessingConfig",
        summary="What a draft would do to the last orders; nobody is called, nothing is written",
        tag=_TAG,
        scope=Scope.CONFIGURE,
        query=shapes.PlanQuery,
        body=drafts.ProcessingConfigDraft,
        body_examples={"configuration": examples.CONFIGURATION},
        answers=(
            Answer(
                status=200,
                description="The plan; with `Accept: application/x-ndjson` lines of progress"
                " (`done`, `of`), the last one with the plan as `plan`",
                shape=shapes.ConfigPlan,
                example=shapes.PLAN,
            ),
        ),
        problems=(
            problems.MALFORMED_BODY,
            problems.OVERSIZE,
            refused.BAD_CONFIGURATION,
            problems.NOT_FOUND,
            problems.NOT_READY,
        ),
    ),
    Route(
        method="GET",
        path=f"{_AT}/matrix",
        handler=planning.show_matrix,
        id="readProcessingConfigMatrix",
        summary="Which sequence each combination of order, processing and offer type gets, and why",
        tag=_TAG,
        scope=Scope.READ,
        query=shapes.MatrixQuery,
        answers=(
            Answer(
                status=200,
                description="A cell for each combination",
                shape=shapes.ConfigMatrix,
                example=shapes.MATRIX,
            ),
        ),
        problems=(problems.NOT_FOUND, problems.NOT_READY),
    ),
)
