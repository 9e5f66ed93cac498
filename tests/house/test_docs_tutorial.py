"""The tutorial and the clients of the how-tos, as a reader would go through them."""

import importlib.util
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from plugins.registry import Registry
from plugins.testing import RULES, Rule, look_ups_are_shown
from streams.topics import Topics
from tests.e2e.stack import clean_environment
from waybill.ports import free_port
from waybill.supervisor import STOP_SECONDS

ROOT = Path(__file__).parents[2]
ACME = ROOT / "examples" / "acme"
CLIENTS = ROOT / "examples" / "clients"
ORDERS = ROOT / "examples" / "orders"
PATIENCE_S = 60.0


MOST_LINES = 15


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ACME / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


MODULE = loaded("acme")
EXAMPLES = loaded("test_acme").EXAMPLES


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
async def test_the_connector_of_the_tutorial_keeps_the_contract(rule: Rule) -> None:
    for example in EXAMPLES:
        await rule(MODULE.acme, example)


def test_it_shows_its_look_up_and_can_be_registered() -> None:
    look_ups_are_shown(MODULE.acme, EXAMPLES)
    assert Registry([MODULE]).names() == ("acme",)


def test_it_is_as_short_as_the_tutorial_says() -> None:
    lines = (ACME / "acme.py").read_text().splitlines()
    code = [line for line in lines if line.strip() and '"""' not in line]
    assert len(code) <= MOST_LINES


def test_the_tutorial_shows_the_whole_connector_and_its_test_as_they_stand() -> None:
    page = (ROOT / "docs" / "tutorial" / "your-first-connector.md").read_text()
    shown = "\n".join(re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    for name in ("acme.py", "test_acme.py"):
        for line in (ACME / name).read_text().splitlines()[1:]:
            assert line in shown, f"{name}: {line}"


@dataclass
class Reader:
    """Somebody with a few terminals, whose commands all have the same settings."""

    kafka: str
    topics: Topics
    environment: dict[str, str]
    folder: Path
    port: str
    started: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def start(self, label: str, *arguments: str | Path) -> "subprocess.Popen[bytes]":
        """A terminal in which something stays."""
        with (self.folder / label).open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                env=self.environment,
                cwd=ROOT,
                stdout=said,
                stderr=subprocess.STDOUT,
            )
        self.started.append(process)
        return process

    def said(self, label: str) -> str:
        """What is to be read there."""
        return (self.folder / label).read_text()

    def until(self, label: str, text: str) -> None:
        """Waits until it says so."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.said(label):
            assert time.monotonic() < deadline, self.said(label)
            time.sleep(0.05)

    def types(self, *arguments: str | Path, code: int = 0) -> str:
        """A command that ends."""
        done = subprocess.run(
            [sys.executable, *map(str, arguments)],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout

    def submits(self, order: str, code: int = 0) -> str:
        """An order, up to its end."""
        return self.types("-m", "waybill", "submit", ORDERS / order, "--wait", code=code)

    def stops(self) -> None:
        """Ends what was started, the last first."""
        for process in reversed(self.started):
            process.terminate()
        for process in self.started:
            process.wait(STOP_SECONDS + 10)


def installed(folder: Path) -> Path:
    """What pip leaves of `pip install --editable examples/acme`, without asking an index."""
    wanted = (ACME / "pyproject.toml").read_text()
    group = re.search(r'entry-points\."([^"]+)"\]\n([^\n]+)', wanted)
    assert group is not None
    place = folder / "waybill_acme-0.1.0.dist-info"
    place.mkdir()
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: waybill-acme\nVersion: 0.1.0\n")
    (place / "entry_points.txt").write_text(f"[{group[1]}]\n{group[2].replace(chr(34), '')}\n")
    return folder


@pytest.fixture(scope="module")
def reader(
    kafka: str, module_topics: Topics, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """Somebody who has installed Acme, started its stand-in, and Waybill with it."""
    folder = tmp_path_factory.mktemp("tutorial")
    port = free_port()
    connections = folder / "connections.json"
    connections.write_text((ACME / "connections.json").read_text().replace("8491", str(port)))
    environment = clean_environment(
        PYTHONPATH=f"{installed(folder)}:{ACME}",
        WAYBILL_KAFKA=kafka,
        WAYBILL_TOPIC_PREFIX=module_topics.prefix,
        WAYBILL_DATA=str(folder / "data"),
        WAYBILL_HTTP=f"127.0.0.1:{free_port()}",
        WAYBILL_SANDBOX=f"127.0.0.1:{free_port()}",
        WAYBILL_CONFIG=str(ACME / "processing-config.json"),
        WAYBILL_CONNECTIONS=str(connections),
    )
    somebody = Reader(kafka, module_topics, environment, folder, str(port))
    try:
        somebody.start("acme", ACME / "stand_in.py", str(port))
        somebody.start("up", "-m", "waybill", "up")
        somebody.until("up", "Ctrl-C stops everything")
        yield somebody
    finally:
        somebody.stops()


def test_the_installed_connector_is_listed_and_its_configuration_valid(reader: Reader) -> None:
    assert "acme" in reader.types("-m", "waybill", "connectors")
    assert "0 errors, 0 warnings" in reader.types("-m", "waybill", "config", "validate")


def test_the_first_order_passes_acme(reader: Reader) -> None:
    assert re.search(r"acme.*provisioning.*main.*succeeded", reader.said("up"))
    assert re.search(r"A-1 for order-[0-9a-f]{32} under ", reader.said("acme"))


def test_another_order_shows_its_callout_in_the_timeline(reader: Reader) -> None:
    shown = reader.submits("known-in-crm.json")
    assert re.search(r"✓ acme +succeeded", shown)
    assert re.search(r"POST +201 .*/accounts", shown)
    assert "order complete" in shown


def output(order: str, reader: Reader) -> str:
    """Acme's number in the completed order."""
    api = f"http://{reader.environment['WAYBILL_HTTP']}/api/orders"
    found = httpx.get(api, params={"external_id": order}).json()["items"]
    timeline = httpx.get(f"{api}/{found[0]['id']}/timeline").json()["items"]
    results = [entry for entry in timeline if entry["type"] == "StepSucceeded"]
    return str(results[0]["data"]["output"]["account"])


