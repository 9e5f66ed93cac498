"""Subscriptions, statistics, lag, the audit: what they ask and print. Answers are scripted."""

import json
from typing import Any

import pytest

from tests.unit import test_cli_orders
from tests.unit.test_cli_orders import ORDER, Asked
from waybill.api.audit_routes import EXAMPLE as AUDIT
from waybill.api.lag_routes import EXAMPLE as LAG
from waybill.api.statistics_routes import EXAMPLE as STATISTICS
from waybill.api.subscription_routes import SUBSCRIPTION
from waybill.cli.main import main

Captured = pytest.CaptureFixture[str]

api = test_cli_orders.api

REFERENCE = SUBSCRIPTION["reference"]


def asked(api: Asked, key: str) -> list[dict[str, list[str]]]:
    return [dict(query) for path, query, *_ in api.asked if path == key]


def test_subscriptions_are_listed_page_by_page(api: Asked, capsys: Captured) -> None:
    key = "GET /api/subscriptions"
    api.answers[key] = (200, {"items": [SUBSCRIPTION], "next": "more"})
    assert main(["subscriptions", "--status", "active", "--owner", "id-1", "--limit", "2"]) == 0
    shown = capsys.readouterr().out
    assert REFERENCE in shown
    assert "2026-06-01" in shown
    first, second = asked(api, key)
    assert first == {"status": ["active"], "owner": ["id-1"], "limit": ["2"]}
    assert (second["cursor"], second["limit"]) == (["more"], ["1"])
    api.answers[key] = (200, {"items": [], "next": None})
    assert main(["subscriptions"]) == 0
    assert "No such subscriptions." in capsys.readouterr().out
    assert main(["subscriptions", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"items": []}


def test_one_subscription_is_shown_with_its_orders(api: Asked, capsys: Captured) -> None:
    back = {"order": ORDER["id"], "order_type": "refund", "on": "2026-04-01"}
    more = {"amount": "10.00", "currency": "GBP", "memo": "CM-1"}
    found = {**SUBSCRIPTION, "given_back": [back | more], "open_orders": []}
    api.answers[f"GET /api/subscriptions/{REFERENCE}"] = (200, found)
    api.answers[f"GET /api/subscriptions/{REFERENCE}/orders"] = (
        *(200, {"items": [ORDER], "next": None}),
    )
    assert main(["subscription", REFERENCE]) == 0
    shown = capsys.readouterr().out
    for said in ("W-K7QZ2M5RWX3A", "renews itself", "Quarterly", "25 GBP", "CM-1", ORDER["id"]):
        assert said in shown
    assert main(["subscription", REFERENCE, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["order_list"] == [ORDER]
    assert main(["subscription", "nobody"]) == 1
    assert "not_found" in capsys.readouterr().err


def test_statistics_are_told_by_stage_and_by_type(api: Asked, capsys: Captured) -> None:
    key = "GET /api/statistics"
    api.answers[key] = (200, STATISTICS)
    assert main(["statistics", "--from", "2026-03-01T00:00:00Z", "--interval", "hour"]) == 0
    assert asked(api, key)[0] == {
        "by": ["stage"],
        "from": ["2026-03-01T00:00:00Z"],
        "interval": ["hour"],
    }
    shown = capsys.readouterr().out
    for said in ("zuora", "1250", "96.0%", "362 ms", "1.72 s", "card_declined 12"):
        assert said in shown
    counts = {"accepted": 3, "completed": 1, "failed": 0, "cancelled": 0, "reopened": 0}
    nothing: dict[str, Any] = dict.fromkeys(("mean", "p50", "p95", "p99")) | {"count": 0}
    of_type = {"name": "renew", "counts": counts, "success": None, "duration_ms": nothing}
    item = {**STATISTICS["items"][0], **of_type, "errors": []}
    api.answers[key] = (200, {**STATISTICS, "by": "order_type", "items": [item]})
    assert main(["statistics", "--by", "order_type"]) == 0
    assert "renew" in capsys.readouterr().out
    api.answers[key] = (200, {**STATISTICS, "items": []})
    assert main(["statistics"]) == 0
    assert "Nothing happened." in capsys.readouterr().out


def test_lag_is_told_of_every_reader(api: Asked, capsys: Captured) -> None:
    views = LAG["items"][0]
    late = {**views, "name": "outlet", "waiting_s": 7200.0}
    api.answers["GET /api/lag"] = (200, {**LAG, "items": [views, late]})
    assert main(["lag"]) == 0
    shown = capsys.readouterr().out
    for said in ("order-events", "0.04 s", "2.0 h", "0: 3"):
        assert said in shown
    assert main(["lag", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["items"][0] == views


def test_the_audit_is_listed_page_by_page_by_its_filters(api: Asked, capsys: Captured) -> None:
    entry = {**AUDIT["items"][0], "reason": "they\x1b[2J moved"}
    api.answers["GET /api/audit"] = (200, {"items": [entry], "next": "more"})
    words = ["--kind", "api_key", "--actor", "key:a", "--about", "9c1d", "--from", "2026-03-01"]
    assert main(["audit", *words, "--limit", "2"]) == 0
    shown = capsys.readouterr().out
    for said in ("webhook endpoint", "changed", "they [2J moved", "key:5d1c9f3a", "done"):
        assert said in shown
    first, second = asked(api, "GET /api/audit")
    given = {"kind": ["api_key"], "actor": ["key:a"], "subject": ["9c1d"], "from": ["2026-03-01"]}
    assert first == {**given, "limit": ["2"]}
    assert second == {**given, "limit": ["1"], "cursor": ["more"]}
    api.answers["GET /api/audit"] = (200, {"items": [], "next": None})
    assert main(["audit"]) == 0
    assert "Nobody did anything that fits." in capsys.readouterr().out
    assert main(["audit", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"items": []}
