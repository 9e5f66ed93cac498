"""Everything on this machine: Kafka, all processes, a first order, until Ctrl-C."""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from aiokafka.errors import KafkaError
from rich.console import Console

from streams.kafka.admin import Cluster, TopicsReport, ensure_topics
from streams.topics import Topics
from waybill import clock
from waybill.embedded.broker import EmbeddedBroker, running_bootstrap
from waybill.embedded.errors import EmbeddedError
from waybill.keys import KeysError, load_keys
from waybill.ports import LOOPBACK, free_port, is_free
from waybill.settings import Address, Settings, SettingsError, child_environment
from waybill.supervisor import Child, NotReadyError, RefusedError, Supervisor, stop_requested
from waybill.welcome import WelcomeError, show_first_order

READY_SECONDS = 60.0
KAFKA_LOOK_S = 1.0
KAFKA_PAUSE_S = 16.0

_UNSERVED = ("worker", "projector", "outlet", "webhooks")
"""The processes without an address of their own: they get one for probes and metrics."""

_EXPECTED = (
    SettingsError,
    KeysError,
    EmbeddedError,
    NotReadyError,
    RefusedError,
    WelcomeError,
    KafkaError,
)

_console = Console(highlight=False)


def run_up(settings: Settings) -> int:
    """Starts everything and stays until SIGINT or SIGTERM; the process's exit code."""
    started = clock.monotonic()
    try:
        settings.check_exposure()
        _check_ports(settings)
        # Made here, once: of the processes only some may make keys, and they start together.
        load_keys(settings.keys, create=settings.keys_are_ours)
        with _kafka(settings) as (cluster, broker):
            return asyncio.run(_up(settings, cluster, broker, started))
    except _EXPECTED as error:
        _console.print(str(error), style="red", markup=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130


def run_topics(settings: Settings, json_output: bool) -> int:  # noqa: FBT001 - one command's switch
    """Creates missing topics and shows all findings; 1 where one of them refuses a start."""
    bootstrap = settings.kafka or running_bootstrap(settings.data)
    if bootstrap is None:
        _console.print(f"No Kafka: set WAYBILL_KAFKA, or run `waybill up` on {settings.data}.")
        return 1
    cluster = Cluster(bootstrap, settings.kafka_security, embedded=settings.kafka is None)
    try:
        report = asyncio.run(ensure_topics(cluster, Topics(settings.topic_prefix)))
    except KafkaError as error:
        _console.print(f"[red]Kafka at {bootstrap}:[/] {error}")
        return 1
    if json_output:
        sys.stdout.write(json.dumps(asdict(report)) + "\n")
    else:
        _show(report)
    return 1 if report.refusals else 0


@contextmanager
def _kafka(settings: Settings) -> Iterator[tuple[Cluster, EmbeddedBroker | None]]:
    if settings.kafka is not None:
        yield Cluster(settings.kafka, settings.kafka_security), None
        return
    broker = EmbeddedBroker(settings.data, _console.print)
    with broker as bootstrap:
        yield Cluster(bootstrap, embedded=True), broker


async def _up(
    settings: Settings, cluster: Cluster, broker: EmbeddedBroker | None, started: float
) -> int:
    report = await ensure_topics(cluster, Topics(settings.topic_prefix))
    for finding in report.findings:
        _console.print(f"[yellow]{finding.severity}[/] {finding.topic or 'Kafka'}:", end=" ")
        _console.print(f"{finding.message}. {finding.remedy}. [{finding.code}]", markup=False)
    if report.refusals:
        return 1
    _console.print(f"Kafka answers at [cyan]{cluster.bootstrap}[/].")
    supervisor = Supervisor(settings.data / "logs")
    async with stop_requested() as stop:
        try:
            supervisor.start(children(settings, cluster.bootstrap))
            supervised = asyncio.create_task(supervisor.refused())
            staying = asyncio.create_task(_stay(settings, supervisor, started))
            keeping = asyncio.create_task(_keep(broker))
            await _first_of(asyncio.create_task(stop.wait()), supervised, staying, keeping)
        finally:
            _console.print("Stopping.")
            await supervisor.stop()
    return 0


async def _stay(settings: Settings, supervisor: Supervisor, started: float) -> None:
    """Shows the first order once everything is ready, and stays."""
    await supervisor.ready(READY_SECONDS)
    await show_first_order(settings.http.url)
    _console.print(f"From start to finished order: {clock.monotonic() - started:.1f} s.")
    _show_addresses(settings)
    await asyncio.Event().wait()


async def _keep(broker: EmbeddedBroker | None) -> None:
    """Starts our Kafka again whenever it ends, as it does when its disk is full."""
    pause = KAFKA_LOOK_S
    while True:
        await asyncio.sleep(pause)
        code = None if broker is None else broker.revive()
        if code is None:
            pause = max(KAFKA_LOOK_S, pause / 2)
            continue
        pause = min(KAFKA_PAUSE_S, pause * 4)
        assert broker is not None
        _console.print(f"Kafka ended with code {code} and is started again: {broker.log_file}")


async def _first_of(*tasks: "asyncio.Task[Any]") -> None:
    """Until the first of them is done; raises what it raised."""
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        await task


def children(settings: Settings, bootstrap: str) -> list[Child]:
    """The processes of one machine, in the order in which they start."""
    common = {
        "WAYBILL_KAFKA": bootstrap,
        "WAYBILL_TOPIC_PREFIX": settings.topic_prefix,
        "WAYBILL_HTTP": str(settings.http),
        "WAYBILL_SANDBOX": str(settings.sandbox),
        "WAYBILL_DATABASE": settings.database,
        "WAYBILL_DATA": str(settings.data),
        "WAYBILL_KEYS": str(settings.keys),
        # Unset stays unset: each process then takes what we ship, which follows the sandbox.
        "WAYBILL_CONFIG": str(settings.config or ""),
        "WAYBILL_CONNECTIONS": str(settings.connections or ""),
        # Else nothing on this machine could receive a webhook, and the sandbox is there to.
        "WAYBILL_WEBHOOK_ALLOW": settings.webhook_allow or settings.sandbox.url.split("//")[1],
        "WAYBILL_METRICS": "",
        "PYTHONSAFEPATH": "1",
    }
    made = [_child("sandbox", common, f"{settings.sandbox.url}/livez")]
    for name in _UNSERVED:
        probes = Address(LOOPBACK, free_port())
        environment = {**common, "WAYBILL_METRICS": str(probes)}
        made.append(_child(name, environment, f"{probes.url}/readyz"))
    made.append(_child("api", common, f"{settings.http.url}/readyz"))
    return made


def _child(name: str, environment: dict[str, str], ready_url: str) -> Child:
    argv = [sys.executable, "-m", "waybill", name]
    return Child(name, argv, child_environment(environment), ready_url)


def _check_ports(settings: Settings) -> None:
    for name, address in (("WAYBILL_HTTP", settings.http), ("WAYBILL_SANDBOX", settings.sandbox)):
        if not is_free(address.port, address.host):
            raise SettingsError(
                "setting_unusable",
                name,
                f"{address} is taken by another program, or not an address of this machine",
                f"Stop that program, or set {name} to another address",
            )


def _show_addresses(settings: Settings) -> None:
    api = settings.http.url
    for what, where in (
        ("Console", f"{api}/"),
        ("Orders", f"{api}/api/orders"),
        ("OpenAPI", f"{api}/api/openapi.json"),
        ("Metrics", f"{api}/metrics"),
        ("Sandbox partners", f"{settings.sandbox.url}/_journal"),
        ("Logs", str(settings.data / "logs")),
    ):
        _console.print(f"  {what:<17} [cyan]{where}[/]", soft_wrap=True)
    _console.print("Ctrl-C stops everything; the orders stay.")


def _show(report: TopicsReport) -> None:
    for name, fact in report.facts.items():
        state = "created" if name in report.created else "found"
        _console.print(f"{name:<24} {fact.partitions} partitions, {fact.cleanup}, {state}")
    for finding in report.findings:
        _console.print(f"{finding.severity}: {finding.topic or 'Kafka'}: {finding.message}.")
        _console.print(f"  {finding.remedy}. [{finding.code}]", markup=False)
