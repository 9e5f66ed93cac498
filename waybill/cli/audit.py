"""`audit`: who did what and why, through the API."""

from collections.abc import Iterator, Mapping
from typing import Any

import click
from rich.text import Text

from projections.audit import AuditKind
from waybill.cli.api_client import Api
from waybill.cli.output import console, emit, json_option, plain, table
from waybill.settings import load_settings

_MOST_OF_A_PAGE = 200
_COLOURS = {"refused": "red", "rejected": "red", "asked": "yellow", "pending": "yellow"}


@click.command()
@click.option("--kind", type=click.Choice([kind.value for kind in AuditKind]))
@click.option("--actor", help="Who did it.")
@click.option(
    "--about",
    "subject",
    metavar="NAME",
    help="An order, a stage, an endpoint, a record, a version.",
)
@click.option("--bulk", metavar="ID", help="Each command of this bulk, one by one.")
@click.option("--from", "from_", metavar="TIME", help="At or after, ISO 8601 with offset.")
@click.option("--to", metavar="TIME", help="Before, ISO 8601 with offset.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many.")
@json_option
def audit(*, limit: int, from_: str | None, json_output: bool, **filters: str | None) -> None:
    """List who did what and why, the newest first."""
    with Api(load_settings()) as api:
        found = list(_pages(api, {**filters, "from": from_}, limit))
    if json_output:
        emit({"items": found})
    elif found:
        rows = [
            (
                f"{one['at'][:19]}Z",
                one["actor"],
                plain(one["action"]),
                one["kind"].replace("_", " "),
                Text(plain(one["subject"]), no_wrap=True),
                Text(one["outcome"], _COLOURS.get(one["outcome"], "green")),
                plain(one["reason"] or ""),
            )
            for one in found
        ]
        console().print(table("at", "who", "did", "to", "named", "outcome", "why", rows=rows))
    else:
        click.echo("Nobody did anything that fits.")


def _pages(api: Api, filters: Mapping[str, str | None], limit: int) -> Iterator[dict[str, Any]]:
    cursor, left = None, limit
    while left > 0:
        page = api.get("/audit", **filters, cursor=cursor, limit=min(left, _MOST_OF_A_PAGE))
        yield from page["items"]
        left, cursor = left - len(page["items"]), page["next"]
        if cursor is None:
            return
