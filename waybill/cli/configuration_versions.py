"""`config put`, `config diff`, `config history` and `config rollback`: through the API."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from rich.text import Text

from streams.core.config_changes import changes, patch, text_diff
from waybill.cli.api_client import Api
from waybill.cli.output import (
    ReportedError,
    console,
    emit,
    json_option,
    plain,
    problem,
    show_findings,
    table,
)
from waybill.documents import open_document
from waybill.findings import Finding, Severity
from waybill.settings import load_settings

AT = "/processing-config"
_COLOURS = {"added": "green", "removed": "red", "changed": "yellow"}

_file = click.Path(exists=True, dir_okay=False, path_type=Path)
_reason = click.option("--reason", required=True, help="Why; kept with the version.")
_base = click.option(
    "--base",
    type=click.IntRange(0),
    metavar="N",
    help="The version that must be in use; else nothing is changed.",
)


@click.command()
@click.argument("file", type=_file)
@_reason
@_base
@click.option("--force", is_flag=True, help="Whatever version is in use now.")
@json_option
def put(file: Path, reason: str, base: int | None, *, force: bool, json_output: bool) -> None:
    """Make FILE the next version; orders under way keep theirs.

    FILE says by its `version` which version it was made from: another one in use is not
    overwritten. `waybill config show --document` writes such a file.
    """
    document = open_document(file).value
    if base is None and isinstance(document, dict) and isinstance(document.get("version"), int):
        base = document["version"]
    if base is None and not force:
        detail = f"{file} does not say which version it was made from"
        remedy = "give --base, or --force to overwrite whichever is in use"
        raise ReportedError(problem("no_base", detail, remedy, "/version"))
    headers = {"If-Match": "*" if force else f'"{base}"'}
    with Api(load_settings()) as api:
        try:
            made = api.put(AT, file.read_bytes(), headers, reason=reason)
        except ReportedError as reported:
            if json_output:
                raise
            raise ReportedError(placed(reported.problem, file), reported.exit_code) from None
    _show_made(made, file, json_output=json_output)


@click.command()
@click.argument("version", type=click.IntRange(1))
@_reason
@_base
@json_option
def rollback(version: int, reason: str, base: int | None, *, json_output: bool) -> None:
    """Make an older VERSION the next one."""
    body = {"version": version, "reason": reason}
    with Api(load_settings()) as api:
        used = api.get(AT)["version"] if base is None else base
        made = api.post(f"{AT}/rollback", body, {"If-Match": f'"{used}"'})
    _show_made(made, None, json_output=json_output)


@click.command()
@click.option("--limit", type=click.IntRange(1, 50), default=20, show_default=True)
@json_option
def history(limit: int, *, json_output: bool) -> None:
    """List the versions, the newest first: when, by whom and why."""
    with Api(load_settings()) as api:
        found = api.get(f"{AT}/versions", limit=limit)
    if json_output:
        emit(found)
        return
    members = ("version", "at", "author", "reason")
    rows = [[one[member] for member in members] for one in found["items"]]
    console().print(table(*members, rows=rows))


@click.command()
@click.argument("old")
@click.argument("new", type=click.IntRange(1), required=False)
@click.option("--text", is_flag=True, help="A unified diff instead of a line for each change.")
@json_option
def diff(old: str, new: int | None, *, text: bool, json_output: bool) -> None:
    """Show what differs between two versions: OLD and NEW (else the one in use).

    Where OLD is a file, that is compared with the version in use, as its successor.
    """
    with Api(load_settings()) as api:
        if old.isdecimal():
            found = api.get(f"{AT}/diff", **{"from": old, "to": new})
        else:
            found = _with_file(api.get(AT), Path(old))
    if json_output:
        emit(found)
    elif text:
        click.echo(found["text"])
    else:
        _show_changes(found)


def _with_file(used: Mapping[str, Any], path: Path) -> dict[str, Any]:
    draft = open_document(path).value
    if not isinstance(draft, dict):
        raise ReportedError(problem("malformed", f"{path} holds no object", "write an object"))
    names = f"version {used['version']}", str(path)
    return {
        "from": used["version"],
        "to": str(path),
        "patch": patch(used, draft),
        "changes": [
            {"place": one.place, "what": one.what, "text": one.text} for one in changes(used, draft)
        ],
        "text": "\n".join(text_diff(used, draft, names)),
    }


def _show_changes(found: Mapping[str, Any]) -> None:
    if not found["changes"]:
        click.echo("No difference.")
        return
    rows = [
        (Text(one["what"], _COLOURS[one["what"]]), one["place"], one["text"])
        for one in found["changes"]
    ]
    console().print(table("", "where", "what", rows=rows))


def _show_made(made: Mapping[str, Any], file: Path | None, *, json_output: bool) -> None:
    if json_output:
        emit(made)
        return
    show_findings(finding_of(one, file) for one in made["findings"])
    said = "is in use now" if made["new"] else "says that already, and stays in use"
    click.echo(f"version {made['version']} {said}")


def placed(told: Mapping[str, Any], file: Path) -> Mapping[str, Any]:
    """The problem with its findings at their places in the file."""
    if "findings" not in told:
        return told
    return {**told, "findings": [plain(finding_of(one, file)) for one in told["findings"]]}


def finding_of(told: Mapping[str, Any], file: Path | None) -> Finding:
    """What the API has found, in the file that was sent."""
    return Finding(
        code=told["code"],
        message=told["message"],
        remedy=told["remedy"],
        severity=Severity(told["severity"]),
        path=told["path"],
        file=None if file is None else str(file),
        line=told["line"],
        column=told["column"],
    )
