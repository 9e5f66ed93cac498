"""`config`: the configuration in use and its versions, checks, and the schema."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from plugins.registry import Registry
from schemas.configuration import Configuration
from waybill.cli.api_client import Api
from waybill.cli.configuration_plan import matrix, plan
from waybill.cli.configuration_versions import AT, diff, history, put, rollback
from waybill.cli.output import (
    ReportedError,
    console,
    emit,
    json_option,
    plain,
    problem,
    show_findings,
    table,
)
from waybill.configuration import (
    check,
    configuration_file,
    connections_file,
    load_configurations,
)
from waybill.configuring.schema import configuration_schema
from waybill.findings import errors
from waybill.settings import Settings, load_settings


@click.group()
def config() -> None:
    """See, check and change the configuration, version by version."""


for _command in (put, diff, history, rollback, plan, matrix):
    config.add_command(_command)


@config.command()
@click.option("--version", type=click.IntRange(1), metavar="N", help="An older version.")
@click.option("--file", "of_file", is_flag=True, help="What the file says, without the API.")
@click.option("--document", is_flag=True, help="The document alone, to be edited and put back.")
@json_option
def show(version: int | None, *, of_file: bool, document: bool, json_output: bool) -> None:
    """Show the configuration in use."""
    settings = load_settings()
    if of_file:
        if document or version:
            wrong = "--file goes with neither --version nor --document"
            raise ReportedError(problem("usage", wrong, "leave one of them out"), exit_code=2)
        _show_file(settings, json_output=json_output)
        return
    with Api(settings) as api:
        number = api.get(AT)["version"] if version is None else version
        found = api.get(f"{AT}/versions/{number}")
    if json_output:
        emit(found)
    elif document:
        click.echo(json.dumps(found["document"], indent=2, ensure_ascii=False))
    else:
        by = f"version {number}, {found['at'][:19]} UTC, by {found['author']}: {found['reason']}"
        console().print(plain(by), style="bold", markup=False)
        _show_parts(found["document"])


@config.command()
@json_option
def schema(*, json_output: bool) -> None:
    """Print the JSON Schema of configurations, for editors; on one line with --json."""
    found = configuration_schema(Registry.found())
    if json_output:
        emit(found)
    else:
        click.echo(json.dumps(found, indent=2))


def _show_file(settings: Settings, *, json_output: bool) -> None:
    found = load_configurations(settings, Registry.found())
    documents = {tenant: _plain(one) for tenant, one in found.items()}
    if json_output:
        emit({"file": str(configuration_file(settings)), "tenants": documents})
        return
    shown = console()
    shown.print(f"{configuration_file(settings)}", style="dim", markup=False)
    for tenant, document in documents.items():
        shown.print(f"\n{tenant}, version {document['version']}", style="bold", markup=False)
        _show_parts(document)


def _plain(configuration: Configuration) -> dict[str, Any]:
    return configuration.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def _show_parts(document: Mapping[str, Any]) -> None:
    parts = [("sequence", document["sequence"]), ("post", document.get("post"))]
    for number, override in enumerate(document.get("overrides") or ()):
        label = f"override {number} ({_orders(override) or 'every order'})"
        parts += [(f"{label} {phase}", override.get(phase)) for phase in ("sequence", "post")]
        parts += [(f"{label} without", [{"name": one} for one in _listed(override.get("exclude"))])]
    rows = [
        (
            label,
            entry.get("id") or entry["name"],
            entry["name"],
            "" if entry.get("critical", True) else "not critical",
        )
        for label, entries in parts
        for entry in entries or ()
    ]
    console().print(table("part", "step", "plugin", "", rows=rows))


def _orders(override: Mapping[str, Any]) -> str:
    axes = ("order_type", "processing_type", "offer_type")
    named = [f"{axis} {' | '.join(_listed(override[axis]))}" for axis in axes if override.get(axis)]
    return ", ".join(named)


def _listed(values: Any) -> Iterable[str]:
    return [values] if isinstance(values, str) else values or ()


@config.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@json_option
def validate(file: Path | None, *, json_output: bool) -> None:
    """Check a configuration (FILE, else that of WAYBILL_CONFIG) with the connections in use.

    Prints file:line:column, path, message and remedy. Exit code 1 where there are errors.
    """
    settings = load_settings()
    settings = settings if file is None else replace(settings, config=file)
    findings = check(settings, Registry.found())
    if json_output:
        emit({"findings": [finding.as_json() for finding in findings]})
    else:
        show_findings(findings)
        wrong = len(errors(findings))
        names = f"{configuration_file(settings)} and {connections_file(settings)}"
        click.echo(f"{plain(names)}: {wrong} errors, {len(findings) - wrong} warnings")
    if errors(findings):
        raise click.exceptions.Exit(1)
