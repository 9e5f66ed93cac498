"""A running Waybill for tests: every process of it, on the session's Kafka, in its own folder."""

import copy
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from streams.topics import Topics
from waybill.clock import random_bytes
from waybill.ports import free_port
from waybill.running import FAILED

ROOT = Path(__file__).parents[2]
DEFAULTS = ROOT / "waybill" / "defaults"
ORDER = json.loads((ROOT / "examples" / "order-new.json").read_bytes())
PROCESSES = ("sandbox", "worker", "projector", "outlet", "api")
READY_S = 120.0
PATIENCE_S = 20.0

BUYER = {
    "firstName": "Wilhelmine",
    "lastName": "Quillfeather",
    "email": "w.quillfeather@example.com",
    "phone": "+44 20 7946 0777",
}
ADDRESS = {
    "address1": "17 Lanternwick Passage",
    "city": "Marrowby",
    "postalCode": "MQ7 4ZZ",
    "country": "GB",
}
PAYMENT = {"refId": "8ad0ffee9c3d1e4f019c4b7722aa9999", "token": "page-token-7Hq2x"}
PERSONAL = [*BUYER.values(), ADDRESS["address1"], ADDRESS["city"], ADDRESS["postalCode"]]
PERSONAL += PAYMENT.values()

STEPS = [
    {"name": "salesforceV3", "service": "salesforce", "critical": True},
    {"name": "zuora", "service": "zuora", "critical": True},
    {
        "name": "calloutPlugin",
        "service": "loyalty",
        "critical": False,
        "options": {"endpoint": "/loyalty"},
    },
]
POST = [{"name": "entitlements", "service": "limio", "critical": False}]
SMALL = {"version": 3, "sequence": POST}
CONFIGURATION = {
    "tenants": {"default": {"version": 1, "sequence": STEPS, "post": POST}, "acme": SMALL}
}
"""The second tenant, `acme`, only ever asks for entitlements."""


def an_order(external_id: str | None = None, **changes: Any) -> dict[str, Any]:
    """A new order of an invented buyer; an external id of its own, unless given."""
    order = copy.deepcopy(ORDER)
    order["external_id"] = external_id or f"T-{random_bytes(6).hex()}"
    order["customerDetails"] = dict(BUYER)
    order["billingDetails"] = order["deliveryDetails"] = dict(ADDRESS)
    order["payment"]["zuora"].update(PAYMENT)
    return {**order, **changes}


