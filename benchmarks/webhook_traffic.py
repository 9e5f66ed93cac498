"""What a measurement of webhooks needs: endpoints, the outlet's updates, and what has arrived."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import orjson
from aiokafka import AIOKafkaProducer

from benchmarks.stub import free_port
from streams.core.ids import derived_uuid
from streams.core.webhooks.bodies import message_id
from streams.core.webhooks.endpoint import Endpoint, Secret, endpoint_bytes, sealed_secret
from streams.core.webhooks.signing import SigningKey
from waybill import clock
from waybill.keys import load_keys

KINDS = ("accepted", "processing", "completed")
EXAMPLES = Path(__file__).parents[1] / "waybill" / "defaults" / "webhook-examples.json"
TENANT = "default"


class Arrival(NamedTuple):
    """One delivery as the receiver saw it."""

    endpoint: str
    message: str
    order: str
    sequence: int | None
    at: float
    status: int
    digest: str


@dataclass
class Receiver:
    """A receiver that runs."""

    base: str
    secrets: dict[str, str] = field(default_factory=dict)

    def behave(self, **behaviours: str) -> None:
        """From now on endpoints behave like this."""
        given = {
            name: {"secret": self.secrets[name], "behaviour": behaviour}
            for name, behaviour in behaviours.items()
        }
        request = urllib.request.Request(f"{self.base}/_endpoints", json.dumps(given).encode())
        urllib.request.urlopen(request).read()

    def arrivals(self, start: int = 0) -> list[Arrival]:
        """What arrived, from a number on."""
        with urllib.request.urlopen(f"{self.base}/_records?from={start}") as reply:
            return [Arrival(*one) for one in orjson.loads(reply.read())]


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Runs one."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.webhook_receiver", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield Receiver(f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


def endpoints(names: Sequence[str], to: Receiver, data: Path, **more: Any) -> dict[str, Endpoint]:
    """Endpoints by name, known to the receiver as well-behaved; not written to Kafka yet."""
    keys = load_keys(data / "keys.json", create=True)[TENANT]
    now, made = clock.utc_now(), {}
    for name in names:
        endpoint_id = "whe_" + clock.random_bytes(16).hex()
        key = SigningKey("v1", clock.random_bytes(32))
        sealed = sealed_secret(keys, endpoint_id, "s1", key, clock.random_bytes(12))
        made[name] = Endpoint(
            id=endpoint_id,
            tenant=TENANT,
            url=f"{to.base}/hook/{name}",
            events=("order.*",),
            secrets=(Secret("s1", "v1", sealed, None, now),),
            created=now,
            updated=now,
            **more,
        )
        to.secrets[name] = key.shown()
    to.behave(**dict.fromkeys(names, "ok"))
    return made


async def register(bootstrap: str, made: Mapping[str, Endpoint], prefix: str = "") -> None:
    """Writes endpoints to their topic, whose name begins with the prefix."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    for one in made.values():
        await producer.send_and_wait(
            f"{prefix}webhook-endpoints", endpoint_bytes(one), one.id.encode()
        )
    await producer.stop()


def changed(made: Mapping[str, Endpoint], **changes: Any) -> dict[str, Endpoint]:
    """The endpoints with those members changed, as a later revision."""
    return {name: replace(one, revision=one.revision + 1, **changes) for name, one in made.items()}


@dataclass
class Traffic:
    """Updates that were written: when each was durable, by message id."""

    bootstrap: str
    prefix: str = ""
    durable: dict[str, float] = field(default_factory=dict)
    orders: int = 0
    _templates: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        examples = json.loads(EXAMPLES.read_text())
        self._templates = {kind: examples[f"order.{kind}"]["full"]["data"] for kind in KINDS}

    async def publish(self, orders: int, rate: float | None = None) -> None:
        """Three updates of so many orders, at a rate of orders a second; returns when durable."""
        producer = AIOKafkaProducer(bootstrap_servers=self.bootstrap, linger_ms=2)
        await producer.start()
        start, waiting = time.monotonic(), []
        for number in range(orders):
            self.orders += 1
            for sequence, kind in enumerate(KINDS, 1):
                waiting.append(await self._send(producer, self.orders, sequence, kind))
            if rate is not None:
                await asyncio.sleep(max(0.0, start + (number + 1) / rate - time.monotonic()))
        await asyncio.gather(*waiting)
        await producer.stop()

    async def _send(self, producer: Any, number: int, sequence: int, kind: str) -> Any:
        order = f"order-{number:032x}"
        update = derived_uuid("benchmark", order, kind)
        now = clock.utc_now()
        data = {**self._templates[kind], "id": order, "sequence": sequence}
        headers = {
            "ce_specversion": "1.0",
            "ce_id": update,
            "ce_type": f"waybill.order.{kind}.v1",
            "ce_source": f"/tenants/{TENANT}",
            "ce_subject": order,
            "ce_time": now.isoformat(),
        }
        acknowledged = await producer.send(
            f"{self.prefix}order-updates",
            orjson.dumps(data),
            f"{TENANT}/{number}".encode(),
            headers=[(name, text.encode()) for name, text in headers.items()],
        )
        message = message_id(update, f"order.{kind}")
        acknowledged.add_done_callback(lambda _: self._is_durable(message))
        return acknowledged

    def _is_durable(self, message: str) -> None:
        self.durable[message] = time.time()


class Faults(NamedTuple):
    """What must be nothing: deliveries that never came, came out of order, or not as they were."""

    missed: int
    out_of_order: int
    not_verified: int
    other_body: int
    repeated: int


def faults(traffic: Traffic, arrivals: Sequence[Arrival], names: Sequence[str]) -> Faults:
    """Compares what was published with what arrived at these endpoints and was answered 2xx."""
    taken: defaultdict[str, set[str]] = defaultdict(set)
    firsts: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    digests: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    not_verified = other_body = repeated = 0
    for one in arrivals:
        if one.sequence is None:
            not_verified += 1
            continue
        other_body += digests.setdefault(one.message, one.digest) != one.digest
        if one.status == 200:  # noqa: PLR2004 (what the receiver answers)
            taken[one.endpoint].add(one.message)
        if (one.endpoint, one.message) in seen:
            repeated += 1
        else:
            seen.add((one.endpoint, one.message))
            firsts[one.endpoint, one.order].append(one.sequence)
    return Faults(
        missed=sum(len(traffic.durable.keys() - taken[name]) for name in names),
        out_of_order=sum(found != sorted(found) for found in firsts.values()),
        not_verified=not_verified,
        other_body=other_body,
        repeated=repeated,
    )


def latencies_ms(
    traffic: Traffic, arrivals: Sequence[Arrival], names: Sequence[str]
) -> list[float]:
    """From durable to the first attempt, in milliseconds, at these endpoints."""
    first: dict[tuple[str, str], float] = {}
    for one in arrivals:
        if one.endpoint in names:
            first.setdefault((one.endpoint, one.message), one.at)
    return [(at - traffic.durable[message]) * 1000 for (_, message), at in first.items()]
