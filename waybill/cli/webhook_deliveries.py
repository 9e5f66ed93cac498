"""`webhook test`, `deliveries`, `delivery` and `replay`: what was sent, and sending it again."""

import json
import time
from typing import Any

import click
from rich.text import Text

from waybill import clock
from waybill.cli.api_client import Api
from waybill.cli.output import ReportedError, console, emit, json_option, plain, problem, table
from waybill.settings import load_settings

_COLOURS = {"delivered": "green", "failed": "red", "pending": "yellow", "discarded": "dim"}
_POLL_S = 0.3

_filters = (
    click.option("--status", type=click.Choice(list(_COLOURS))),
    click.option("--type", "type_", metavar="TYPE", help="The type, such as order.failed."),
    click.option("--order", metavar="ID", help="The order."),
    click.option("--from", "from_", metavar="TIME", help="Made at or after, with offset."),
    click.option("--to", metavar="TIME", help="Made before, with offset."),
)


def _filtered(command: Any) -> Any:
    for option in reversed(_filters):
        command = option(command)
    return command


@click.command()
@click.argument("endpoint_id", metavar="ID")
@click.option("--type", "type_", metavar="TYPE", help="Send the example of this type instead.")
@click.option(
    "--timeout",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    help="Seconds to wait for the first attempt; 0 does not wait.",
)
@click.option("--reason", help="Why; it stays in the audit.")
@json_option
def test(
    endpoint_id: str,
    *,
    type_: str | None,
    timeout: float,
    reason: str | None,
    json_output: bool,
) -> None:
    """Send `webhook.test` to an endpoint, and show what came of it."""
    body = {} if type_ is None else {"type": type_}
    with Api(load_settings()) as api:
        sent = api.post(f"/webhook-endpoints/{endpoint_id}/test", body, reason=reason)
        path, until = f"/webhook-deliveries/{sent['delivery']}", clock.monotonic() + timeout
        found = api.get(path)
        while not found["attempts"] and clock.monotonic() < until:
            time.sleep(_POLL_S)
            found = api.get(path)
    _show(found, json_output=json_output)
    if timeout and found["status"] != "delivered":
        raise click.exceptions.Exit(1)


@click.command()
@click.option("--endpoint", metavar="ID", help="The endpoint.")
@_filtered
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True)
@json_option
def deliveries(*, endpoint: str | None, limit: int, json_output: bool, **given: str | None) -> None:
    """List deliveries, the newest first."""
    query = {**_query(given), "endpoint": endpoint}
    items: list[dict[str, Any]] = []
    following: str | None = None
    with Api(load_settings()) as api:
        while len(items) < limit:
            page = api.get(
                "/webhook-deliveries", **query, cursor=following, limit=min(limit - len(items), 500)
            )
            items += page["items"]
            following = page["next"]
            if following is None:
                break
    if json_output:
        emit({"items": items, "next": following})
    elif not items:
        click.echo("No such deliveries.")
    else:
        console().print(_table(items))
        if following is not None:
            click.echo("and more; say --limit")


@click.command()
@click.argument("delivery_id", metavar="ID")
@json_option
def delivery(delivery_id: str, *, json_output: bool) -> None:
    """Show one delivery: its request and all attempts."""
    with Api(load_settings()) as api:
        _show(api.get(f"/webhook-deliveries/{delivery_id}"), json_output=json_output)


