"""The commands that run something until it is stopped, and those that set it up."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import click

from waybill import logs
from waybill.cli.output import ReportedError, json_option, problem
from waybill.embedded.broker import running_bootstrap
from waybill.settings import Settings, load_settings

_log_level = click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="The least level that is logged.",
)


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a process begins. It is imported when it is run, for each one needs other packages."""

    module: str
    function: str

    def loaded(self) -> Callable[..., int | None]:
        """The function, imported."""
        function: Callable[..., int | None] = getattr(
            importlib.import_module(self.module), self.function
        )
        return function

    def run(self, *values: Any) -> None:
        """Run it and end with its exit code."""
        code = self.loaded()(*values)
        if code:
            raise click.exceptions.Exit(code)


ENTRIES = {
    "up": Entry("waybill.up", "run_up"),
    "worker": Entry("waybill.processes", "run_worker"),
    "projector": Entry("waybill.processes", "run_projector"),
    "outlet": Entry("waybill.processes", "run_outlet"),
    "webhooks": Entry("waybill.webhooks", "run_webhooks"),
    "api": Entry("waybill.console", "run_api_and_console"),
    "sandbox": Entry("waybill.sandbox.app", "run_sandbox"),
    "topics": Entry("waybill.up", "run_topics"),
    "rebuild": Entry("waybill.rebuilding", "run_rebuild"),
    "verify": Entry("waybill.rebuilding", "run_verify"),
}


@click.command()
def up() -> None:
    """Run everything on this machine.

    Starts Kafka (unless WAYBILL_KAFKA names one), worker, projector, outlet, webhooks, API
    and sandbox partners, shows a first order, and stays until Ctrl-C.
    """
    ENTRIES["up"].run(start("warning"))


@click.command()
@_log_level
def worker(log_level: str) -> None:
    """Run a worker: takes orders and carries them through their steps."""
    ENTRIES["worker"].run(with_kafka(start(log_level)))


@click.command()
@_log_level
def projector(log_level: str) -> None:
    """Run the projector: keeps the views in the store."""
    ENTRIES["projector"].run(with_kafka(start(log_level)))


@click.command()
@_log_level
def outlet(log_level: str) -> None:
    """Run the outlet: publishes what becomes of orders."""
    ENTRIES["outlet"].run(with_kafka(start(log_level)))


@click.command()
@_log_level
def webhooks(log_level: str) -> None:
    """Run webhooks: delivers to subscribers' endpoints."""
    ENTRIES["webhooks"].run(with_kafka(start(log_level)))


@click.command()
@_log_level
def api(log_level: str) -> None:
    """Run the HTTP API."""
    ENTRIES["api"].run(with_kafka(start(log_level)))


@click.command()
@click.option(
    "--latency",
    type=click.FloatRange(0),
    default=0.0,
    metavar="MS",
    help="Mean time that the partners take, in milliseconds.",
)
@_log_level
def sandbox(latency: float, log_level: str) -> None:
    """Run stand-ins for the partner systems."""
    address = start(log_level).sandbox
    ENTRIES["sandbox"].run(address.host, address.port, latency)


@click.command()
@json_option
def topics(*, json_output: bool) -> None:
    """Create missing topics and check all of them."""
    ENTRIES["topics"].run(start("warning"), json_output)


def start(log_level: str) -> Settings:
    """The settings of a command that runs by itself, once logging is set up."""
    logs.configure(log_level)
    settings = load_settings()
    settings.data.mkdir(parents=True, exist_ok=True)
    return settings


def with_kafka(settings: Settings) -> Settings:
    """The settings with the embedded broker's address, where `up` runs one on the same data."""
    bootstrap = settings.kafka or running_bootstrap(settings.data)
    if bootstrap is None:
        remedy = "name a Kafka in WAYBILL_KAFKA, or run `waybill up`"
        detail = f"there is no Kafka: none is set, and none runs on {settings.data}"
        raise ReportedError(problem("no_kafka", detail, remedy), exit_code=3)
    return replace(settings, kafka=bootstrap)
