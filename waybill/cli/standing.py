"""What needs a person, what stages do, and holding them."""

from typing import Any

import click
from rich.text import Text

from waybill.cli.api_client import Api
from waybill.cli.output import console, emit, json_option, plain, table
from waybill.settings import load_settings

_BREAKERS = {"closed": "green", "half_open": "yellow", "open": "red"}
_reason = click.option("--reason", required=True, help="Why; others see it.")


@click.command()
@json_option
def attention(*, json_output: bool) -> None:
    """List what needs a person, grouped by cause."""
    with Api(load_settings()) as api:
        found = api.get("/attention")["items"]
    if json_output:
        emit({"items": found})
        return
    people = [cause for cause in found if cause["needs_person"]]
    others = [cause for cause in found if not cause["needs_person"]]
    shown = console()
    if not people:
        click.echo("Nothing needs a person.")
    else:
        shown.print(_causes(people))
    if others:
        shown.print(Text("\nThese go on by themselves:", "dim"))
        shown.print(_causes(others))


def _causes(causes: list[dict[str, Any]]) -> Any:
    rows = [
        (
            str(cause["orders"]),
            Text(plain(cause["kind"]), "red" if cause["needs_person"] else "yellow"),
            cause["plugin"],
            cause["code"],
            str(cause["oldest"])[:19] + "Z",
            cause["some"][0] if cause["some"] else "",
        )
        for cause in causes
    ]
    return table("orders", "cause", "plugin", "code", "since", "one of them", rows=rows)


@click.command()
@json_option
def stages(*, json_output: bool) -> None:
    """Show what each plugin did, and how its stages are."""
    with Api(load_settings()) as api:
        found = api.get("/stages")
    if json_output:
        emit(found)
        return
    counts = ("attempts", "succeeded", "failed", "in_doubt", "deferred")
    rows = [
        (one["name"], *(str(one[name]) for name in counts), _mean(one)) for one in found["items"]
    ]
    shown = console()
    shown.print(table("plugin", *counts, "mean ms", rows=rows))
    standing = [stage for one in found["items"] for stage in one["stages"]]
    if standing:
        shown.print(Text())
        shown.print(
            table(
                *("stage", "breaker", "in flight", "last 5 min", "orders waiting", "held"),
                rows=[_standing(stage) for stage in standing],
            )
        )
    if not found["controls_known"]:
        shown.print(Text("Kafka was not read yet: held stages are not shown.", "yellow"))


def _mean(plugin: dict[str, Any]) -> str:
    return f"{plugin['duration_ms'] / plugin['attempts']:.0f}" if plugin["attempts"] else ""


def _standing(stage: dict[str, Any]) -> tuple[Any, ...]:
    held = stage["held"]
    since = f" since {held['at'][:19]}Z" if held and held["at"] else ""
    said = f"by {held['actor']}{since}: {held['reason']}" if held else "no"
    live = stage["live"] or {}
    breaker = str(live.get("breaker", "-"))
    flight = f"{live['in_flight']} of {live['slots']}" if live else "-"
    return (
        stage["id"],
        Text(breaker.replace("_", " "), _BREAKERS.get(breaker, "dim")),
        flight,
        _lately(live.get("recent")),
        str(stage["waiting"]),
        Text(plain(said), "yellow" if held else "dim"),
    )


def _lately(recent: dict[str, Any] | None) -> str:
    """What came of the latest attempts."""
    if not recent or not recent["attempts"]:
        return "-"
    return f"{recent['failed']} of {recent['attempts']} failed"


@click.group()
def stage() -> None:
    """Hold a stage, or release it."""


@stage.command()
@click.argument("name", metavar="STAGE")
@_reason
@json_option
def hold(name: str, *, reason: str, json_output: bool) -> None:
    """Send nothing more to a partner; its orders wait.

    STAGE is <plugin>@<host>, as `waybill stages` shows it, or <plugin> for all hosts.
    """
    _command(name, "hold", reason, json_output=json_output)


@stage.command("release")
@click.argument("name", metavar="STAGE")
@_reason
@json_option
def release_stage(name: str, *, reason: str, json_output: bool) -> None:
    """Go on sending; waiting orders follow at the stage's rate."""
    _command(name, "release", reason, json_output=json_output)


def _command(name: str, command: str, reason: str, *, json_output: bool) -> None:
    path = f"/stages/{name.replace('/', '%2F')}/commands"
    with Api(load_settings()) as api:
        answer = api.post(path, {"command": command, "reason": reason})
    if json_output:
        emit(answer)
    else:
        click.echo(f"{plain(answer['stage'])}: {plain(answer['command'])}, on its way to workers")
