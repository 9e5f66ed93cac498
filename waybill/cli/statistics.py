"""`statistics` and `lag`: figures of stages and order types, and how far every reader is."""

from collections.abc import Mapping
from typing import Any

import click
from rich.text import Text

from waybill.cli.api_client import Api
from waybill.cli.output import console, emit, json_option, table
from waybill.settings import load_settings

_COUNTS = {
    "stage": ("attempts", "succeeded", "failed", "in_doubt", "deferred"),
    "order_type": ("accepted", "completed", "failed", "cancelled", "reopened"),
}
_GOOD = 0.99
_CAUSES_SHOWN = 3
_LONG_S = 60
_UNITS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"))
_SECOND_MS = 1000


@click.command()
@click.option(
    "--by",
    type=click.Choice(["stage", "order_type"]),
    default="stage",
    show_default=True,
    help="What plugins did, or what became of orders.",
)
@click.option("--from", "from_", metavar="TIME", help="ISO 8601 with offset; a day ago if missing.")
@click.option("--to", metavar="TIME", help="ISO 8601 with offset; now if missing.")
@click.option("--interval", type=click.Choice(["hour", "day"]), help="One row for each.")
@click.option("--name", help="One plugin or order type.")
@click.option("--mode", type=click.Choice(["production", "test"]), help="Orders of this mode.")
@json_option
def statistics(*, from_: str | None, json_output: bool, **query: str | None) -> None:
    """Show counts, rates, durations and causes of errors."""
    with Api(load_settings()) as api:
        found = api.get("/statistics", **query, **{"from": from_})
    if json_output:
        emit(found)
        return
    shown = console()
    shown.print(Text(f"{_clock(found['from'])} to {_clock(found['to'])}", "dim"))
    if not found["items"]:
        click.echo("Nothing happened.")
        return
    counts = _COUNTS[found["by"]]
    spans = () if found["interval"] is None else ("from",)
    headings = (*spans, found["by"].replace("_", " "), *(n.replace("_", " ") for n in counts))
    rows = [_row(one, counts, with_span=bool(spans)) for one in found["items"]]
    more = ("per hour", "good", "p50", "p95", "p99", "causes of errors")
    shown.print(table(*headings, *more, rows=rows))


def _row(one: Mapping[str, Any], counts: tuple[str, ...], *, with_span: bool) -> tuple[Any, ...]:
    took, good = one["duration_ms"], one["success"]
    share = "" if good is None else f"{good:.1%}"
    causes = [f"{cause['code']} {cause['count']}" for cause in one["errors"][:_CAUSES_SHOWN]]
    return (
        *((_clock(one["from"]),) if with_span else ()),
        one["name"],
        *(str(one["counts"][name]) for name in counts),
        f"{one['per_hour']:g}",
        Text(share, "green" if good is None or good >= _GOOD else "yellow"),
        *(_duration(took[name]) for name in ("p50", "p95", "p99")),
        ", ".join(causes),
    )


@click.command()
@json_option
def lag(*, json_output: bool) -> None:
    """Show how far every reader of a topic is, and how long records wait for it."""
    with Api(load_settings()) as api:
        found = api.get("/lag")
    if json_output:
        emit(found)
        return
    rows = [
        (
            one["name"],
            one["topic"],
            Text(str(one["behind"]), "green" if not one["behind"] else "yellow"),
            _age(one["waiting_s"]),
            _behind(one["partitions"]),
        )
        for one in found["items"]
    ]
    console().print(table("reader", "topic", "behind", "oldest waits", "partitions", rows=rows))


def _behind(partitions: list[dict[str, Any]]) -> str:
    """Those that are behind."""
    return ", ".join(f"{one['partition']}: {one['behind']}" for one in partitions if one["behind"])


def _age(seconds: float | None) -> Text:
    if seconds is None:
        return Text("")
    colour = "yellow" if seconds < _LONG_S else "red"
    for size, unit in _UNITS:
        if seconds >= size:
            return Text(f"{seconds / size:.1f} {unit}", colour)
    return Text(f"{seconds:.2f} s", colour)


def _duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    if milliseconds < _SECOND_MS:
        return f"{milliseconds:.0f} ms"
    return _age(milliseconds / _SECOND_MS).plain


def _clock(moment: str) -> str:
    return f"{moment[:10]} {moment[11:16]}Z"
