"""`webhook`: endpoints of webhooks, their secrets, tests, deliveries and replays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.text import Text

from waybill.cli.api_client import Api
from waybill.cli.output import ReportedError, console, emit, json_option, plain, problem, table
from waybill.cli.webhook_deliveries import deliveries, delivery, replay, test
from waybill.cli.webhook_types import types
from waybill.settings import load_settings

_Command = TypeVar("_Command", bound=Callable[..., Any])

_reason = click.option("--reason", required=True, help="Why; it stays in the audit.")
_maybe_reason = click.option("--reason", help="Why; it stays in the audit.")
_KINDS = click.Choice(["v1", "v1a"])
_PATH = "/webhook-endpoints"


@click.group()
def webhook() -> None:
    """Webhook endpoints, and what was sent to them."""


for one in (test, deliveries, delivery, replay, types):
    webhook.add_command(one)


def _members(command: _Command) -> _Command:
    """What an endpoint is made of, when it is made and when it is changed."""
    for option in reversed(
        (
            click.option("--description", help="What it is for."),
            click.option(
                "--event",
                "events",
                multiple=True,
                metavar="TYPE",
                help="order.failed, 'order.*' or '*'; may be repeated.",
            ),
            click.option(
                "--payload", type=click.Choice(["thin", "full"]), help="How much is sent."
            ),
            click.option(
                "--personal-data/--no-personal-data",
                default=None,
                help="Whether full payloads hold personal data.",
            ),
            click.option(
                "--header",
                "headers",
                multiple=True,
                metavar="NAME=VALUE",
                help="Sent with every delivery; NAME=@FILE reads the value from a file.",
            ),
            click.option("--rate-limit", type=float, help="Deliveries per second at most."),
            click.option("--max-in-flight", type=int, help="Deliveries under way at once."),
        )
    ):
        command = option(command)
    return command


@webhook.command()
@click.argument("endpoint_id", metavar="[ID]", required=False)
@json_option
def endpoints(endpoint_id: str | None, *, json_output: bool) -> None:
    """List the endpoints and how they do, or show one of them."""
    with Api(load_settings()) as api:
        if endpoint_id is not None:
            _show(api.get(f"{_PATH}/{endpoint_id}"), json_output=json_output)
            return
        found = api.get(_PATH)
    if json_output:
        emit(found)
    elif not found["items"]:
        click.echo("No endpoints; `waybill webhook create URL` makes one.")
    else:
        rows = [
            (
                one["id"],
                _standing(one),
                str(one["pending"]),
                _time(one["oldest_pending"]),
                ", ".join(one["events"]),
                one["url"],
            )
            for one in found["items"]
        ]
        console().print(table("id", "status", "pending", "oldest", "events", "url", rows=rows))


@webhook.command()
@click.argument("url")
@_members
@click.option("--disabled", is_flag=True, help="Let deliveries wait until it is enabled.")
@click.option("--secret-kind", type=_KINDS, help="v1: HMAC-SHA256 (default); v1a: ed25519.")
@_maybe_reason
@json_option
def create(url: str, *, disabled: bool, secret_kind: str | None, **given: Any) -> None:
    """Make an endpoint; its secret is shown this once.

    URL is where deliveries are posted to: https, public, port 443 or 8443.
    """
    body = {"url": url, **_body(given), **({"enabled": False} if disabled else {})}
    if secret_kind is not None:
        body["secret_kind"] = secret_kind
    with Api(load_settings()) as api:
        made = api.post(_PATH, body, reason=given["reason"])
    _show(made, json_output=given["json_output"])


@webhook.command()
@click.argument("endpoint_id", metavar="ID")
@click.option("--url", help="Where deliveries are posted to from now on.")
@_members
@click.option("--remove-header", multiple=True, metavar="NAME", help="A header to take away.")
@click.option("--no-rate-limit", is_flag=True, help="Take the limit away.")
@click.option("--enable/--disable", "enabled", default=None, help="Send to it again, or not.")
@click.option("--revision", type=int, help="Refuse if it is no longer at this revision.")
@_reason
@json_option
def update(
    endpoint_id: str, *, revision: int | None, reason: str, json_output: bool, **given: Any
) -> None:
    """Change an endpoint, or enable one that was disabled."""
    body = _body(given)
    if given["remove_header"]:
        body["headers"] = body.get("headers", {}) | dict.fromkeys(given["remove_header"])
    if given["no_rate_limit"]:
        body["rate_limit"] = None
    if not body:
        raise click.UsageError("Say what to change.")
    match = None if revision is None else {"If-Match": f'"{revision}"'}
    with Api(load_settings()) as api:
        changed = api.patch(f"{_PATH}/{endpoint_id}", body, match, reason=reason)
    _show(changed, json_output=json_output)


@webhook.command()
@click.argument("endpoint_id", metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask whether this is the endpoint meant.")
@_reason
@json_option
def delete(endpoint_id: str, *, yes: bool, reason: str, json_output: bool) -> None:
    """Delete an endpoint; what is pending for it is discarded."""
    with Api(load_settings()) as api:
        found = api.get(f"{_PATH}/{endpoint_id}")
        if not yes:
            _confirm(found, as_json=json_output)
        answer = api.delete(f"{_PATH}/{endpoint_id}", reason=reason)
    if json_output:
        emit(answer)
    else:
        click.echo(f"{endpoint_id} is deleted.")


@webhook.command()
@click.argument("endpoint_id", metavar="ID")
@click.option("--kind", type=_KINDS, help="Else as the present one.")
@click.option("--overlap", type=int, metavar="SECONDS", help="How long the old one signs along.")
@_reason
@json_option
def rotate(
    endpoint_id: str, *, kind: str | None, overlap: int | None, reason: str, json_output: bool
) -> None:
    """Replace the secret; the one before signs along for a day unless you say otherwise."""
    given = {"kind": kind, "overlap_s": overlap}
    body = {name: value for name, value in given.items() if value is not None}
    with Api(load_settings()) as api:
        made = api.post(f"{_PATH}/{endpoint_id}/secret", body, reason=reason)
    _show(made, json_output=json_output)


def _body(given: dict[str, Any]) -> dict[str, Any]:
    plain_names = (
        *("url", "description", "payload", "personal_data", "rate_limit", "max_in_flight"),
        "enabled",
    )
    body = {name: given[name] for name in plain_names if given.get(name) is not None}
    if given["events"]:
        body["events"] = list(given["events"])
    if given["headers"]:
        body["headers"] = dict(_header(text) for text in given["headers"])
    return body


def _header(text: str) -> tuple[str, str]:
    name, parted, value = text.partition("=")
    if not parted:
        raise click.UsageError(f"--header {text!r} is not NAME=VALUE.")
    if not value.startswith("@"):
        return name, value
    try:
        return name, Path(value[1:]).read_text().strip()
    except OSError as error:
        raise click.UsageError(f"--header {name}: {value[1:]}: {error.strerror}.") from None


def _confirm(endpoint: dict[str, Any], *, as_json: bool) -> None:
    named = f"{endpoint['url']} with {endpoint['pending']} pending deliveries"
    if as_json or not click.get_text_stream("stdin").isatty():
        detail = f"{named} would be deleted, unconfirmed"
        raise ReportedError(problem("unconfirmed", detail, "add --yes if it is meant"))
    click.confirm(f"Delete {plain(named)}?", abort=True)


def _show(endpoint: dict[str, Any], *, json_output: bool) -> None:
    if json_output:
        emit(endpoint)
        return
    shown = console()
    shown.print(Text.assemble((plain(endpoint["id"]), "bold"), "  ", _standing(endpoint)))
    for name, value in (
        ("url", endpoint["url"]),
        ("description", endpoint["description"]),
        ("events", ", ".join(endpoint["events"])),
        ("payload", f"{endpoint['payload']}{_personal(endpoint)}"),
        ("headers", ", ".join(endpoint["header_names"])),
        ("limits", _limits(endpoint)),
        ("secrets", ", ".join(_secret(one) for one in endpoint["secrets"])),
        ("pending", f"{endpoint['pending']}{_since(endpoint['oldest_pending'])}"),
        ("last success", _time(endpoint["last_success"])),
        ("failing since", _time(endpoint["failing_since"])),
        ("revision", endpoint["revision"]),
    ):
        if value not in {"", None}:
            shown.print(Text.assemble((f"  {name:<14}", "dim"), plain(value)))
    if endpoint.get("secret"):
        shown.print(Text.assemble("\n  ", (plain(endpoint["secret"]), "bold green")))
        shown.print(
            Text("  What its signatures are verified with. Keep it: a secret is shown once.")
        )


def _standing(endpoint: dict[str, Any]) -> Text:
    disabled = endpoint["disabled"]
    if disabled is None:
        failing = endpoint["failing_since"] is not None
        return Text("failing", "yellow") if failing else Text("enabled", "green")
    return Text(f"disabled: {plain(disabled['reason']).replace('_', ' ')}", "red")


def _personal(endpoint: dict[str, Any]) -> str:
    return ", with personal data" if endpoint["personal_data"] else ""


def _limits(endpoint: dict[str, Any]) -> str:
    rate = endpoint["rate_limit"]
    per_second = "" if rate is None else f"{rate:g} per second, "
    return f"{per_second}{endpoint['max_in_flight']} in flight"


def _secret(secret: dict[str, Any]) -> str:
    public = f" {secret['public']}" if secret["public"] else ""
    expires = f" until {_time(secret['expires'])}" if secret["expires"] else ""
    return f"{secret['id']} ({secret['kind']}{public}{expires})"


def _since(moment: str | None) -> str:
    return f", the oldest since {_time(moment)}" if moment else ""


def _time(moment: str | None) -> str:
    return "" if moment is None else f"{moment[:19]}Z"
