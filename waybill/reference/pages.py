"""The reference pages: each from the part of the code that it describes."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

import click
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from plugins.api import Connector, Manifest
from plugins.judging import BUYER_MESSAGES
from plugins.registry import Registry
from schemas import configuration, connections
from schemas.steps import OnUnknown
from streams.agents import metrics
from streams.agents.webhooks import metrics as webhook_metrics
from waybill.api.metrics import ApiMetrics
from waybill.cli.main import cli
from waybill.configuration import plugin_facts
from waybill.reference.codes import CODES
from waybill.reference.journeys import journeys
from waybill.reference.markdown import code, members, page, promise, table
from waybill.reference.records import event_pages, topics
from waybill.reference.rest import rest
from waybill.reference.webhooks import webhooks
from waybill.settings import VARIABLES

_WIDTH = 88
_SHIPPED = "plugins.connectors."


def settings() -> str:
    """The page on the environment."""
    rows = [(code(v.name), v.meaning, code(v.default)) for v in VARIABLES]
    return page(
        "Settings",
        "All settings are environment variables; an empty one counts as not set, an unknown one "
        "that begins with `WAYBILL_` stops the start. Only `waybill/settings.py` reads them. "
        "Secrets of connections are read from the variables that the connections name.",
        table(("variable", "meaning", "default"), rows),
    )


def documents() -> str:
    """The page on the documents that tenants write."""
    entry = (configuration.PluginEntry, configuration.RetryPolicy)
    described = (*entry, configuration.Override, configuration.Axes)
    limits = (connections.Limits, connections.Rate, connections.BreakerLimits)
    parts = (connections.Connection, *limits)
    kinds = (connections.NoAuth, connections.BasicAuth, connections.BearerAuth)
    secrets = (connections.SecretFromEnvironment, connections.SecretFromFile)
    return page(
        "Configuration and connections",
        "JSON or YAML. `waybill config validate` checks both documents and says file, line, path "
        'and remedy. One configuration is the tenant `default`\'s; `{"tenants": {name: '
        "configuration}}` holds several.",
        _model("The processing configuration", configuration.Configuration),
        *(_model(model.__name__, model) for model in described),
        f"`on_unknown` is one of {', '.join(code(one.value) for one in OnUnknown)}; where it is "
        "left out, the connector decides ([connectors](connectors.md)).",
        "# Connections\n\n" + promise(connections.Connections),
        *(_model(model.__name__, model) for model in (*parts, *kinds, connections.OAuthAuth)),
        *(_model(model.__name__, model) for model in secrets),
    )


def connectors() -> str:
    """The page on the connectors that are shipped."""
    registry = Registry.found()
    found = [registry.get(name) for name in registry.names()]
    shipped = [one for one in found if one.perform.__module__.startswith(_SHIPPED)]
    unknown = plugin_facts(registry)
    rows = [
        (
            f"[{one.name}](#{one.name.lower()})",
            code(one.manifest.service),
            one.manifest.summary,
            f"{one.manifest.idempotency.value}{', with look-up' if one.look_up else ''}",
            _keys(one.manifest),
            code(unknown[one.name].on_unknown.value),
            "yes" if one.compensation else "no",
            code(one.manifest.connection_name),
        )
        for one in shipped
    ]
    headings = (
        *("plugin", "service", "what it does", "idempotency", "keys", "on_unknown"),
        *("undoes", "needs"),
    )
    return page(
        "Connectors",
        "What a sequence can name, from the connectors' manifests. `idempotency` is what the "
        "partner offers against effects that happen twice, `keys` how it is told, `on_unknown` "
        "what becomes of an unknown outcome where the entry does not say, `undoes` whether an "
        "entry may `compensate`, `needs` the name of the connection. `waybill connectors` lists "
        "what is installed.",
        table(headings, rows),
        *(_connector(one) for one in shipped),
    )


def cli_page() -> str:
    """The page on the command line: what `--help` says."""
    helped = ["## waybill\n\n```text\n" + _help(cli, "waybill") + "\n```"]
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        helped += _helped(command, f"waybill {name}")
    return page("Command line", *helped)


def error_codes() -> str:
    """The page on codes."""
    words = [(code(kind.value), said) for kind, said in BUYER_MESSAGES.items()]
    parts = [
        f"## {section}\n\n" + table(("code", "what happened", "what to do"), _rows(codes))
        for section, codes in CODES.items()
    ]
    return page(
        "Error codes",
        "Codes are stable and for programs. Partners' own codes (Zuora's numbers, Salesforce's "
        "names) and `http_<status>` for other refusals appear as they are.",
        *parts,
        "## What the buyer reads\n\nBy the kind of failure, where a connector has no better words.",
        table(("kind", "words"), words),
    )


def metrics_page() -> str:
    """The page on figures."""
    return page(
        "Metrics",
        "In Prometheus' text format. The API serves its own at `/metrics`; the other processes at "
        "the address in `WAYBILL_METRICS`, beside `/livez` and `/readyz`. All add the usual "
        "figures of a process (`process_...`). Labels never hold an order, a customer or a URL.",
        "## Worker and projector\n\n"
        + table(("name", "kind", "labels", "meaning"), _counted(vars(metrics))),
        "## Webhooks\n\n"
        + table(("name", "kind", "labels", "meaning"), _counted(vars(webhook_metrics))),
        "## API\n\n" + table(("name", "kind", "labels", "meaning"), _served()),
    )


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "settings.md": settings,
    "configuration.md": documents,
    "connectors.md": connectors,
    "journeys.md": journeys,
    "topics.md": topics,
    "webhooks.md": webhooks,
    "events.md": event_pages,
    "rest.md": rest,
    "cli.md": cli_page,
    "error-codes.md": error_codes,
    "metrics.md": metrics_page,
}
"""File names and what writes them."""


def _model(title: str, model: Any) -> str:
    return f"## {title}\n\n{promise(model)}\n\n{members(model)}"


def _keys(manifest: Manifest) -> str:
    if manifest.key_header is None:
        return "none"
    methods = " ".join(sorted(manifest.key_methods))
    hours = manifest.key_valid_for_s and f", {manifest.key_valid_for_s // 3600} h"
    return f"`{manifest.key_header}` on {methods}{hours or ''}"


def _connector(one: Connector) -> str:
    manifest = one.manifest
    facts = [f"At most {manifest.timeout_s:g} s for a step."]
    if manifest.deadline_s is not None:
        facts = ["The options say how long a step may take."]
    if manifest.sealed_outputs:
        facts.append(f"Sealed outputs: {', '.join(map(code, manifest.sealed_outputs))}.")
    if one.previewer is not None:
        facts.append("It previews orders.")
    options = f"### Options of {one.name}\n\n{members(manifest.options, nested=True)}"
    parts = (f"## {one.name}", manifest.summary, manifest.docs, " ".join(facts), options)
    return "\n\n".join(part for part in parts if part)


def _helped(command: click.Command, name: str) -> Iterator[str]:
    yield f"## {name}\n\n```text\n{_help(command, name)}\n```"
    if isinstance(command, click.Group):
        for sub in command.commands.values():
            yield from _helped(sub, f"{name} {sub.name}")


def _help(command: click.Command, name: str) -> str:
    named = cli.context_settings["help_option_names"]
    context = click.Context(command, info_name=name, terminal_width=_WIDTH, help_option_names=named)
    return command.get_help(context)


def _rows(codes: Mapping[str, tuple[str, str]]) -> list[tuple[str, str, str]]:
    return [(code(name), said, remedy) for name, (said, remedy) in codes.items()]


def _counted(found: Mapping[str, Any]) -> Iterator[tuple[str, str, str, str]]:
    for one in found.values():
        if isinstance(one, MetricWrapperBase):
            for family in one.describe():
                yield _row(family, _labels(one))


def _served() -> Iterator[tuple[str, str, str, str]]:
    api = ApiMetrics(lambda: 0)
    known = [one for one in vars(api).values() if isinstance(one, MetricWrapperBase)]
    labels = {family.name: _labels(one) for one in known for family in one.describe()}
    for family in text_string_to_metric_families(api.text().decode()):
        if not family.name.startswith("process_") and not family.name.endswith("_created"):
            yield _row(family, labels.get(family.name, ()))


def _row(family: Any, labels: Iterable[str]) -> tuple[str, str, str, str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    return code(name), family.type, ", ".join(map(code, labels)), family.documentation


def _labels(metric: MetricWrapperBase) -> tuple[str, ...]:
    return tuple(metric._labelnames)  # noqa: SLF001 - there is no public way to ask
