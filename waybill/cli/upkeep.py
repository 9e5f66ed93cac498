"""`doctor` and `keys`."""

from pathlib import Path

import click
from rich.text import Text

from waybill import clock
from waybill.api.auth import Scope, new_api_key
from waybill.api_key_file import add_api_key
from waybill.cli.output import console, emit, json_option, plain
from waybill.doctor import Diagnosis, diagnose
from waybill.findings import Severity, errors
from waybill.settings import load_settings


@click.command()
@json_option
def doctor(*, json_output: bool) -> None:
    """Check this installation and say what to do.

    Exit code 1 where something is an error.
    """
    found = diagnose(load_settings())
    if json_output:
        emit({"checks": [diagnosis.as_json() for diagnosis in found]})
    else:
        shown = console()
        for diagnosis in found:
            shown.print(_line(diagnosis))
            for finding in diagnosis.findings:
                shown.print(Text(f"      {plain(finding)}"))
    if any(errors(diagnosis.findings) for diagnosis in found):
        raise click.exceptions.Exit(1)


def _line(diagnosis: Diagnosis) -> Text:
    marks = {None: ("✓", "green"), Severity.WARNING: ("!", "yellow"), Severity.ERROR: ("✗", "red")}
    mark, colour = marks[diagnosis.severity]
    name = f"{diagnosis.name:<14}"
    return Text.assemble((f"  {mark} ", colour), (name, "bold"), plain(diagnosis.detail))


@click.group()
def keys() -> None:
    """API keys."""


@keys.command()
@click.option("--tenant", default="default", show_default=True, help="Whose key it is.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    default=("read", "submit"),
    show_default=True,
    help="What it allows; may be repeated.",
)
@click.option(
    "--file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The file of hashed keys; by default that of WAYBILL_API_KEYS, else in WAYBILL_DATA.",
)
@json_option
def new(tenant: str, scopes: tuple[str, ...], file: Path | None, *, json_output: bool) -> None:
    """Make an API key, print it once, and keep its hash."""
    settings = load_settings()
    path = (file or settings.api_keys or settings.data / "api-keys.json").absolute()
    text, entry = new_api_key(tenant, [Scope(scope) for scope in scopes], clock.random_bytes)
    add_api_key(path, entry)
    if json_output:
        emit({"key": text, "file": str(path), **{k: v for k, v in entry.items() if k != "hash"}})
        return
    click.echo(text)
    click.echo(f"This is shown once. Its hash is in {path}.", err=True)
    if settings.api_keys != path:
        click.echo(f"The API takes it with WAYBILL_API_KEYS={path}", err=True)
