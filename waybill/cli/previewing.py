"""`preview`: what an order would do, through the API."""

from typing import Any, BinaryIO

import click
from rich.text import Text

from waybill.cli.api_client import Api
from waybill.cli.output import console, emit, json_option, plain, table
from waybill.settings import load_settings


@click.command()
@click.argument("file", type=click.File("rb"))
@json_option
def preview(file: BinaryIO, *, json_output: bool) -> None:
    """Show what an order would do; nothing is written.

    FILE holds one order as JSON; - reads it from standard input.
    """
    with Api(load_settings()) as api:
        answer = api.preview(file.read())
    if json_output:
        emit(answer)
    else:
        _show(answer)


def _show(answer: dict[str, Any]) -> None:
    shown = console()
    effective = f"{plain(answer['order_type'])}, effective {plain(answer['effectiveDate'])}"
    shown.print(Text(effective, "bold"))
    rows = [
        *(_row("charge", one, answer) for one in answer["futureCharges"]),
        *(_row("credit", one, answer) for one in answer["credits"]),
    ]
    if rows:
        shown.print(table("", "date", "amount", "for", "by", rows=rows))
    else:
        shown.print("Nothing is charged and nothing given back.")
    for warning in answer["warnings"]:
        shown.print(Text(f"warning: {plain(warning)}", "yellow"))


def _row(kind: str, one: dict[str, Any], answer: dict[str, Any]) -> tuple[Any, ...]:
    amount = f"{one['amount']} {answer['currency'] or ''}".rstrip()
    return (kind, one.get("date"), amount, one.get("description"), one["step"])
