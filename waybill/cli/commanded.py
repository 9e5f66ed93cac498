"""Asking one order, waiting for its answer, and showing answers."""

from collections.abc import Iterable, Mapping
from typing import Any

import click
from rich.text import Text

from waybill import clock
from waybill.cli.api_client import Api
from waybill.cli.output import ReportedError, console, emit, json_option, plain, problem, table
from waybill.settings import load_settings

_LONGEST_WAIT_S = 20
_COLOURS = {"applied": "green", "rejected": "red", "sent": "cyan", "pending": "yellow"}
_OPEN = frozenset({"sent", "pending"})
_WAIT = {"Prefer": f"wait={_LONGEST_WAIT_S}"}


def ask(
    api: Api, order_id: str, body: Mapping[str, Any], timeout: float, *, wait: bool
) -> dict[str, Any]:
    """The command as the order answered it; a problem document where it was not even sent."""
    given = {name: value for name, value in body.items() if value is not None}
    path = f"/orders/{order_id}/commands"
    until = clock.monotonic() + timeout
    try:
        answer = api.post(path, given, _WAIT if wait and timeout else {})
    except ReportedError as error:
        if error.exit_code != 1:
            raise
        return {"order": order_id, "command": body["command"], **error.problem}
    while wait and answer["status"] in _OPEN and clock.monotonic() < until:
        answer = answered(api, answer)
    return answer


def answered(api: Api, command: dict[str, Any]) -> dict[str, Any]:
    """The command once it is answered, or as it is after some seconds."""
    try:
        return api.get(f"/commands/{command['id']}", min_offset=command["token"])
    except ReportedError as error:
        if error.problem.get("code") not in {"view_behind", "not_found"}:
            raise
        return command


def show_commands(commands: Iterable[Mapping[str, Any]], *, json_output: bool) -> None:
    """One line for each."""
    if json_output:
        emit({"items": list(commands)})
        return
    rows = [
        (
            Text(
                plain(one.get("status") or "refused"), _COLOURS.get(str(one.get("status")), "red")
            ),
            one.get("command"),
            one.get("order"),
            one.get("id"),
            _why(one),
        )
        for one in commands
    ]
    console().print(table("status", "command", "order", "id", "answer", rows=rows))


def _why(command: Mapping[str, Any]) -> str:
    if "detail" in command:
        return f"{command['code']}: {command['detail']}"
    return f"{command['code']}: {command['answer']}" if command.get("code") else ""


@click.command()
@click.argument("command_id", metavar="ID")
@json_option
def command(command_id: str, *, json_output: bool) -> None:
    """Show a command, or the progress of a bulk, by its id."""
    with Api(load_settings()) as api:
        found = _either(api, command_id)
    if json_output:
        emit(found)
    elif "matched" in found:
        for name, value in found.items():
            click.echo(f"{name:<11} {plain(value)}")
    else:
        show_commands([found], json_output=False)
    if found.get("status") == "rejected" or found.get("rejected"):
        raise click.exceptions.Exit(1)


def _either(api: Api, command_id: str) -> dict[str, Any]:
    for path in ("/commands/", "/commands/bulk/"):
        try:
            return api.get(path + command_id.replace("/", "%2F"))
        except ReportedError as error:
            if error.problem.get("code") != "not_found":
                raise
    detail = f"there is no command and no bulk {command_id!r}, or none was read yet"
    raise ReportedError(problem("not_found", detail, "check the id, or try again in a moment"))
