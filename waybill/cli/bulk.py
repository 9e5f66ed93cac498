"""A command to many orders: which they are, and how far it is."""

import time
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from waybill import clock
from waybill.cli.api_client import Api
from waybill.cli.foretelling import tell_some
from waybill.cli.output import console, emit, plain, table
from waybill.cli.timeline import status_text

_POLL_S = 0.3
_OPEN = frozenset({"sending", "deciding"})


def preview(api: Api, body: dict[str, Any], *, json_output: bool) -> int:
    """Shows how many orders are meant and which; their number."""
    found = api.post("/commands", {**body, "preview": True})
    if json_output:
        emit(found)
        return int(found["matched"])
    shown = console()
    if not found["matched"]:
        click.echo("No such orders.")
        return 0
    shown.print(Text(f"{found['matched']} orders", "bold"))
    rows = [
        (str(group["orders"]), status_text(group["status"]), group["plugin"], group["code"])
        for group in found["groups"]
    ]
    shown.print(table("orders", "status", "plugin", "code", rows=rows))
    some = [
        (one["id"], one["external_id"], one["order_type"], one["next_action"])
        for one in found["some"]
    ]
    shown.print(table("id", "external id", "type", "next", rows=some))
    left = found["matched"] - len(some)
    if left > 0:
        shown.print(Text(f"and {left} more", "dim"))
    tell_some(shown, found["some"])
    return int(found["matched"])


def follow(
    api: Api, progress: dict[str, Any], patience: float, *, json_output: bool
) -> dict[str, Any]:
    """The bulk's progress, drawn until all orders have answered, or none does for so long."""
    stderr = Console(stderr=True, highlight=False)
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
        TimeRemainingColumn(),
        console=stderr,
        disable=not stderr.is_terminal,
    )
    with bar:
        task = bar.add_task(str(progress["command"]), total=progress["matched"], pace="")
        known, until = _known(progress), clock.monotonic() + patience
        while progress["status"] in _OPEN and clock.monotonic() < until:
            time.sleep(_POLL_S)
            progress = api.get(f"/commands/bulk/{progress['id']}")
            if _known(progress) != known:
                known, until = _known(progress), clock.monotonic() + patience
            rate = progress["rate_per_s"]
            bar.update(
                task,
                total=progress["matched"],
                completed=progress["applied"] + progress["rejected"],
                pace="" if rate is None else f"{rate:g}/s",
            )
    if not json_output:
        _tell(progress)
    return progress


def _known(progress: dict[str, Any]) -> tuple[Any, ...]:
    return progress["sent"], progress["applied"], progress["rejected"]


def _tell(progress: dict[str, Any]) -> None:
    shown = console()
    shown.print(
        f"{progress['applied']} applied, {progress['rejected']} rejected"
        f" of {progress['matched']}; bulk {plain(progress['id'])}"
    )
    for code, count in progress["rejections"].items():
        shown.print(Text(f"  {count} {plain(code)}", "red"))
    if progress["pending"]:
        shown.print(
            f"{progress['pending']} have not answered yet; see `waybill command` and the id"
        )
    if progress["status"] == "interrupted":
        shown.print(Text(f"interrupted; go on with --id {plain(progress['id'])}", "yellow"))
