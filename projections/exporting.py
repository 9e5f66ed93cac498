"""Orders as flat rows, page by page: what an export holds, from the columns of the view alone."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection, select

from projections.listing import Asked, keys
from projections.moments import iso, moment_of
from projections.tables import listed, member_of
from projections.viewset import ViewSet

Kind: TypeAlias = Literal["text", "number", "moment"]


class Exported(NamedTuple):
    """One column of an export: where it comes from, and what it says."""

    name: str
    column: str
    kind: Kind
    description: str


EXPORTED: tuple[Exported, ...] = (
    Exported("id", "id", "text", "The order's id"),
    Exported("order_reference", "order_reference", "text", "Its reference, for people"),
    Exported("external_id", "external_id", "text", "What the shop calls it; may be empty"),
    Exported("subscription", "subscription_reference", "text", "The subscription's reference"),
    Exported("owner", "owner", "text", "Who ordered"),
    Exported("order_type", "order_type", "text", "`new`, `renew`, ..."),
    Exported("mode", "mode", "text", "`production` or `test`"),
    Exported("status", "status", "text", "Where it stands"),
    Exported("stage", "stage", "text", "The plugin that it stands at; empty at a good end"),
    Exported("error_code", "error_code", "text", "The code of what stopped or delays it"),
    Exported("error_step", "error_step", "text", "The step that did; needs the scope `operate`"),
    Exported("error_plugin", "error_plugin", "text", "Its plugin; needs the scope `operate`"),
    Exported("run", "run", "number", "Which run this is: 1 unless it was reopened"),
    Exported("config_version", "config_version", "number", "The configuration it runs under"),
    Exported("lane", "lane", "text", "Orders of one lane wait for each other"),
    Exported("created", "created", "moment", "When it was accepted, UTC"),
    Exported("updated", "updated", "moment", "When something happened to it last, UTC"),
)
"""In the order of the columns. Texts of more than 400 characters are cut, and end in a digest."""

_SHOWN: Mapping[Kind, Callable[[Any], Any]] = {
    "text": lambda value: value,
    "number": lambda value: value,
    "moment": lambda value: iso(moment_of(value)),
}


class ExportedPage(NamedTuple):
    """Rows by name of column, and the cursor of those that follow."""

    rows: list[dict[str, Any]]
    following: str | None


def exported(connection: Connection, tables: ViewSet, asked: Asked) -> ExportedPage:
    """The next orders, the newest first. `CursorError` where the cursor is none."""
    page = keys(connection, tables, asked)
    orders = tables.orders.c
    columns = [orders[one.column] for one in EXPORTED]
    rows = connection.execute(
        select(orders.place, *columns).where(
            member_of(orders.place, "places", orders.place.type, connection.dialect)
        ),
        {"places": listed(page.places, connection.dialect)},
    )
    found = {place: values for place, *values in rows}
    return ExportedPage([_row(found[place]) for place in page.places], page.following)


def _row(values: list[Any]) -> dict[str, Any]:
    return {one.name: _SHOWN[one.kind](value) for one, value in zip(EXPORTED, values, strict=True)}
