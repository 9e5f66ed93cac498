"""The route of statistics, with its example."""

from typing import Any

from waybill.api import statistics, statistics_shapes
from waybill.api.auth import Scope
from waybill.api.call import Answer, Route

_FROM, _TO = "2026-03-01T00:00:00+00:00", "2026-03-02T00:00:00+00:00"

EXAMPLE: dict[str, Any] = {
    "by": "stage",
    "from": _FROM,
    "to": _TO,
    "interval": None,
    "items": [
        {
            "name": "zuora",
            "from": _FROM,
            "to": _TO,
            "counts": {
                "attempts": 1250,
                "succeeded": 1200,
                "failed": 50,
                "in_doubt": 0,
                "skipped": 0,
                "deferred": 12,
                "compensated": 0,
                "compensation_failed": 0,
                "repeated": 38,
                "callouts": 3810,
            },
            "per_hour": 52.083,
            "success": 0.96,
            "duration_ms": {
                "count": 1250,
                "mean": 412.3,
                "p50": 362.0,
                "p95": 861.1,
                "p99": 1722.2,
            },
            "errors": [
                {"plugin": "zuora", "kind": "contention", "code": "locked", "count": 38},
                {"plugin": "zuora", "kind": "declined", "code": "card_declined", "count": 12},
            ],
        }
    ],
    "next": None,
}

STATISTICS: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/statistics",
        handler=statistics.statistics,
        id="readStatistics",
        summary="Counts, rates, percentiles of duration and causes of errors over a span of time",
        tag="operations",
        scope=Scope.READ,
        query=statistics_shapes.StatisticsQuery,
        answers=(
            Answer(
                status=200,
                description="One item per plugin or order type, and interval",
                shape=statistics_shapes.StatisticsPage,
                example=EXAMPLE,
            ),
        ),
    ),
)
