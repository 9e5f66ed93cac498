"""Commands to orders: by id, or to all that a filter finds, with a preview before."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from waybill.cli.api_client import Api
from waybill.cli.bulk import follow, preview
from waybill.cli.commanded import ask, show_commands
from waybill.cli.foretelling import foretell
from waybill.cli.output import ReportedError, emit, json_option, problem
from waybill.settings import load_settings

_Function = TypeVar("_Function", bound=Callable[..., Any])

_FILTERS = ("status", "stage", "order_type", "attention", "plugin", "code", "from", "to")


def _options(*options: Callable[[_Function], _Function]) -> Callable[[_Function], _Function]:
    def decorated(function: _Function) -> _Function:
        for option in reversed(options):
            function = option(function)
        return function

    return decorated


_reason = click.option(
    "--reason", help="Why; it stays in the log. Needed, except with --preview.", metavar="TEXT"
)
_preview = click.option(
    "--preview", "only_preview", is_flag=True, help="Only tell what would happen, and to which."
)
_step = click.option("--step", metavar="STEP", help="The step; else the one the order stands at.")
_command_id = click.option(
    "--id",
    "command_id",
    metavar="ID",
    help="Names the command; the same id again has no second effect.",
)
_waiting = _options(
    click.option("--wait", is_flag=True, help="Wait until the orders have answered."),
    click.option(
        "--timeout",
        type=click.FloatRange(0),
        default=60.0,
        show_default=True,
        help="Seconds to wait.",
    ),
)
_chosen = _options(
    click.argument("ids", nargs=-1, metavar="[ID]..."),
    click.option("--status", help="All orders in this state, for instance failed."),
    click.option("--stage", metavar="PLUGIN", help="All orders that stand at this plugin."),
    click.option("--order-type", help="All orders of this type."),
    click.option("--cause", "attention", help="All orders with this kind of cause."),
    click.option("--plugin", help="With this plugin as the cause."),
    click.option("--code", help="With this code as the cause."),
    click.option("--from", "from_", metavar="TIME", help="Created at or after, with offset."),
    click.option("--to", metavar="TIME", help="Created before, with offset."),
    click.option("--rate", type=click.FloatRange(0, min_open=True), help="Orders per second."),
    _preview,
    click.option("--yes", is_flag=True, help="Do not ask whether these are the orders meant."),
    _reason,
    _command_id,
    _waiting,
    json_option,
)


@click.command()
@_step
@click.option("--current", is_flag=True, help="Under the configuration in use, not the pinned one.")
@_chosen
def retry(*, step: str | None, current: bool, **given: Any) -> None:
    """Try the failed step again.

    IDs are order ids, references or external ids; else options say which orders are meant. A
    failed order opens its next run at the tail of its lane; a waiting one does not wait longer.
    """
    _run("retry", given, step=step, config="current" if current else None)


@click.command()
@_step
@_chosen
def skip(*, step: str | None, **given: Any) -> None:
    """Go on without the step."""
    _run("skip", given, step=step)


@click.command()
@_step
@click.option(
    "--output",
    default="{}",
    metavar="JSON",
    help="What the step hands on: JSON, or @FILE.",
)
@_chosen
def resolve(*, step: str | None, output: str, **given: Any) -> None:
    """Say that the step is done, with its output."""
    _run("resolve", given, step=step, output=_json(output, "--output"))


@click.command()
@_chosen
def pause(**given: Any) -> None:
    """Do nothing more for the order until it is resumed."""
    _run("pause", given)


@click.command()
@_chosen
def resume(**given: Any) -> None:
    """Go on with a paused order."""
    _run("resume", given)


@click.command()
@_chosen
def cancel(**given: Any) -> None:
    """End the order, and undo the steps that say how."""
    _run("cancel", given)


@click.command()
@_chosen
def force_complete(**given: Any) -> None:
    """End the main phase; what is left of it is skipped."""
    _run("force_complete", given)


@click.command()
@_chosen
def release(**given: Any) -> None:
    """Let a queued order pass those that rest before it."""
    _run("release", given)


@click.command()
@click.argument("order_id", metavar="ID")
@click.option(
    "--changes", required=True, metavar="JSON", help="A JSON merge patch (RFC 7396), or @FILE."
)
@click.option("--current", is_flag=True, help="Under the configuration in use, not the pinned one.")
@_preview
@_reason
@_command_id
@_waiting
@json_option
def amend(*, order_id: str, changes: str, current: bool, **given: Any) -> None:
    """Change an order in flight.

    What has to be done again follows from what changed; steps that are done are undone first,
    where they say how.
    """
    body = {"changes": _json(changes, "--changes"), "config": "current" if current else None}
    _to_each("amend", (order_id,), given, body)


def _run(command: str, given: dict[str, Any], **body: Any) -> None:
    given["from"] = given.pop("from_")
    filters = {name: given[name] for name in _FILTERS if given[name] is not None}
    ids = given["ids"]
    if bool(ids) == bool(filters):
        raise click.UsageError("Name orders by their ids, or say by options which are meant.")
    if ids:
        _to_each(command, ids, given, body)
    else:
        _to_all(command, filters, given, body)


def _to_each(command: str, ids: tuple[str, ...], given: dict[str, Any], body: Any) -> None:
    _check_reason(given)
    named = given["command_id"]
    if named and len(ids) > 1:
        raise click.UsageError("--id names one command: give one order, or leave it out.")
    body = {"command": command, "reason": given["reason"], "id": named, **body}
    with Api(load_settings()) as api:
        found = [api.order_id(one) for one in ids]
        if given["only_preview"]:
            if not foretell(api, found, body, json_output=given["json_output"]):
                raise click.exceptions.Exit(1)
            return
        answers = [ask(api, one, body, given["timeout"], wait=given["wait"]) for one in found]
    show_commands(answers, json_output=given["json_output"])
    if any(answer.get("status") == "rejected" or "detail" in answer for answer in answers):
        raise click.exceptions.Exit(1)


def _to_all(command: str, filters: dict[str, Any], given: dict[str, Any], body: Any) -> None:
    _check_reason(given)
    body = {
        "command": command,
        "filter": filters,
        "reason": given["reason"] or "only a preview",
        "id": given["command_id"],
        "rate_per_s": given["rate"],
        **body,
    }
    body = {name: value for name, value in body.items() if value is not None}
    as_json = given["json_output"]
    with Api(load_settings()) as api:
        if given["only_preview"] or not given["yes"]:
            matched = preview(api, body, json_output=as_json)
            if given["only_preview"] or not matched:
                return
            _confirm(command, matched, as_json=as_json)
        begun = api.post("/commands", body)
        progress = follow(api, begun, given["timeout"], json_output=as_json)
    if as_json:
        emit(progress)
    if progress["rejected"] or progress["status"] != "done":
        raise click.exceptions.Exit(1)


def _check_reason(given: dict[str, Any]) -> None:
    if not given["reason"] and not given["only_preview"]:
        raise click.UsageError("Say why: --reason.")


def _confirm(command: str, matched: int, *, as_json: bool) -> None:
    if as_json or not click.get_text_stream("stdin").isatty():
        detail = f"{matched} orders would be asked to {command.replace('_', '-')}, unconfirmed"
        raise ReportedError(problem("unconfirmed", detail, "add --yes if these are meant"))
    click.confirm(f"{command.replace('_', ' ').capitalize()} these {matched} orders?", abort=True)


def _json(text: str, option: str) -> Any:
    try:
        found = json.loads(Path(text[1:]).read_bytes() if text.startswith("@") else text)
    except (ValueError, OSError) as error:
        raise click.UsageError(f"{option} is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f"{option} is not a JSON object.")
    return found
