"""`config show` and `config validate`."""

from dataclasses import replace
from pathlib import Path

import click

from plugins.registry import Registry
from waybill.cli.output import console, emit, json_option, plain, show_findings, table
from waybill.configuration import (
    check,
    configuration_file,
    connections_file,
    load_configurations,
)
from waybill.findings import errors
from waybill.settings import load_settings


@click.group()
def config() -> None:
    """Show and check the configuration and the connections."""


@config.command()
@json_option
def show(*, json_output: bool) -> None:
    """Show the processing configuration in use."""
    settings = load_settings()
    found = load_configurations(settings, Registry.found())
    if json_output:
        tenants = {name: one.model_dump(exclude_defaults=True) for name, one in found.items()}
        emit({"file": str(configuration_file(settings)), "tenants": tenants})
        return
    shown = console()
    shown.print(f"{configuration_file(settings)}", style="dim", markup=False)
    for tenant, configuration in found.items():
        shown.print(f"\n{tenant}, version {configuration.version}", style="bold", markup=False)
        parts = [("sequence", configuration.sequence), ("post", configuration.post)]
        for number, override in enumerate(configuration.overrides):
            axes = override.model_dump(
                include={"order_type", "processing_type", "offer_type"}, exclude_none=True
            )
            named = ", ".join(f"{axis} {' | '.join(values)}" for axis, values in axes.items())
            label = f"override {number} ({named or 'every order'})"
            parts += [(f"{label} sequence", override.sequence)] if override.sequence else []
            parts += [(f"{label} post", override.post)] if override.post else []
        rows = [
            (label, entry.id or entry.name, entry.name, "" if entry.critical else "not critical")
            for label, entries in parts
            for entry in entries
        ]
        shown.print(table("part", "step", "plugin", "", rows=rows))


@config.command()
@click.argument(
    "file", required=False, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@json_option
def validate(file: Path | None, *, json_output: bool) -> None:
    """Check a configuration (FILE, else the one in use) with the connections in use.

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
