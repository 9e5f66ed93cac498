"""`doctor`: what is wrong with this installation, and what to do."""

import click
from rich.text import Text

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
