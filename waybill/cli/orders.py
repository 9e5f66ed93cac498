"""`submit`, `order` and `orders`: through the API."""

import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import click
from rich.live import Live

from waybill import clock
from waybill.cli.api_client import Api
from waybill.cli.export import FORMATS, export
from waybill.cli.output import ReportedError, console, emit, json_option, plain, problem
from waybill.cli.timeline import ENDS, entry_line, order_view, orders_table
from waybill.settings import load_settings

_POLL_S = 0.2
_SHOWN = 50
_UNSUCCESSFUL = frozenset({"failed", "cancelled"})

_timeout = click.option(
    "--timeout", type=click.FloatRange(0), default=60.0, show_default=True, help="Seconds to wait."
)


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--wait", is_flag=True, help="Wait for the order's end; exit code 1 if it fails.")
@click.option("--follow", is_flag=True, help="Show every step until the order's end.")
@_timeout
@json_option
def submit(file: BinaryIO, *, wait: bool, follow: bool, timeout: float, json_output: bool) -> None:
    """Submit an order.

    FILE holds one order as JSON; - reads it from standard input.
    """
    with Api(load_settings()) as api:
        answer = api.submit(file.read())
        if not wait and not follow:
            _show_answer(answer, json_output=json_output)
            return
        order_id, token = str(answer["id"]), str(answer.get("token") or "") or None
        if follow:
            _show_growing(api, order_id, token, timeout, json_output=json_output)
        order = _ended(api, order_id, token, timeout)
        if not follow:
            _show_order(api, order, json_output=json_output)
    if order["status"] in _UNSUCCESSFUL:
        raise click.exceptions.Exit(1)


@click.command()
@click.argument("order_id", metavar="ID")
@click.option("--follow", is_flag=True, help="Go on until the order's end.")
@click.option("--as-of", metavar="PLACE", help="As it was at a token, an offset or a time.")
@_timeout
@json_option
def order(
    order_id: str, *, follow: bool, as_of: str | None, timeout: float, json_output: bool
) -> None:
    """Show one order: its steps, callouts and errors.

    ID is the order's id, its reference or its external id.
    """
    with Api(load_settings()) as api:
        found = api.order_id(order_id)
        if follow and as_of is not None:
            raise click.UsageError("--follow shows what happens, --as-of what was: choose one.")
        if follow:
            _show_growing(api, found, None, timeout, json_output=json_output)
        else:
            shown = api.get(f"/orders/{found}", as_of=as_of)
            _show_order(api, shown, json_output=json_output, as_of=as_of)


@click.command()
@click.option("--external-id", help="Orders with this external id.")
@click.option("--status", help="Orders in this state, for instance failed.")
@click.option("--order-type", help="Orders of this type, for instance renew.")
@click.option("--stage", help="Orders that stand at this plugin.")
@click.option("--cause", "attention", help="Orders with this kind of cause, see `attention`.")
@click.option("--plugin", help="Orders with this plugin as the cause.")
@click.option("--code", help="Orders with this code as the cause.")
@click.option("--from", "from_", metavar="TIME", help="Created at or after, ISO 8601 with offset.")
@click.option("--to", metavar="TIME", help="Created before, ISO 8601 with offset.")
@click.option("--error-code", help="Orders that this code stopped or delays.")
@click.option("--subscription", help="Orders about the subscription of this reference.")
@click.option("--lane", help="Orders of this lane, which wait for each other.")
@click.option("--mode", type=click.Choice(["production", "test"]), help="Orders of this mode.")
@click.option(
    "--search", "q", metavar="TEXT", help="Words of ids, names, errors, numbers of partners."
)
@click.option(
    "--limit", type=click.IntRange(1), help="How many; 50 where they are shown, else all."
)
@click.option("--follow", is_flag=True, help="Go on with every event of such orders.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", *FORMATS]),
    default="table",
    show_default=True,
    help="All but a table are flat rows; parquet needs the extra `parquet`.",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where to, of jsonl, csv and parquet.",
)
@json_option
def orders(
    *, form: str, output: Path | None, follow: bool, json_output: bool, **filters: Any
) -> None:
    """List orders, the newest first, or export them."""
    limit, filters["from"] = filters.pop("limit"), filters.pop("from_")
    exports = form != "table"
    if (exports and (follow or json_output)) or (output is not None and not exports):
        raise click.UsageError("--format with --output stands alone; --follow and --json do, too.")
    with Api(load_settings()) as api:
        if exports:
            export(islice(api.lines("/orders/export", **filters), limit), form, output)
        elif follow:
            _follow_orders(api, filters, json_output=json_output)
        else:
            found = list(_pages(api, filters, limit or _SHOWN))
            if json_output:
                emit({"items": found})
            elif found:
                console().print(orders_table(found))
            else:
                click.echo("No such orders.")


