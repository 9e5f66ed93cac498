"""The route of lag, with its example."""

from typing import Any

from waybill.api import lag, lag_shapes, problems
from waybill.api.auth import Scope
from waybill.api.call import Answer, Route

EXAMPLE: dict[str, Any] = {
    "at": "2026-03-01T10:15:30.123456+00:00",
    "items": [
        {
            "name": "views",
            "topic": "order-events",
            "group": None,
            "behind": 3,
            "waiting_s": 0.041,
            "partitions": [
                {"partition": 0, "end": 1204, "position": 1201, "behind": 3, "waiting_s": 0.041},
                {"partition": 1, "end": 1187, "position": 1187, "behind": 0, "waiting_s": None},
            ],
        }
    ],
    "next": None,
}

LAG: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/lag",
        handler=lag.lag,
        id="readLag",
        summary="How far each reader of a topic is: ends, positions, and how long records wait",
        tag="operations",
        scope=Scope.READ,
        answers=(
            Answer(
                status=200,
                description="All readers, in the way of an order",
                shape=lag_shapes.LagPage,
                example=EXAMPLE,
            ),
        ),
        problems=(problems.KAFKA_UNAVAILABLE,),
    ),
)
