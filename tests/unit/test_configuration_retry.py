"""Retries and compensation in a configuration: what is refused, and where."""

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.registry import Registry
from waybill.configuration import check
from waybill.findings import Finding, errors
from waybill.settings import Settings

REGISTRY = Registry.found()


def found_in(directory: Path, entry: dict[str, Any]) -> list[Finding]:
    file = directory / "config.json"
    document = {"version": 1, "sequence": [], "post": [entry]}
    file.write_text(json.dumps(document, indent=2), encoding="utf-8")
    return check(Settings.from_environment({"WAYBILL_CONFIG": str(file)}), REGISTRY)


def test_a_plugin_that_cannot_undo_is_not_compensated(tmp_path: Path) -> None:
    [finding] = found_in(tmp_path, {"name": "platformEvents", "compensate": True})
    assert (finding.code, finding.path) == ("no_compensation", "/post/0/compensate")
    assert finding.line == 7


def test_nor_one_whose_options_do_not_say_how(tmp_path: Path) -> None:
    entry = {"name": "calloutPlugin", "options": {"endpoint": "/users"}, "compensate": True}
    [finding] = found_in(tmp_path, entry)
    assert (finding.code, finding.path) == ("no_compensation", "/post/0/compensate")
    entry["options"] = {"endpoint": "/users", "undo": "/users/undo"}
    assert found_in(tmp_path, entry) == []


def test_nor_one_that_would_undo_at_another_partner(tmp_path: Path) -> None:
    options = {"endpoint": "https://a.test/users", "undo": "https://b.test/undo"}
    findings = found_in(tmp_path, {"name": "calloutPlugin", "options": options})
    assert [finding.path for finding in errors(findings)] == ["/post/0/options"]


@pytest.mark.parametrize(
    ("retry", "path"),
    [
        ({"attempts": 0}, "/post/0/retry/attempts"),
        ({"first_s": 5, "longest_s": 1}, "/post/0/retry"),
        ({"atempts": 3}, "/post/0/retry/atempts"),
        ("never", "/post/0/retry"),
    ],
)
def test_a_retry_policy_is_refused_where_it_is_wrong(tmp_path: Path, retry: Any, path: str) -> None:
    findings = found_in(tmp_path, {"name": "zuora", "retry": retry})
    assert [finding.path for finding in findings] == [path]


@pytest.mark.parametrize("retry", ["none", {}, {"attempts": 3}, {"first_s": 1, "longest_s": 9}])
def test_a_retry_policy_is_taken(tmp_path: Path, retry: Any) -> None:
    assert found_in(tmp_path, {"name": "zuora", "retry": retry}) == []
