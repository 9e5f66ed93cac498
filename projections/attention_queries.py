"""What needs a person, by cause: how many orders, since when, and some of them."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal, select

from projections.attention import DEFERRED, PAUSED
from projections.moments import iso, moment_of
from projections.orders import incomplete
from projections.tables import indexable
from projections.viewset import ViewSet

SHOWN = 5
"""Orders that each cause is shown with."""


def attention(connection: Connection, tables: ViewSet, tenant: str) -> list[dict[str, Any]]:
    """The causes, most orders first. `deferred` is for information: those go on by themselves.

    `oldest` is when nothing has happened since to the order that stands longest.
    """
    rows = [
        *connection.execute(_grouped(_troubled(tables, tenant))),
        *connection.execute(_grouped(_deferred(tables, tenant))),
        *connection.execute(_grouped(_paused(tables, tenant))),
    ]
    groups: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in rows:
        group = groups.setdefault(
            (row.kind, row.code, row.plugin),
            {
                "kind": row.kind,
                "plugin": row.plugin,
                "code": row.code,
                "orders": row.orders,
                "oldest": iso(moment_of(row.oldest)),
                "needs_person": row.kind != DEFERRED,
                "some": [],
            },
        )
        group["some"].append(row.id)
    return sorted(
        groups.values(),
        key=lambda g: (not g["needs_person"], -g["orders"], g["kind"], g["code"], g["plugin"]),
    )


def of_cause(
    tables: ViewSet, kind: str | None, plugin: str | None, code: str | None
) -> list[ColumnElement[bool]]:
    """What an order of such a cause fulfils; parts of the cause that are None do not matter."""
    orders = tables.orders.c
    if kind in {DEFERRED, PAUSED}:
        deferred = kind == DEFERRED
        held, paused = orders.wake_stage.is_not(None), orders.status == PAUSED
        conditions: list[ColumnElement[bool]] = (
            [held] if deferred else [paused, incomplete(tables.orders)]
        )
        if code is not None and deferred:
            conditions.append(orders.wake_stage == indexable(code))
        if plugin is not None:
            conditions.append(func.coalesce(orders.stage, "") == indexable(plugin))
        return conditions
    named = {"kind": kind, "plugin": plugin, "code": code}
    wanted = {name: indexable(value) for name, value in named.items() if value is not None}
    if not wanted:
        return []
    columns = tables.attention.c
    places = select(columns.order_place).where(
        columns.tenant == orders.tenant, *(columns[name] == value for name, value in wanted.items())
    )
    return [orders.place.in_(places.correlate(tables.orders))]


def _troubled(tables: ViewSet, tenant: str) -> Select[Any]:
    """One row per order and cause, though several of its steps may have the same."""
    columns, orders = tables.attention.c, tables.orders.c
    return (
        select(columns.kind, columns.code, columns.plugin, orders.id, orders.place, orders.updated)
        .distinct()
        .join(tables.orders, orders.place == columns.order_place)
        .where(columns.tenant == tenant)
    )


def _deferred(tables: ViewSet, tenant: str) -> Select[Any]:
    orders = tables.orders.c
    return select(
        literal(DEFERRED).label("kind"),
        orders.wake_stage.label("code"),
        func.coalesce(orders.stage, "").label("plugin"),
        orders.id,
        orders.place,
        orders.updated,
    ).where(orders.tenant == tenant, orders.wake_stage.is_not(None))


def _paused(tables: ViewSet, tenant: str) -> Select[Any]:
    orders = tables.orders.c
    return select(
        literal(PAUSED).label("kind"),
        literal("").label("code"),
        func.coalesce(orders.stage, "").label("plugin"),
        orders.id,
        orders.place,
        orders.updated,
    ).where(orders.tenant == tenant, orders.status == PAUSED, incomplete(tables.orders))


def _grouped(found: Select[Any]) -> Select[Any]:
    """The longest standing orders of each cause, each row with the figures of the whole cause."""
    one = found.subquery()
    cause = [one.c.kind, one.c.code, one.c.plugin]
    numbered = select(
        *cause,
        one.c.id,
        func.count().over(partition_by=cause).label("orders"),
        func.min(one.c.updated).over(partition_by=cause).label("oldest"),
        func.row_number()
        .over(partition_by=cause, order_by=[one.c.updated, one.c.place])
        .label("number"),
    ).subquery()
    shown = numbered.c
    return (
        select(shown.kind, shown.code, shown.plugin, shown.id, shown.orders, shown.oldest)
        .where(shown.number <= SHOWN)
        .order_by(shown.number)
    )
