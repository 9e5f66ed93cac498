"""`waybill connectors`: what is installed, what each states about itself, and a new one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from plugins.registry import Registry, UnknownPluginError
from waybill.cli.output import ReportedError, console, emit, json_option, plain, problem, table
from waybill.connector_views import connector_line, connector_view, option_rows
from waybill.scaffold import BadNameError, write_connector


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def connectors(context: click.Context, *, json_output: bool) -> None:
    """See the plugins that a sequence can name, and write a new one."""
    if context.invoked_subcommand is None:
        _list(Registry.found(), as_json=json_output)


@connectors.command()
@click.argument("name")
@json_option
def show(name: str, *, json_output: bool) -> None:
    """Show a connector: what it states about itself, and its options."""
    try:
        found = connector_view(Registry.found(), name)
    except UnknownPluginError as unknown:
        detail, _, hint = str(unknown).partition(": ")
        raise ReportedError(problem(unknown.code, detail, hint, "name")) from None
    if json_output:
        emit(found)
        return
    shown = console()
    shown.print(Text.assemble((found["name"], "bold"), f"  {plain(found['summary'])}"))
    for label, value in _facts(found):
        shown.print(Text.assemble((f"  {label:<14}", "dim"), plain(value)))
    if found["docs"]:
        shown.print(Text(f"\n{plain(found['docs'])}"))
    rows = option_rows(found["options"])
    if rows:
        shown.print()
        shown.print(table("option", "type", "default", "meaning", rows=rows))


@connectors.command()
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(file_okay=False, path_type=Path),
    help="The folder to write into; by default waybill-NAME.",
)
@json_option
def new(name: str, into: Path | None, *, json_output: bool) -> None:
    """Write a connector, its tests and its page, as a distribution of its own.

    Its tests pass as they are: change them with the connector, one conversation at a time.
    """
    try:
        files = write_connector(name, into, Registry.found().names())
    except BadNameError as refused:
        raise ReportedError(problem(refused.code, str(refused), refused.remedy, "name")) from None
    if json_output:
        emit({"files": [str(path) for path in files]})
        return
    for path in files:
        click.echo(f"  {path}")
    folder = files[0].parent
    click.echo(f"\nTest it:  python -m pytest -c {folder}/pyproject.toml {folder}")
    click.echo(f"Join it:  python -m pip install --editable {folder}")


def _list(registry: Registry, *, as_json: bool) -> None:
    if as_json:
        for name in registry.names():
            emit(connector_view(registry, name))
        return
    lines = [connector_line(registry, name) for name in registry.names()]
    rows = [
        (
            one["name"],
            one["service"],
            one["idempotency"],
            "yes" if one["looks_up"] else "no",
            one["connection"],
            one["distribution"],
            one["summary"],
        )
        for one in lines
    ]
    headings = ("plugin", "service", "idempotency", "looks up", "connection", "from")
    console().print(table(*headings, "what it does", rows=rows))


def _facts(found: Mapping[str, Any]) -> Sequence[tuple[str, str]]:
    can = [
        word
        for word, member in (
            ("look up", "looks_up"),
            ("undo", "compensates"),
            ("preview", "previews"),
        )
        if found[member]
    ]
    return (
        ("from", found["distribution"] or "Waybill"),
        ("service", found["service"]),
        ("connection", found["connection"] or "as its options say"),
        ("idempotency", found["idempotency"]),
        ("can", ", ".join(can) or "perform"),
        ("at most", f"{found['timeout_s']:g} s for a step"),
    )
