"""`config plan` and `config matrix`: what they ask and print. The API's answers are scripted."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit import test_cli_orders
from tests.unit.test_cli_orders import Asked
from waybill.api.planning_shapes import MATRIX, PLAN
from waybill.cli.main import main

Captured = pytest.CaptureFixture[str]

api = test_cli_orders.api

NEVER = {
    "code": "never_matches",
    "message": "the condition holds for none of 9 orders",
    "remedy": "check it",
    "severity": "warning",
    "path": "/sequence/0/when",
    "line": 3,
    "column": 5,
}


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    path = tmp_path / "draft.json"
    override = {"order_type": "renew", "sequence": [{"name": "zuora"}]}
    path.write_text(json.dumps({"sequence": [{"name": "salesforceV3"}], "overrides": [override]}))
    return path


def test_a_plan_says_what_changes_and_what_to_look_at(
    api: Asked, draft: Path, capsys: Captured
) -> None:
    api.answers["POST /api/processing-config/plan"] = (
        *(200, {"plan": {**PLAN, "findings": [NEVER]}}),
    )
    assert main(["config", "plan", str(draft), "--last", "500"]) == 0
    shown = capsys.readouterr().out
    for said in ("1,000 orders", "version 3", "958 stay", "42 take another route", "-zuora"):
        assert said in shown
    assert f"{draft}:3:5: warning: /sequence/0/when" in shown
    [asked] = [dict(query) for path, query, *_ in api.asked if path.endswith("/plan")]
    assert asked == {"last": ["500"]}
    assert main(["config", "plan", str(draft), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["route"] == 42


def test_errors_of_a_draft_stand_at_its_lines(api: Asked, draft: Path, capsys: Captured) -> None:
    wrong: dict[str, Any] = {**NEVER, "severity": "error", "code": "unknown_plugin"}
    problem = {"code": "bad_configuration", "detail": "no", "remedy": "r", "findings": [wrong]}
    api.answers["POST /api/processing-config/plan"] = (422, problem)
    assert main(["config", "plan", str(draft)]) == 1
    assert f"{draft}:3:5: error" in capsys.readouterr().err


def test_the_matrix_of_a_file_needs_no_api(draft: Path, capsys: Captured) -> None:
    assert main(["config", "matrix", str(draft), "--order-type", "renew"]) == 0
    shown = capsys.readouterr().out
    assert "won by override 0 (order_type)" in shown
    assert main(["config", "matrix", str(draft), "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["cells"]) == 13


def test_the_matrix_in_use_is_asked_of_the_api(api: Asked, capsys: Captured) -> None:
    api.answers["GET /api/processing-config/matrix"] = (200, MATRIX)
    assert main(["config", "matrix", "--version", "3", "--offer-type", "gift"]) == 0
    assert "override 0 excludes zuora" in capsys.readouterr().out
    [asked] = [dict(query) for path, query, *_ in api.asked if path.endswith("/matrix")]
    assert asked == {"version": ["3"], "offer_type": ["gift"]}
