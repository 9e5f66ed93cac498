"""A new connector is a package whose tests pass as they are; names that cannot be are refused."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from waybill.cli.main import main
from waybill.scaffold import BadNameError, ConnectorNames, write_connector

ROOT = Path(__file__).parents[2]
CHECKED = """
from plugins.registry import Registry
import importlib
found = Registry([importlib.import_module("loyalty_points")])
print(found.get("loyaltyPoints").manifest.connection_name)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "package"
    write_connector("loyaltyPoints", folder, ())
    return folder


def run(folder: Path, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_its_tests_pass_at_once(made: Path) -> None:
    assert "14 passed" in run(made, "-m", "pytest", "-q", "-p", "no:cacheprovider")


def test_it_can_be_registered_and_keeps_the_style(made: Path) -> None:
    assert run(made, "-c", CHECKED).strip() == "loyaltyPoints"
    config = str(ROOT / "pyproject.toml")
    # Which imports are first-party depends on where the package stands.
    run(made, "-m", "ruff", "check", "--config", config, "--ignore", "I001", ".")
    run(made, "-m", "ruff", "format", "--check", "--config", config, ".")


def test_its_page_and_its_entry_point_name_it(made: Path) -> None:
    assert "# Loyalty Points" in (made / "README.md").read_text()
    assert 'loyalty_points = "loyalty_points"' in (made / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("given", "plugin", "module"),
    [
        ("acme", "acme", "acme"),
        ("loyaltyPoints", "loyaltyPoints", "loyalty_points"),
        ("loyalty-points", "loyaltyPoints", "loyalty_points"),
        ("SAPBilling", "sapBilling", "sap_billing"),
        ("salesforceV3", "salesforceV3", "salesforce_v3"),
        ("a1", "a1", "a1"),
    ],
)
def test_a_name_is_written_in_many_ways(given: str, plugin: str, module: str) -> None:
    names = ConnectorNames.of(given)
    assert (names.plugin, names.module) == (plugin, module)


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("../evil", "bad_name"),
        ("", "bad_name"),
        ("9lives", "bad_name"),
        ("x" * 41, "bad_name"),
        ("json", "connector_taken"),
        ("class", "connector_taken"),
        ("ZUORA", "connector_taken"),
    ],
)
def test_names_that_cannot_be_are_refused(given: str, code: str, tmp_path: Path) -> None:
    with pytest.raises(BadNameError) as refused:
        write_connector(given, tmp_path / "x", ("zuora",))
    assert refused.value.code == code
    assert not (tmp_path / "x").exists()


def test_the_command_writes_the_package_once_and_never_over_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["connectors", "new", "loyaltyPoints", "--json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert {Path(file).name for file in files} == {
        "loyalty_points.py",
        "test_loyalty_points.py",
        "README.md",
        "pyproject.toml",
    }
    (tmp_path / files[0]).write_text("mine")
    assert main(["connectors", "new", "loyaltyPoints"]) == 1
    assert "file_exists" in capsys.readouterr().err
    assert (tmp_path / files[0]).read_text() == "mine"


def test_one_is_shown_with_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["connectors", "show", "stripe"]) == 0
    assert "daysUntilDue" in capsys.readouterr().out
    assert main(["connectors", "show", "strype", "--json"]) == 1
    assert "'stripe'" in capsys.readouterr().err