@click.command()
@click.argument("delivery_ids", metavar="[ID]...", nargs=-1)
@click.option("--endpoint", metavar="ID", help="The endpoint whose deliveries are meant.")
@_filtered
@click.option("--preview", "only_preview", is_flag=True, help="Only say how many.")
@click.option("--yes", is_flag=True, help="Do not ask whether so many are meant.")
@click.option("--reason", help="Why; it stays in the audit. Needed, except with --preview.")
@json_option
def replay(
    delivery_ids: tuple[str, ...],
    *,
    endpoint: str | None,
    only_preview: bool,
    yes: bool,
    json_output: bool,
    **given: str | None,
) -> None:
    """Deliver again: by ids, or what a filter finds of one endpoint.

    The messages keep their ids and bodies, and their order among those of the same order.
    """
    reason = given.pop("reason")
    body = {name: value for name, value in _query(given).items() if value is not None}
    if bool(delivery_ids) == bool(endpoint) or (delivery_ids and body):
        raise click.UsageError("Give ids of deliveries, or --endpoint and a filter.")
    if not only_preview and not reason:
        raise click.UsageError("Say why: --reason.")
    with Api(load_settings()) as api:
        if delivery_ids:
            answer = _replay_each(api, delivery_ids, None if only_preview else reason)
        else:
            path = f"/webhook-endpoints/{endpoint}/replay"
            answer = api.post(path, {**body, "preview": True})
            if not only_preview and answer["matched"]:
                _confirm(answer["matched"], yes=yes, as_json=json_output)
                answer = api.post(path, body, reason=reason)
    if json_output:
        emit(answer)
    else:
        click.echo(f"{answer['matched']} deliveries, {answer['replayed']} on their way again")


def _replay_each(api: Api, ids: tuple[str, ...], reason: str | None) -> dict[str, Any]:
    """How many there are, and are made again where there is a reason to."""
    paths = [f"/webhook-deliveries/{one}" for one in ids]
    if reason is None:
        return {"matched": len([api.get(path) for path in paths]), "replayed": 0}
    answers = [api.post(f"{path}/replay", {}, reason=reason) for path in paths]
    replayed = sum(one["replayed"] for one in answers)
    return {"matched": replayed, "replayed": replayed}


def _query(given: dict[str, str | None]) -> dict[str, Any]:
    names = {"type_": "type", "from_": "from"}
    return {names.get(name, name): value for name, value in given.items()}


def _confirm(matched: int, *, yes: bool, as_json: bool) -> None:
    if yes:
        return
    if as_json or not click.get_text_stream("stdin").isatty():
        detail = f"{matched} deliveries would be made again, unconfirmed"
        raise ReportedError(problem("unconfirmed", detail, "add --yes if these are meant"))
    click.confirm(f"Make {matched} deliveries again?", abort=True)


def _table(items: list[dict[str, Any]]) -> Any:
    rows = [
        (
            one["id"],
            _status(one),
            one["type"],
            one["order"],
            str(one["attempts"]),
            _outcome(one),
            f"{one['created'][:19]}Z",
        )
        for one in items
    ]
    return table("id", "status", "type", "order", "attempts", "last", "made", rows=rows)


def _status(found: dict[str, Any]) -> Text:
    return Text(plain(found["status"]), _COLOURS.get(found["status"], ""))


def _outcome(found: dict[str, Any]) -> str:
    latency = found["last_latency_ms"]
    took = "" if latency is None else f" in {latency} ms"
    return f"{found['last_error'] or found['last_status'] or ''}{took}"


def _show(found: dict[str, Any], *, json_output: bool) -> None:
    if json_output:
        emit(found)
        return
    shown = console()
    shown.print(Text.assemble((plain(found["id"]), "bold"), "  ", _status(found)))
    for name in ("type", "order", "endpoint", "message", "created", "next_attempt", "replays"):
        if found[name] not in {None, 0}:
            shown.print(
                Text.assemble((f"  {name.replace('_', ' '):<14}", "dim"), plain(found[name]))
            )
    request = found["request"]
    body = "sealed" if request["sealed"] else json.dumps(request["body"], ensure_ascii=False)
    shown.print(Text.assemble(("  body          ", "dim"), plain(body)))
    rows = [
        (
            str(one["attempt"]),
            one["at"],
            one["status"] or "",
            f"{one['duration_ms']} ms",
            one["error"],
            one["response"],
        )
        for one in found["attempts_log"]
    ]
    if rows:
        shown.print(Text())
        shown.print(table("attempt", "at", "status", "took", "error", "answer", rows=rows))
