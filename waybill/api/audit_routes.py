"""The route of the audit, with its example."""

from typing import Any

from waybill.api import audit, audit_shapes
from waybill.api.auth import Scope
from waybill.api.call import Answer, Route

EXAMPLE: dict[str, Any] = {
    "items": [
        {
            "id": "act_3f0c1d5e6a7b8c9d0e1f2a3b4c5d6e7f",
            "at": "2026-03-01T10:16:02.480113+00:00",
            "kind": "webhook_endpoint",
            "action": "changed",
            "subject": "whe_0af7651916cd43dd8448eb211c80319c",
            "actor": "key:5d1c9f3a",
            "reason": "they moved to another host",
            "outcome": "done",
            "code": None,
            "details": {"members": ["url"]},
        },
        {
            "id": "retry-after-the-outage",
            "at": "2026-03-01T10:15:30.123456+00:00",
            "kind": "bulk",
            "action": "retry",
            "subject": "retry-after-the-outage",
            "actor": "key:5d1c9f3a",
            "reason": "Zuora is back",
            "outcome": "applied",
            "code": None,
            "details": {"applied": 411, "rejected": 1, "orders": 412},
        },
    ],
    "next": None,
}

AUDITING: tuple[Route, ...] = (
    Route(
        method="GET",
        path="/api/audit",
        handler=audit.audit,
        id="listAudit",
        summary="Who did what and why: commands, configurations, stages, webhooks, replays, keys",
        tag="operations",
        scope=Scope.OPERATE,
        query=audit_shapes.AuditQuery,
        answers=(
            Answer(
                status=200,
                description="The newest first",
                shape=audit_shapes.AuditPage,
                example=EXAMPLE,
            ),
        ),
    ),
)
