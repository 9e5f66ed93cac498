"""What a long command shows of itself: a bar for people, lines in a file, JSON for programs."""

import json

import pytest

from waybill.progress import Shown

STAGES = [("filling", 0, 60), ("filling", 30, 60), ("verifying", 60, 60)]


def show(*, json_output: bool) -> None:
    with Shown(json_output=json_output) as shown:
        for stage, records, total in STAGES:
            shown.said(stage, records, total)


def test_programs_get_a_line_for_each_stage(capsys: pytest.CaptureFixture[str]) -> None:
    show(json_output=True)
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["stage"] for line in lines] == ["filling", "verifying"]
    assert lines[-1].keys() == {"stage", "records", "total", "rate", "remaining_s"}
    assert (lines[-1]["records"], lines[-1]["remaining_s"]) == (60, 0.0)


def test_a_file_gets_words(capsys: pytest.CaptureFixture[str]) -> None:
    show(json_output=False)
    assert capsys.readouterr().err.splitlines()[-1].startswith("verifying: 60 of 60 events, ")


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    show(json_output=False)
    assert "60 of 60 events" in capsys.readouterr().err
