"""The running API as strangers meet it: by a client that a generator made, and by a fuzzer."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.fuzzing import ORDER, Served, fuzzed, served
from streams.topics import Topics
from waybill.api.openapi import openapi
from waybill.api.routes import ROUTES

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "docs" / "how-to" / "openapi-python-client.yaml"
EXAMPLE = ROOT / "examples" / "clients" / "generated_client.py"
NAME = "waybill_client"


@pytest.fixture(scope="module")
def api(
    kafka: str,
    fresh_topics: Callable[[], Topics],
    fresh_database: Callable[[], str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Served]:
    """With API keys and a complete order, on PostgreSQL, which refuses more than SQLite."""
    folder = tmp_path_factory.mktemp("api")
    with served(kafka, folder, fresh_database(), fresh_topics().prefix) as running:
        yield running


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with the package that openapi-python-client makes, importable."""
    folder = tmp_path_factory.mktemp("client")
    (folder / "openapi.json").write_bytes(openapi(ROUTES))
    command = [Path(sys.executable).with_name("openapi-python-client"), "generate"]
    command += ["--path", "openapi.json", "--meta", "none", "--output-path", NAME]
    told = subprocess.run(
        [*command, "--config", CONFIGURATION],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "WARNING" not in told.stdout + told.stderr
    sys.path.insert(0, str(folder))
    yield folder / NAME
    sys.path.remove(str(folder))


def module(path: str) -> ModuleType:
    return importlib.import_module(f"{NAME}.{path}")


def test_every_operation_has_a_function(generated: Path) -> None:
    made = {path.stem.replace("_", "") for path in generated.glob("api/*/*.py")}
    assert {route.id.lower() for route in ROUTES} <= made


def test_an_order_is_submitted_listed_read_and_commanded(generated: Path, api: Served) -> None:
    spec = importlib.util.spec_from_file_location("generated_client", EXAMPLE)
    assert generated.is_dir()
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    document = {**ORDER, "external_id": "GENERATED-1", "of_our_own": {"kept": True}}
    taken, found, sent = example.follow(api.url, api.keys["default"], document)
    assert taken.external_id == "GENERATED-1"
    assert taken.status.value in {"post_processing", "complete"}
    assert found.id == taken.id
    assert found.created.tzinfo is not None
    assert {step.status.value for step in found.steps} <= {"succeeded", "started", "pending"}
    assert (sent.status.value, sent.code) == ("rejected", "nothing_to_retry")
    data = api.asked("GET", f"/api/objects/limio/orders/{taken.id}")["data"]
    assert data["of_our_own"] == {"kept": True}


def test_what_was_commanded_is_followed_and_what_is_missing_is_a_problem(
    generated: Path, api: Served
) -> None:
    assert generated.is_dir()
    client = module("client").AuthenticatedClient(base_url=api.url, token=api.keys["default"])
    models = module("models")
    body = models.CommandBody(command=models.CommandKind.RETRY, reason="a client asks")
    sent: Any = module("api.commands.command_order").sync(
        api.order["id"], client=client, body=body, prefer="wait=20"
    )
    known = module("api.commands.read_command").sync(sent.id, client=client, min_offset=sent.token)
    assert json.dumps(known.to_dict()) == json.dumps(sent.to_dict())
    refused = module("api.orders.read_order").sync("order-" + "0" * 32, client=client)
    assert isinstance(refused, models.ProblemDocument)
    assert (refused.status, refused.code) == (404, "not_found")


FUZZED = {
    "wrong": ("--phases", "coverage", "--mode", "negative"),
    "right": ("--phases", "fuzzing,stateful", "--max-examples", "3"),
}
"""More, and on both databases: `python -m benchmarks.fuzzing`, by which `make soak` ends."""


@pytest.mark.parametrize("what", FUZZED)
def test_whatever_is_asked_the_answer_is_one_of_the_documents(api: Served, what: str) -> None:
    options = FUZZED[what]
    report = fuzzed(api, *options, "--seed", "7", "--no-shrink", "--continue-on-failure")
    assert report["failures"] == [], report["words"]
    assert report["errors"] == [], report["words"]
    operations, cases = report["operations"], report["test_cases"]["generated"]
    assert operations["tested"] == operations["total"]
    assert cases > 3 * operations["total"]
