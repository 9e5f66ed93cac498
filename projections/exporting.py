"""Orders as flat rows, page by page: what an export holds, from the columns of the view alone."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from sqlalchemy import Connection, select

from projections.export_columns import EXPORTED, Kind
from projections.listing import Asked, keys
from projections.moments import iso, moment_of
from projections.tables import listed, member_of
from projections.viewset import ViewSet

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
