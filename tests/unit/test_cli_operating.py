"""Commands to orders: what they ask and print. The API is a server with scripted answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit import test_cli_orders
from tests.unit.test_cli_orders import ORDER_ID, Asked, problem
from waybill.cli.main import main

Captured = pytest.CaptureFixture[str]

api = test_cli_orders.api

WHY = ["--reason", "Zuora is back"]
COMMANDS = f"POST /api/orders/{ORDER_ID}/commands"
APPLIED = {
    "id": "c-1",
    "order": ORDER_ID,
    "command": "retry",
    "status": "applied",
    "code": None,
    "answer": None,
    "token": "cc-1",
}
SENT = {**APPLIED, "status": "sent"}
REJECTED = {**APPLIED, "status": "rejected", "code": "ended", "answer": "the order is complete"}
PREVIEW = {
    "matched": 2,
    "groups": [{"status": "failed", "plugin": "zuora", "code": "down", "orders": 2}],
    "some": [
        {
            "id": ORDER_ID,
            "external_id": "SHOP-1",
            "status": "failed",
            "order_type": "new",
            "next_action": "needs a person",
            "refused": None,
            "code": None,
            "consequences": ["Run 2 begins with step zuora."],
        }
    ],
}
TOLD = {
    "order": ORDER_ID,
    "command": "retry",
    "step": None,
    "refused": None,
    "code": None,
    "consequences": ["Run 2 begins with step zuora.", "Step zuora runs."],
    "steps": ["zuora"],
}
PROGRESS: dict[str, Any] = {
    "id": "b-1",
    "command": "retry",
    "status": "done",
    "matched": 2,
    "sent": 2,
    "applied": 2,
    "rejected": 0,
    "pending": 0,
    "rejections": {},
    "rate_per_s": 20.0,
    "eta_s": 0.0,
}


def sent(api: Asked, key: str) -> list[dict[str, Any]]:
    return [json.loads(body) for asked, _, _, body in api.asked if asked == key]


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (["retry"], {"command": "retry"}),
        (["retry", "--step", "zuora", "--current"], {"step": "zuora", "config": "current"}),
        (["skip", "--step", "zuora", "--id", "c-9"], {"command": "skip", "id": "c-9"}),
        (["resolve", "--output", '{"id": 1}'], {"command": "resolve", "output": {"id": 1}}),
        (["force-complete"], {"command": "force_complete"}),
        (["amend", "--changes", '{"country": "IE"}'], {"changes": {"country": "IE"}}),
    ],
)
def test_a_command_is_asked_of_the_order_with_its_reason(
    api: Asked, capsys: Captured, words: list[str], body: dict[str, Any]
) -> None:
    api.answers[COMMANDS] = (202, SENT)
    assert main([*words[:1], ORDER_ID, *words[1:], *WHY]) == 0
    [asked] = sent(api, COMMANDS)
    assert {**body, "reason": "Zuora is back"}.items() <= asked.items()
    assert ORDER_ID in capsys.readouterr().out


def test_a_preview_tells_what_would_happen_and_asks_nothing(api: Asked, capsys: Captured) -> None:
    api.answers[f"{COMMANDS}/preview"] = (200, TOLD)
    assert main(["retry", ORDER_ID, "--step", "zuora", "--preview"]) == 0
    shown = capsys.readouterr().out
    for said in ("1. Run 2 begins with step zuora.", "2. Step zuora runs.", "Nothing has been"):
        assert said in shown
    assert main(["amend", ORDER_ID, "--changes", '{"a": 1}', "--preview", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"items": [TOLD]}
    first, second = sent(api, f"{COMMANDS}/preview")
    assert (first["step"], second["changes"]) == ("zuora", {"a": 1})
    refused = {**TOLD, "refused": "the order is not paused", "consequences": []}
    api.answers[f"{COMMANDS}/preview"] = (200, refused)
    assert main(["resume", ORDER_ID, "--preview", *WHY]) == 1
    assert "It would be refused: the order is not paused." in capsys.readouterr().out
    api.answers[f"{COMMANDS}/preview"] = (422, problem("unchangeable"))
    assert main(["resume", ORDER_ID, "--preview"]) == 1
    assert "It would not be sent: it is unchangeable" in capsys.readouterr().out
    assert sent(api, COMMANDS) == []


def test_an_order_is_found_by_its_external_id(api: Asked) -> None:
    api.answers[COMMANDS] = (202, SENT)
    assert main(["pause", "SHOP-1", *WHY]) == 0
    assert sent(api, COMMANDS)


def test_waiting_goes_on_until_the_order_has_answered(api: Asked, capsys: Captured) -> None:
    api.answers[COMMANDS] = (202, SENT)
    api.answers["GET /api/commands/c-1"] = (200, REJECTED)
    assert main(["retry", ORDER_ID, *WHY, "--wait"]) == 1
    assert "ended: the order is complete" in capsys.readouterr().out
    by_key = {key: (query, headers) for key, query, headers, _ in api.asked}
    assert by_key[COMMANDS][1]["prefer"].startswith("wait=")
    assert by_key["GET /api/commands/c-1"][0] == {"min_offset": ["cc-1"]}


def test_one_refused_order_does_not_stop_the_others(api: Asked, capsys: Captured) -> None:
    other = "order-" + "b" * 32
    api.answers[COMMANDS] = (422, problem("unchangeable"))
    api.answers[f"POST /api/orders/{other}/commands"] = (200, {**APPLIED, "order": other})
    assert main(["retry", ORDER_ID, other, *WHY, "--json"]) == 1
    items = json.loads(capsys.readouterr().out)["items"]
    assert [(one["order"], one.get("code")) for one in items] == [
        (ORDER_ID, "unchangeable"),
        (other, None),
    ]


@pytest.mark.parametrize(
    "words",
    [
        ["retry", *WHY],
        ["retry", ORDER_ID],
        ["retry", "--status", "failed"],
        ["amend", ORDER_ID, "--changes", "{}"],
        ["retry", ORDER_ID, "--status", "failed", *WHY],
        ["retry", ORDER_ID, "order-" + "b" * 32, "--id", "c-1", *WHY],
        ["resolve", ORDER_ID, "--output", "{", *WHY],
        ["resolve", ORDER_ID, "--output", "[]", *WHY],
        ["amend", ORDER_ID, *WHY],
        ["stage", "hold", "zuora"],
    ],
)
def test_what_is_not_clear_is_not_asked(api: Asked, words: list[str]) -> None:
    assert main(words) == 2
    assert not [key for key, *_ in api.asked if key.startswith("POST")]


def test_a_filter_is_previewed_and_not_followed_unconfirmed(api: Asked, capsys: Captured) -> None:
    api.answers["POST /api/commands"] = (200, PREVIEW)
    words = ["retry", "--cause", "failed", "--plugin", "zuora", "--code", "down", *WHY]
    assert main([*words, "--preview"]) == 0
    shown = capsys.readouterr().out
    assert "2 orders" in shown
    assert "and 1 more" in shown
    assert "To 1 of the first 1:" in shown
    assert "1. Run 2 begins with step zuora." in shown
    assert main(words) == 1
    assert "unconfirmed" in capsys.readouterr().err
    bodies = sent(api, "POST /api/commands")
    assert [body["preview"] for body in bodies] == [True, True]
    assert bodies[0]["filter"] == {"attention": "failed", "plugin": "zuora", "code": "down"}


def test_nothing_is_asked_of_no_orders(api: Asked, capsys: Captured) -> None:
    api.answers["POST /api/commands"] = (200, {"matched": 0, "groups": [], "some": []})
    assert main(["cancel", "--status", "failed", *WHY]) == 0
    assert "No such orders." in capsys.readouterr().out


def test_a_confirmed_bulk_is_followed_to_its_end(api: Asked, capsys: Captured) -> None:
    api.answers["POST /api/commands"] = (202, {**PROGRESS, "status": "sending", "applied": 0})
    api.answers["GET /api/commands/bulk/b-1"] = (200, PROGRESS)
    words = ["retry", "--status", "failed", "--from", "2026-03-01T00:00:00Z", "--rate", "20"]
    assert main([*words, "--id", "b-1", "--yes", *WHY]) == 0
    assert "2 applied, 0 rejected of 2" in capsys.readouterr().out
    [body] = sent(api, "POST /api/commands")
    assert body == {
        "command": "retry",
        "filter": {"status": "failed", "from": "2026-03-01T00:00:00Z"},
        "reason": "Zuora is back",
        "id": "b-1",
        "rate_per_s": 20.0,
    }


def test_a_bulk_with_rejections_ends_with_1(api: Asked, capsys: Captured) -> None:
    some = {**PROGRESS, "applied": 1, "rejected": 1, "rejections": {"ended": 1}}
    api.answers["POST /api/commands"] = (202, some)
    assert main(["retry", "--status", "failed", "--yes", *WHY]) == 1
    assert "1 ended" in capsys.readouterr().out
    api.answers["GET /api/commands/bulk/b-1"] = (200, some)
    assert main(["command", "b-1"]) == 1


def test_a_bulk_that_nobody_answers_is_not_followed_for_ever(api: Asked) -> None:
    stuck = {**PROGRESS, "status": "deciding", "applied": 1, "pending": 1}
    api.answers["POST /api/commands"] = (202, stuck)
    api.answers["GET /api/commands/bulk/b-1"] = (200, stuck)
    assert main(["retry", "--status", "failed", "--yes", "--timeout", "0.5", *WHY]) == 1


def test_a_command_is_shown_by_its_id(api: Asked, capsys: Captured) -> None:
    api.answers["GET /api/commands/c-1"] = (200, APPLIED)
    assert main(["command", "c-1"]) == 0
    assert "applied" in capsys.readouterr().out
    assert main(["command", "nobody"]) == 1
    assert "not_found" in capsys.readouterr().err


def test_attention_and_stages_are_told(api: Asked, capsys: Captured) -> None:
    cause = {
        "kind": "failed",
        "plugin": "zuora",
        "code": "down",
        "orders": 9412,
        "oldest": "2026-03-01T10:00:00+00:00",
        "needs_person": True,
        "some": [ORDER_ID],
    }
    api.answers["GET /api/attention"] = (200, {"items": [cause], "next": None})
    assert main(["attention"]) == 0
    shown = capsys.readouterr().out
    assert "9412" in shown
    assert ORDER_ID in shown
    api.answers["GET /api/attention"] = (200, {"items": [], "next": None})
    assert main(["attention"]) == 0
    assert "Nothing needs a person." in capsys.readouterr().out
    held = {"actor": "ada", "reason": "maintenance", "at": None}
    stage = {"id": "zuora@h", "held": held, "waiting": 7, "oldest": None, "live": None}
    counts = ("attempts", "succeeded", "failed", "in_doubt", "deferred", "duration_ms")
    recent = {"attempts": 20, "failed": 13, "median_ms": 31.0}
    live = {"breaker": "closed", "in_flight": 1, "slots": 9, "recent": recent}
    stages = [stage, {**stage, "id": "zuora@i", "live": live}]
    plugin = {"name": "zuora", **dict.fromkeys(counts, 0), "stages": stages}
    found = {"items": [plugin], "controls_known": True, "next": None}
    api.answers["GET /api/stages"] = (200, found)
    assert main(["stages"]) == 0
    shown = capsys.readouterr().out
    assert "maintenance" in shown
    assert "13 of 20 failed" in shown


def test_a_stage_is_held_by_its_name(api: Asked, capsys: Captured) -> None:
    answer = {"id": "h", "stage": "zuora@h", "command": "hold", "status": "sent"}
    api.answers["POST /api/stages/zuora@h/commands"] = (202, answer)
    assert main(["stage", "hold", "zuora@h", *WHY]) == 0
    assert "zuora@h: hold" in capsys.readouterr().out


def test_changes_may_come_from_a_file(api: Asked, tmp_path: Path) -> None:
    path = tmp_path / "changes.json"
    path.write_text('{"country": "IE"}')
    api.answers[COMMANDS] = (200, {**APPLIED, "command": "amend"})
    assert main(["amend", ORDER_ID, "--changes", f"@{path}", *WHY]) == 0
    assert sent(api, COMMANDS)[0]["changes"] == {"country": "IE"}
