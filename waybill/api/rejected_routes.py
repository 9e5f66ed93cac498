"""The routes of rejected records, with their examples."""

from collections.abc import Mapping
from typing import Any

from waybill.api import problems, rejected
from waybill.api import rejected_problems as refused
from waybill.api import rejected_shapes as shapes
from waybill.api.auth import Scope
from waybill.api.call import Answer, Route

_TAG = "rejected"
_PARTS: Mapping[str, Mapping[str, Any]] = {
    "id": {"type": "string", "pattern": shapes.RECORD_ID, "examples": ["3-120"]}
}
RECORD: dict[str, Any] = {
    "id": "3-120",
    "at": "2026-03-01T10:15:30.123000+00:00",
    "code": "unknown_order_type",
    "reason": "order_type is 'nwe', which is none of the known ones",
    "remedy": "did you mean 'new'?",
    "field": "/order_type",
    "topic": "orders",
    "origin": "orders/3/4711",
    "replays": [],
}
ONE: dict[str, Any] = {
    **RECORD,
    "bytes": 5120,
    "editable": True,
    "refused_now": {
        "code": "unknown_order_type",
        "reason": "order_type is 'nwe', which is none of the known ones",
        "remedy": "did you mean 'new'?",
        "field": "/order_type",
    },
    "content": None,
}
SENT: dict[str, Any] = {
    "id": "3-120",
    "topic": "orders",
    "edited": True,
    "order": "order-0b9f3c6c5d8a5a4f9d3e2a1b4c5d6e7f",
    "token": "oorder-0b9f3c6c5d8a5a4f9d3e2a1b4c5d6e7f",
}
REPLAYS: dict[str, Any] = {
    "corrected": {
        "reason": "the shop misspelt the type",
        "content": '{"external_id": "A-1", "order_type": "new"}',
    },
    "as it was": {"reason": "the configuration knows it now"},
}

REJECTED: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/rejected",
        handler=rejected.rejected,
        id="listRejected",
        summary="Records that were not taken, and why",
        tag=_TAG,
        scope=Scope.OPERATE,
        query=shapes.RejectedQuery,
        answers=(
            Answer(
                status=200,
                description="The newest first",
                shape=shapes.RejectedPage,
                example={"items": [RECORD], "next": None},
            ),
        ),
        problems=(problems.KAFKA_UNAVAILABLE,),
    ),
    Route(
        method="GET",
        path="/api/rejected/{id}",
        parts=_PARTS,
        handler=rejected.read_rejected,
        id="readRejected",
        summary="One rejected record, what would become of it now, and perhaps what was sent",
        tag=_TAG,
        scope=Scope.OPERATE,
        query=shapes.RejectedContentQuery,
        answers=(
            Answer(status=200, description="The record", shape=shapes.OneRejected, example=ONE),
        ),
        problems=(problems.NOT_FOUND, refused.SEALED, problems.KAFKA_UNAVAILABLE),
    ),
    Route(
        method="POST",
        path="/api/rejected/{id}/replay",
        parts=_PARTS,
        handler=rejected.replay,
        id="replayRejected",
        summary="Send a rejected record again, perhaps corrected",
        tag=_TAG,
        scope=Scope.OPERATE,
        body=shapes.RejectedReplayBody,
        body_examples=REPLAYS,
        answers=(
            Answer(
                status=202,
                description="Kafka has it",
                shape=shapes.RejectedReplayView,
                example=SENT,
            ),
        ),
        problems=(
            *problems.REFUSALS,
            problems.NOT_FOUND,
            problems.OVERSIZE,
            refused.SEALED,
            refused.NO_ORIGIN,
            refused.NOT_EDITABLE,
            refused.REPLAY_OVERSIZE,
            problems.KAFKA_UNAVAILABLE,
        ),
    ),
)
