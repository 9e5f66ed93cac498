"""`keys`: API keys in their file; the API reads it when it starts, and keeps it in the audit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from waybill import clock
from waybill.api.auth import ApiKeysError, KeyAct, Scope, load_api_keys, new_api_key
from waybill.api_key_file import add_api_key, revoke_api_key
from waybill.cli.output import ReportedError, console, emit, json_option, problem, table
from waybill.settings import load_settings, operator_name

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _file(command: _Command) -> _Command:
    return click.option(
        "--file",
        type=click.Path(dir_okay=False, path_type=Path),
        help="The file of hashed keys; by default that of WAYBILL_API_KEYS, else in WAYBILL_DATA.",
    )(command)


@click.group()
def keys() -> None:
    """Make API keys, list and revoke them."""


@keys.command("list")
@_file
@json_option
def list_keys(file: Path | None, *, json_output: bool) -> None:
    """List the keys: what they allow, who made them, and which are revoked."""
    path = _path(file)
    with _usable():
        found = load_api_keys(path)
    if json_output:
        plain = [key.model_dump(mode="json", exclude={"hash"}) for key in found]
        emit(
            {"file": str(path), "items": [one | {"scopes": sorted(one["scopes"])} for one in plain]}
        )
        return
    rows = [
        (
            key.id,
            key.tenant,
            ", ".join(sorted(scope.value for scope in key.scopes)),
            key.actor,
            key.expires,
            _act(key.made),
            _act(key.revoked),
        )
        for key in found
    ]
    headings = ("id", "tenant", "scopes", "actor", "expires", "made", "revoked")
    console().print(table(*headings, rows=rows))


@keys.command()
@click.option("--tenant", default="default", show_default=True, help="Whose key it is.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([scope.value for scope in Scope]),
    multiple=True,
    default=("read", "submit"),
    show_default=True,
    help="What it allows; may be repeated.",
)
@_file
@click.option("--reason", help="What it is for; it stays in the audit.")
@json_option
def new(
    tenant: str,
    scopes: tuple[str, ...],
    file: Path | None,
    *,
    reason: str | None,
    json_output: bool,
) -> None:
    """Make an API key, print it once, and keep its hash."""
    path = _path(file)
    wanted = [Scope(scope) for scope in scopes]
    text, entry = new_api_key(tenant, wanted, clock.random_bytes, _now(reason))
    with _usable():
        add_api_key(path, entry)
    if json_output:
        emit({"key": text, "file": str(path), **{k: v for k, v in entry.items() if k != "hash"}})
        return
    click.echo(text)
    click.echo(f"This is shown once. Its hash is in {path}.", err=True)
    if load_settings().api_keys != path:
        click.echo(f"The API takes it with WAYBILL_API_KEYS={path}", err=True)


@keys.command()
@click.argument("key_id", metavar="ID")
@_file
@click.option("--reason", required=True, help="Why; it stays in the audit.")
@json_option
def revoke(key_id: str, file: Path | None, *, reason: str, json_output: bool) -> None:
    """Let nobody in with a key any more.

    ID is the part of the key between its first two underscores, as `waybill keys list` shows it.
    It holds as soon as the API has been restarted.
    """
    path = _path(file)
    with _usable():
        found = revoke_api_key(path, key_id, _now(reason))
    if not found:
        detail = f"{path} has no key {key_id!r} that is in use"
        raise ReportedError(problem("not_found", detail, "see `waybill keys list`"))
    if json_output:
        emit({"id": key_id, "file": str(path), "revoked": True})
    else:
        click.echo(f"{key_id} is revoked. Restart the API: it reads {path} when it starts.")


def _path(given: Path | None) -> Path:
    settings = load_settings()
    return (given or settings.api_keys or settings.data / "api-keys.json").absolute()


@contextmanager
def _usable() -> Iterator[None]:
    """Says what is wrong with the file."""
    try:
        yield
    except ApiKeysError as error:
        remedy = "correct the file, or name another with --file"
        raise ReportedError(problem("api_keys_invalid", str(error), remedy)) from None


def _now(reason: str | None) -> KeyAct:
    return KeyAct(at=clock.utc_now(), by=f"cli:{operator_name()}", reason=reason)


def _act(act: KeyAct | None) -> str:
    if act is None:
        return ""
    return f"{act.at:%Y-%m-%d} by {act.by}{f': {act.reason}' if act.reason else ''}"