@dataclass
class Stack:
    """The processes started so far, and clients of what they serve."""

    kafka: str
    topics: Topics
    folder: Path
    environment: dict[str, str]
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    probes: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Of the API's server."""
        return f"http://{self.environment['WAYBILL_HTTP']}"

    @property
    def sandbox(self) -> str:
        """Of the partners."""
        return f"http://{self.environment['WAYBILL_SANDBOX']}"

    def start(self, name: str, program: str | None = None) -> None:
        """One process; several of a program need names of their own."""
        at = {"sandbox": f"{self.sandbox}/livez", "api": f"{self.url}/readyz"}
        address = f"127.0.0.1:{free_port()}"
        environment = dict(self.environment)
        if name not in at:
            environment["WAYBILL_METRICS"] = address
        self.probes[name] = at.get(name, f"http://{address}/readyz")
        with self.log_file(name).open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", "waybill", program or name],
                env=environment,
                stdout=log,
                stderr=log,
            )

    def ready(self, *names: str) -> None:
        """Waits until these are ready."""
        for name in names:
            self.until(lambda name=name: self._answers(name), READY_S)

    def kill(self, name: str) -> None:
        """As a crash would."""
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    def stop(self) -> None:
        """Ends all at once; how they end when asked to is a matter of `test_up_running.py`."""
        for process in self.processes.values():
            process.kill()
        for process in self.processes.values():
            process.wait()

    def log_file(self, name: str) -> Path:
        """Where a process's output goes."""
        return self.folder / f"{name}.log"

    def metrics(self, name: str) -> bytes:
        """What a process tells Prometheus."""
        return httpx.get(self.probes[name].replace("/readyz", "/metrics")).content

    def cli(self, *arguments: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """A command, with the settings of the stack."""
        return subprocess.run(
            [sys.executable, "-m", "waybill", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def submit(self, order: Mapping[str, Any], **headers: str) -> dict[str, Any]:
        """The API's answer to the order."""
        answer = httpx.post(f"{self.url}/api/order", json=order, headers=headers, timeout=40)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def order(self, order_id: str) -> dict[str, Any]:
        """The order as it stands; empty where the views do not hold it."""
        answer = httpx.get(f"{self.url}/api/orders/{order_id}")
        return dict(answer.json()) if answer.is_success else {}

    def orders(self) -> list[dict[str, Any]]:
        """All orders, page by page."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] | None = {"limit": 100}
        while query is not None:
            page = httpx.get(f"{self.url}/api/orders", params=query).json()
            found += page["items"]
            query = {"limit": 100, "cursor": page["next"]} if page["next"] else None
        return found

    def ended(self, order_id: str) -> dict[str, Any]:
        """The order at its end."""
        return self.until(
            lambda: (
                order
                if (order := self.order(order_id)).get("status") in {"complete", "failed"}
                else None
            )
        )

    def until(self, wanted: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
        """What `wanted` gives once it gives something; who wants to be started again, is."""
        deadline = time.monotonic() + seconds
        while not (found := wanted()):
            for name, process in list(self.processes.items()):
                code = process.poll()
                if code == FAILED:
                    self.start(name)
                elif code not in {None, -signal.SIGKILL}:
                    raise AssertionError(f"{name} ended: {self.log_file(name).read_text()[-2000:]}")
            assert time.monotonic() < deadline, f"not within {seconds:.0f} s; see {self.folder}"
            time.sleep(0.05)
        return found

    def fault(self, partner: str, **more: Any) -> None:
        """Lets a partner misbehave."""
        body = {"partner": partner, "mode": "status", **more}
        assert httpx.post(f"{self.sandbox}/_faults", json=body).status_code == 201

    def mend(self) -> None:
        """Lets all partners behave."""
        assert httpx.delete(f"{self.sandbox}/_faults").status_code == 204

    async def produce(
        self,
        *records: tuple[bytes | None, bytes | None, dict[str, str]],
        partition: int | None = None,
        topic: str | None = None,
    ) -> None:
        """Key, value and headers of records, of `orders` where no topic is named, as one batch."""
        topic = topic or self.topics.orders
        producer = AIOKafkaProducer(
            bootstrap_servers=self.kafka, max_request_size=4 << 20, linger_ms=50
        )
        await producer.start()
        try:
            for key, value, headers in records:
                named = [(name, text.encode()) for name, text in headers.items()]
                await producer.send(topic, value, key, partition, headers=named)
        finally:
            await producer.stop()

    async def read(
        self,
        topic: str,
        is_enough: Callable[[list[ConsumerRecord]], bool] = lambda _: True,
        seconds: float = PATIENCE_S,
    ) -> list[ConsumerRecord]:
        """All records of a topic by a plain consumer, until it is at the end and has enough."""
        consumer = AIOKafkaConsumer(
            topic,
            bootstrap_servers=self.kafka,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        await consumer.start()
        found: list[ConsumerRecord] = []
        deadline = time.monotonic() + seconds
        try:
            ends = await consumer.end_offsets(consumer.assignment())
            count = sum(ends.values())
            while len(found) < count or not is_enough(found):
                assert time.monotonic() < deadline, f"{len(found)} records of {topic} are too few"
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    found += records
        finally:
            await consumer.stop()
        return found

    def _answers(self, name: str) -> bool:
        try:
            return httpx.get(self.probes[name], timeout=2).is_success
        except httpx.TransportError:
            return False


def clean_environment(**more: str) -> dict[str, str]:
    """This process's environment without settings of Waybill, and with `more`."""
    ours = {name: text for name, text in os.environ.items() if not name.startswith("WAYBILL_")}
    return {**ours, "PYTHONSAFEPATH": "1", "PYTHONUNBUFFERED": "1", **more}


@contextmanager
def running_stack(
    kafka: str,
    topics: Topics,
    folder: Path,
    configuration: Mapping[str, Any] = CONFIGURATION,
    *,
    processes: Sequence[str] = PROCESSES,
    **more: str,
) -> Iterator[Stack]:
    """These processes, ready; with `more` in their environment."""
    sandbox = f"127.0.0.1:{free_port()}"
    (folder / "config.json").write_text(json.dumps(configuration))
    (folder / "connections.json").write_text(json.dumps(_connections(sandbox)))
    _write_keys(folder / "keys.json")
    environment = clean_environment(
        WAYBILL_KAFKA=kafka,
        WAYBILL_TOPIC_PREFIX=topics.prefix,
        WAYBILL_DATA=str(folder / "data"),
        WAYBILL_HTTP=f"127.0.0.1:{free_port()}",
        WAYBILL_SANDBOX=sandbox,
        WAYBILL_WEBHOOK_ALLOW=sandbox,
        WAYBILL_CONFIG=str(folder / "config.json"),
        WAYBILL_CONNECTIONS=str(folder / "connections.json"),
        WAYBILL_KEYS=str(folder / "keys.json"),
        **more,
    )
    (folder / "data").mkdir()
    stack = Stack(kafka, topics, folder, environment)
    try:
        for name in processes:
            stack.start(name)
        stack.ready(*processes)
        yield stack
    finally:
        stack.stop()


def _connections(sandbox: str) -> dict[str, Any]:
    """The shipped ones for both tenants, at the sandbox's address."""
    text = (DEFAULTS / "connections.json").read_text().replace("127.0.0.1:8490", sandbox)
    text = text.replace('"sandbox-client', f'"{DEFAULTS}/sandbox-client')
    default = json.loads(text)["default"]
    return {"default": default, "acme": default}


def _write_keys(path: Path) -> None:
    keys = {tenant: {"id": tenant, "key": _KEYS[tenant]} for tenant in _KEYS}
    path.write_text(json.dumps({"tenants": keys}))
    path.chmod(0o600)


_KEYS = {"default": "ZGRk" * 10 + "ZGQ=", "acme": "YWFh" * 10 + "YWE="}
"""Base64 of 32 bytes each."""