def eventually(wanted: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return True


def test_orders_sent_by_kafka_as_json_and_avro_come_out_completed(reader: Reader) -> None:
    topics, api = reader.topics, f"http://{reader.environment['WAYBILL_HTTP']}"
    reader.start("completed", CLIENTS / "read_completed.py", reader.kafka, topics.order_completed)
    json_file, avro_file = ORDERS / "trial.json", ORDERS / "two-offers.json"
    for arguments in (
        (CLIENTS / "submit_json.py", reader.kafka, json_file, topics.orders),
        (CLIENTS / "submit_avro.py", reader.kafka, api, avro_file, topics.orders),
    ):
        assert reader.types(*arguments).startswith(f"{topics.orders}/")
    for file in (json_file, avro_file):
        external = json.loads(file.read_bytes())["external_id"]
        filters = {"external_id": external, "status": "complete"}
        assert eventually(
            lambda filters=filters: bool(
                httpx.get(f"{api}/api/orders", params=filters).json()["items"]
            )
        )
        assert output(external, reader).startswith("A-")
    assert eventually(
        lambda: reader.said("completed").count("waybill.order.completed.v1 order-") >= 3
    )


def test_views_are_rebuilt_while_everything_runs(reader: Reader) -> None:
    assert "the new views are in use" in reader.types("-m", "waybill", "rebuild")
    assert "HARBOUR-2026-0002" in reader.types("-m", "waybill", "orders")


def test_without_acme_the_order_waits_and_goes_on_when_it_is_back(reader: Reader) -> None:
    reader.started[0].terminate()
    reader.started[0].wait(10)
    external = json.loads((ORDERS / "invoice-evergreen.json").read_bytes())["external_id"]
    reader.types("-m", "waybill", "submit", ORDERS / "invoice-evergreen.json")
    assert eventually(lambda: external in reader.types("-m", "waybill", "orders"))
    assert eventually(lambda: "not_reached" in reader.types("-m", "waybill", "order", external))
    assert "waiting" in reader.types("-m", "waybill", "order", external)
    reader.start("acme again", ACME / "stand_in.py", reader.port)
    assert eventually(lambda: "order complete" in reader.types("-m", "waybill", "order", external))