def _show_answer(answer: dict[str, Any], *, json_output: bool) -> None:
    if json_output:
        emit(answer)
        return
    click.echo(f"{plain(answer['id'])}  {plain(answer['status'])}")
    click.echo(f"Watch it with: waybill order {plain(answer['id'])} --follow")


def _show_order(
    api: Api, order: dict[str, Any], *, json_output: bool, as_of: str | None = None
) -> None:
    timeline = api.get(f"/orders/{order['id']}/timeline", as_of=as_of)["items"]
    if json_output:
        events = api.get(f"/orders/{order['id']}/process-events", as_of=as_of)
        emit({**order, "timeline": timeline, "process_events": events})
    else:
        console().print(order_view(order, timeline))


def _states(
    api: Api, order_id: str, token: str | None, timeout: float
) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The order and its timeline whenever there is something new, to its end."""
    until, known = clock.monotonic() + timeout, -1
    while True:
        try:
            order = api.get(f"/orders/{order_id}", min_offset=token)
        except ReportedError as error:
            if error.problem.get("code") != "view_behind" or clock.monotonic() > until:
                raise
            continue  # the API waits for the views, and gives up sooner than we do
        timeline = api.get(f"/orders/{order_id}/timeline")["items"]
        # The timeline may be newer than the order: its end is told in any case.
        if len(timeline) > known or order["status"] in ENDS:
            known = len(timeline)
            yield order, timeline
        if order["status"] in ENDS:
            return
        if clock.monotonic() > until:
            status = order["status"]
            detail = f"the order is still {status} after {timeout:g} s"
            remedy = f"go on with `waybill order {order_id} --follow`"
            raise ReportedError(problem("still_open", detail, remedy))
        token = None
        time.sleep(_POLL_S)


def _ended(api: Api, order_id: str, token: str | None, timeout: float) -> dict[str, Any]:
    order: dict[str, Any] = {}
    for order, _ in _states(api, order_id, token, timeout):  # noqa: B007 - the last one counts
        pass
    return order


def _show_growing(
    api: Api, order_id: str, token: str | None, timeout: float, *, json_output: bool
) -> None:
    """On a terminal the order is drawn anew; else each event is a line."""
    states = _states(api, order_id, token, timeout)
    shown = console()
    if shown.is_terminal and not json_output:
        with Live(console=shown, auto_refresh=False) as live:
            for order, timeline in states:
                live.update(order_view(order, timeline), refresh=True)
        return
    seen = 0
    for _, timeline in states:
        for entry in timeline[seen:]:
            emit(entry) if json_output else shown.print(entry_line(entry))
        seen = len(timeline)


def _pages(api: Api, filters: dict[str, str | None], limit: int) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while limit > 0:
        page = api.get("/orders", limit=min(limit, 200), cursor=cursor, **filters)
        yield from page["items"][:limit]
        limit -= len(page["items"])
        cursor = page.get("next")
        if cursor is None:
            return


def _follow_orders(api: Api, filters: dict[str, str | None], *, json_output: bool) -> None:
    filtered = any(value is not None for value in filters.values())
    if filters["q"] is not None:
        raise click.UsageError("--search cannot be followed; use the other filters.")
    shown = console()
    for entry in api.events():
        if filtered and not _matches(api, str(entry.get("order")), filters):
            continue
        if json_output:
            emit(entry)
        else:
            shown.print(entry_line(entry))


def _matches(api: Api, order_id: str, filters: dict[str, str | None]) -> bool:
    """Whether the order is one of those asked for, as it stands now."""
    return bool(api.get("/orders", **{**filters, "q": order_id, "limit": "1"})["items"])
