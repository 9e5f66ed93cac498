"""What the commands print: text for people, JSON for programs, problems on stderr."""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from waybill.findings import Finding, Severity

_WIDTH_OF_PIPES = 200

json_option = click.option("--json", "json_output", is_flag=True, help="Print JSON.")


class ReportedError(Exception):
    """Ends a command with a problem: `exit_code` 1 for refusals, 3 where nobody answers."""

    def __init__(self, problem: Mapping[str, Any], exit_code: int = 1) -> None:
        super().__init__(str(problem.get("detail")))
        self.problem = problem
        self.exit_code = exit_code


def problem(code: str, detail: str, remedy: str, field: str | None = None) -> dict[str, Any]:
    """A problem document as the API words them (RFC 9457)."""
    made = {"type": f"urn:waybill:problem:{code}", "code": code, "detail": detail}
    return {**made, "remedy": remedy, **({} if field is None else {"field": field})}


def console() -> Console:
    """For people; wide and without colour where nobody looks."""
    width = None if sys.stdout.isatty() else _WIDTH_OF_PIPES
    return Console(highlight=False, width=width, soft_wrap=True)


def emit(value: Any) -> None:
    """One line of JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, default=str))


def plain(value: Any) -> str:
    """Text of others, without what a terminal would obey."""
    text = "" if value is None else str(value)
    return "".join(c if c.isprintable() else " " for c in text)


def table(*headings: str, rows: Iterable[Iterable[Any]]) -> Table:
    """A table of texts; a cell may be a `Text` of its own."""
    made = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 3, 0, 0))
    for heading in headings:
        # An id that is broken in two cannot be copied.
        made.add_column(heading, overflow="fold", no_wrap=heading == "id")
    for row in rows:
        made.add_row(*[cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row])
    return made


def show_findings(findings: Iterable[Finding]) -> None:
    """One line each, as compilers write them, so that editors find the place."""
    colours = {Severity.ERROR: "red", Severity.WARNING: "yellow"}
    shown = console()
    for finding in findings:
        line = Text(plain(finding))
        line.highlight_words([f" {finding.severity.value}:"], colours[finding.severity])
        shown.print(line)


def show_problem(document: Mapping[str, Any], *, as_json: bool) -> None:
    """On stderr: code, message, remedy."""
    if as_json:
        click.echo(json.dumps(document, ensure_ascii=False, default=str), err=True)
        return
    shown = Console(stderr=True, highlight=False, soft_wrap=True)
    line = Text.assemble((f"{plain(document.get('code') or 'failed')}: ", "red"))
    line.append(plain(document.get("detail") or document.get("title")))
    if document.get("field"):
        line.append(f" ({plain(document['field'])})", "dim")
    shown.print(line)
    for finding in document.get("findings", ()):
        shown.print(Text(f"  {plain(finding)}"))
    if document.get("remedy"):
        shown.print(Text(f"  {plain(document['remedy'])}", "cyan"))
