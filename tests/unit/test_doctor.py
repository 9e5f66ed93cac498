"""What the doctor sees, and which remedy it gives."""

import json
from pathlib import Path

import pytest

from waybill.cli.main import main
from waybill.doctor import Diagnosis, diagnose
from waybill.findings import Severity
from waybill.ports import free_port
from waybill.settings import Settings

Environ = dict[str, str]


@pytest.fixture
def environ(tmp_path: Path) -> Environ:
    return {"WAYBILL_DATA": str(tmp_path), "WAYBILL_HTTP": f"127.0.0.1:{free_port()}"}


def checks(environ: Environ) -> dict[str, Diagnosis]:
    return {one.name: one for one in diagnose(Settings.from_environment(environ))}


def codes(diagnosis: Diagnosis) -> list[str]:
    return [finding.code for finding in diagnosis.findings]


def test_a_fresh_machine_has_warnings_for_what_does_not_run_and_no_error(environ: Environ) -> None:
    found = checks(environ)
    assert codes(found["kafka"]) == ["kafka_stopped"]
    assert codes(found["api"]) == ["api_unreachable"]
    assert {one.severity for one in found.values()} <= {None, Severity.WARNING}
    assert "made on the first start" in found["database"].detail


def test_our_package_names_are_ours(environ: Environ) -> None:
    assert checks(environ)["packages"].findings == ()


def test_every_finding_has_a_remedy(environ: Environ) -> None:
    for diagnosis in checks(environ).values():
        assert all(finding.remedy for finding in diagnosis.findings)


def test_a_kafka_that_does_not_answer_is_an_error(environ: Environ) -> None:
    found = checks({**environ, "WAYBILL_KAFKA": f"127.0.0.1:{free_port()}"})
    assert codes(found["kafka"]) == ["kafka_unreachable"]
    assert found["kafka"].severity is Severity.ERROR


def test_a_database_that_does_not_answer_is_an_error_that_hides_its_password(
    environ: Environ,
) -> None:
    url = f"postgresql://ada:sesame@127.0.0.1:{free_port()}/waybill"
    found = checks({**environ, "WAYBILL_DATABASE": url})["database"]
    assert codes(found) == ["database_unreachable"]
    assert "sesame" not in str(found)


def test_keys_that_are_missing_or_open_to_others_are_errors(
    environ: Environ, tmp_path: Path
) -> None:
    path = tmp_path / "tenant-keys.json"
    environ["WAYBILL_KEYS"] = str(path)
    assert codes(checks(environ)["keys"]) == ["keys_missing"]
    path.write_text("{}")
    path.chmod(0o644)
    assert codes(checks(environ)["keys"]) == ["keys_exposed"]


def test_an_api_open_to_others_without_keys_is_an_error(environ: Environ) -> None:
    found = checks({**environ, "WAYBILL_HTTP": f"0.0.0.0:{free_port()}"})
    assert codes(found["api keys"]) == ["setting_unsafe"]


def test_an_error_ends_the_command_with_1_and_json_holds_every_check(
    environ: Environ,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert main(["doctor"]) == 0
    assert "! kafka" in capsys.readouterr().out
    configuration = tmp_path / "c.json"
    configuration.write_text('{"version": 1, "sequence": [{"name": "zurora"}]}')
    monkeypatch.setenv("WAYBILL_CONFIG", str(configuration))
    assert main(["doctor", "--json"]) == 1
    told = {one["name"]: one for one in json.loads(capsys.readouterr().out)["checks"]}
    assert told["configuration"]["status"] == "error"
    assert told["configuration"]["findings"][0]["line"] == 1
    assert told["python"]["status"] == "ok"


def test_partners_that_are_not_reached_are_said_once_with_all_their_connections(
    environ: Environ, tmp_path: Path
) -> None:
    one = {"base_url": f"http://127.0.0.1:{free_port()}"}
    path = tmp_path / "connections.json"
    named = {"zuora": one, "stripe": {**one, "base_url": f"{one['base_url']}/stripe"}}
    path.write_text(json.dumps({"default": {"production": named, "test": {"zuora": one}}}))
    found = checks({**environ, "WAYBILL_CONNECTIONS": str(path)})["connections"]
    assert codes(found) == ["partner_unreachable"]
    assert found.severity is Severity.WARNING
    assert "default/production/stripe, default/production/zuora, default/test/zuora" in (
        found.findings[0].message
    )
    assert found.detail == "3 to partners, 0 without findings"
