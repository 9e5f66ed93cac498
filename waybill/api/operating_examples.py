"""What the OpenAPI document shows of commands, bulks and stages."""

from typing import Any

ACCEPTED = 202

_ORDER = "order-0b9f3c6c5d8a5a4f9d3e2a1b4c5d6e7f"
_AT = "2026-03-01T10:15:30.123456+00:00"
_ID = "command-5f2c9d0e8b7a41c3a6d4e2f1b0c9d8e7"
_STAGE = "zuora@rest.zuora.example"

COMMANDS: dict[str, Any] = {
    "retry": {"command": "retry", "reason": "Zuora is back"},
    "retry under the configuration in use": {
        "command": "retry",
        "config": "current",
        "reason": "the endpoint was wrong",
    },
    "skip": {"command": "skip", "step": "loyalty", "reason": "the campaign is over"},
    "resolve": {
        "command": "resolve",
        "step": "zuora",
        "output": {"subscription": "A-S00012345"},
        "reason": "found in Zuora by hand",
    },
    "amend": {
        "command": "amend",
        "changes": {"deliveryDetails": {"postalCode": "EC1A 1BB"}},
        "reason": "the buyer called",
    },
    "cancel": {"command": "cancel", "reason": "the buyer called"},
}

SENT: dict[str, Any] = {
    "id": _ID,
    "order": _ORDER,
    "command": "retry",
    "status": "sent",
    "step": None,
    "reason": "Zuora is back",
    "actor": "key:9c1d",
    "token": f"c{_ID}",
}

APPLIED: dict[str, Any] = {
    **SENT,
    "status": "applied",
    "received": _AT,
    "code": None,
    "answer": None,
    "decided": {"at": _AT, "token": "e3:121"},
    "bulk": None,
}

REJECTED: dict[str, Any] = {
    **APPLIED,
    "status": "rejected",
    "code": "nothing_to_retry",
    "answer": "no step has failed",
}

COMMAND_PREVIEWED: dict[str, Any] = {
    "order": _ORDER,
    "command": "retry",
    "step": None,
    "refused": None,
    "code": None,
    "consequences": [
        "Run 2 begins with step zuora; what succeeded before keeps its results.",
        "Step zuora runs: zuora is called.",
        "If it succeeds, the order goes on with loyalty.",
    ],
    "steps": ["zuora", "loyalty"],
}


BULKS: dict[str, Any] = {
    "preview": {
        "command": "retry",
        "filter": {"status": "failed", "plugin": "zuora", "code": "unavailable"},
        "reason": "Zuora is back",
        "preview": True,
    },
    "retry": {
        "id": "zuora-2026-03-01",
        "command": "retry",
        "filter": {"status": "failed", "plugin": "zuora", "code": "unavailable"},
        "reason": "Zuora is back",
        "rate_per_s": 200,
    },
}

PREVIEW: dict[str, Any] = {
    "matched": 9412,
    "groups": [{"status": "failed", "plugin": "zuora", "code": "unavailable", "orders": 9412}],
    "some": [
        {
            "id": _ORDER,
            "external_id": "2V44IEVMFOT",
            "status": "failed",
            "order_type": "new",
            "next_action": "needs a person: step zuora failed (unavailable)",
            "refused": None,
            "code": None,
            "consequences": COMMAND_PREVIEWED["consequences"],
        }
    ],
}

PROGRESS: dict[str, Any] = {
    "id": "zuora-2026-03-01",
    "command": "retry",
    "status": "sending",
    "matched": 9412,
    "sent": 3000,
    "applied": 2871,
    "rejected": 4,
    "pending": 125,
    "rejections": {"nothing_to_retry": 4},
    "rate_per_s": 198.7,
    "eta_s": 33.0,
}

CAUSE: dict[str, Any] = {
    "kind": "failed",
    "plugin": "zuora",
    "code": "unavailable",
    "orders": 9412,
    "oldest": _AT,
    "needs_person": True,
    "some": [_ORDER],
}

STAGE: dict[str, Any] = {
    "name": "zuora",
    "attempts": 52110,
    "succeeded": 42690,
    "failed": 9412,
    "in_doubt": 8,
    "skipped": 0,
    "deferred": 77,
    "compensated": 0,
    "compensation_failed": 0,
    "repeated": 310,
    "callouts": 160221,
    "duration_ms": 9120455,
    "stages": [
        {
            "id": _STAGE,
            "held": {"actor": "key:9c1d", "reason": "maintenance", "at": _AT},
            "waiting": 77,
            "oldest": _AT,
            "live": {
                "breaker": "open",
                "open_s": 12.5,
                "opened": 3,
                "in_flight": 0,
                "waiting": 0,
                "slots": 64,
                "per_second": 50.0,
                "workers": 3,
                "recent": {"attempts": 61, "failed": 40, "median_ms": 20004.2},
            },
        }
    ],
}

STAGE_COMMANDS: dict[str, Any] = {
    "hold": {"command": "hold", "reason": "maintenance at Zuora"},
    "release": {"command": "release", "reason": "maintenance is over"},
}

STAGE_SENT: dict[str, Any] = {
    "id": _ID,
    "stage": _STAGE,
    "command": "hold",
    "status": "sent",
}
