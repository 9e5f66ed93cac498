"""`subscriptions` and `subscription`: as the orders left them, through the API."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import click
from rich.console import Group, RenderableType
from rich.text import Text

from waybill.cli.api_client import Api
from waybill.cli.output import console, emit, json_option, plain, table
from waybill.cli.timeline import orders_table
from waybill.settings import load_settings

_MOST_OF_A_PAGE = 200
_COLOURS = {"active": "green", "cancelled": "magenta", "expired": "magenta", "suspended": "red"}
_STATUSES = ("initial", "pending", "active", "suspended", "expired", "cancelled")


@click.command()
@click.option("--status", type=click.Choice(_STATUSES), help="As of today.")
@click.option("--owner", help="Subscriptions of this owner.")
@click.option("--offer", metavar="PATH", help="Subscriptions that have this offer now.")
@click.option("--account", metavar="NUMBER", help="Of this account in the billing system.")
@click.option("--crm", metavar="ID", help="Of this account in the CRM.")
@click.option("--mode", type=click.Choice(["production", "test"]))
@click.option("--from", "from_", metavar="TIME", help="Created at or after, ISO 8601 with offset.")
@click.option("--to", metavar="TIME", help="Created before, ISO 8601 with offset.")
@click.option("--search", "q", metavar="TEXT", help="The beginning of the reference.")
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many.")
@json_option
def subscriptions(
    *, limit: int, from_: str | None, json_output: bool, **filters: str | None
) -> None:
    """List subscriptions as their orders left them, the newest first."""
    with Api(load_settings()) as api:
        found = list(_pages(api, {**filters, "from": from_}, limit))
    if json_output:
        emit({"items": found})
    elif found:
        rows = [
            (
                _status(one),
                Text(plain(one["reference"]), no_wrap=True),
                _offers(one),
                one["start"],
                one["ends"] or one["term"]["end"],
                one["owner"],
                str(one["orders"]),
            )
            for one in found
        ]
        headings = ("status", "reference", "offers", "start", "ends or renews", "owner", "orders")
        console().print(table(*headings, rows=rows))
    else:
        click.echo("No such subscriptions.")


@click.command()
@click.argument("reference", metavar="REF")
@json_option
def subscription(reference: str, *, json_output: bool) -> None:
    """Show one subscription: what it is made of, its numbers and its orders."""
    path = f"/subscriptions/{quote(reference, safe='')}"
    with Api(load_settings()) as api:
        found = api.get(path)
        orders = api.get(f"{path}/orders", limit=_MOST_OF_A_PAGE)["items"]
    if json_output:
        emit({**found, "order_list": orders})
    else:
        console().print(_view(found, orders))


def _pages(api: Api, filters: Mapping[str, str | None], limit: int) -> Iterator[dict[str, Any]]:
    cursor, left = None, limit
    while left > 0:
        page = api.get("/subscriptions", **filters, cursor=cursor, limit=min(left, _MOST_OF_A_PAGE))
        yield from page["items"]
        left -= len(page["items"])
        cursor = page["next"]
        if cursor is None:
            return


def _view(found: dict[str, Any], orders: list[dict[str, Any]]) -> RenderableType:
    term = found["term"]
    renews = "renews itself" if term["auto_renew"] else "ends with it"
    lines = [
        Text.assemble((plain(found["reference"]), "bold"), "  ", _status(found)),
        _line("owner", found["owner"]),
        _line("start", found["start"]),
        _line("term", f"{term['start']} to {term['end']}, {renews}" if term["end"] else None),
        _line("ends", found["ends"]),
        _line("plans", ", ".join(found["plans"])),
        *(
            _line(service, ", ".join(f"{name} {_value(v)}" for name, v in numbers.items()))
            for service, numbers in found["numbers"].items()
        ),
    ]
    parts: list[RenderableType] = [line for line in lines if line is not None]
    if found["items"]:
        parts += [Text(), _items(found["items"])]
    if found["given_back"]:
        parts += [Text(), _given_back(found["given_back"])]
    parts += [Text(), orders_table(orders)]
    return Group(*parts)


def _line(name: str, value: Any) -> Text | None:
    return Text.assemble((f"{plain(name):<14}", "dim"), plain(value)) if value else None


def _value(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _items(items: list[dict[str, Any]]) -> RenderableType:
    rows = [
        (
            one["name"] or one["offer"],
            one["quantity"],
            _amount(one["price"]),
            one["from"],
            one["until"],
        )
        for one in items
    ]
    return table("item", "quantity", "price", "from", "until", rows=rows)


def _given_back(given: list[dict[str, Any]]) -> RenderableType:
    rows = [(one["order_type"], _amount(one), one["on"], one["memo"]) for one in given]
    return table("given back", "amount", "on", "memo", rows=rows)


def _amount(price: Mapping[str, Any]) -> str:
    return " ".join(str(price[name]) for name in ("amount", "currency") if price[name])


def _offers(found: Mapping[str, Any]) -> str:
    going = [one for one in found["items"] if one["until"] is None] or found["items"][-1:]
    return ", ".join(str(one["name"] or one["offer"] or "?") for one in going)


def _status(found: Mapping[str, Any]) -> Text:
    return Text(plain(found["status"]), _COLOURS.get(str(found["status"]), "yellow"))
