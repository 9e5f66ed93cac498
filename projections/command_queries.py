"""What is asked about commands: one of them, those of an order, the progress of many."""

from typing import Any

from sqlalchemy import Connection, Row, Select, func, select

from projections.commands import Outcome
from projections.moments import iso, moment_of
from projections.standing import Pause
from projections.tables import indexable, parted
from projections.viewset import ViewSet
from schemas.commands import CommandKind


def command(
    connection: Connection, tables: ViewSet, tenant: str, command_id: str
) -> dict[str, Any] | None:
    """The tenant's command of that id; the first one, should several orders have been given it."""
    columns = tables.commands.c
    row = connection.execute(
        _commands(tables)
        .where(columns.tenant == tenant, columns.id == indexable(command_id))
        .order_by(columns.received, columns.place)
        .limit(1)
    ).one_or_none()
    return None if row is None else command_shape(row)


def commands_of(
    connection: Connection, tables: ViewSet, tenant: str, order_id: str
) -> list[dict[str, Any]]:
    """All that was ever asked of the order, first come first."""
    columns, orders = tables.commands.c, tables.orders.c
    rows = connection.execute(
        _commands(tables)
        .join(tables.orders, orders.place == columns.order_place)
        .where(orders.id == order_id, orders.tenant == tenant)
        .order_by(columns.place)
    )
    return [command_shape(row) for row in rows]


def bulk_progress(
    connection: Connection, tables: ViewSet, tenant: str, bulk: str
) -> dict[str, Any] | None:
    """How many commands of a bulk were read, and how they were answered; None for none at all.

    `rejections` counts by code.
    """
    columns = tables.commands.c
    rows = connection.execute(
        select(columns.outcome, columns.code, func.count().label("orders"))
        .where(columns.tenant == tenant, columns.bulk == indexable(bulk))
        .group_by(columns.outcome, columns.code)
        .order_by(columns.outcome, columns.code)
    ).all()
    if not rows:
        return None
    counts: dict[str, Any] = dict.fromkeys(Outcome, 0)
    rejections: dict[str, int] = {}
    for row in rows:
        counts[row.outcome] += row.orders
        if row.code is not None:
            rejections[row.code] = row.orders
    received = sum(counts.values())
    return {"id": bulk, "received": received, **_plain(counts), "rejections": rejections}


def pauses(connection: Connection, tables: ViewSet, places: list[int]) -> dict[int, Pause]:
    """Who paused the orders at these places, and why: their last pause that was answered so."""
    columns = tables.commands.c
    rows = connection.execute(
        select(columns.order_place, columns.actor, columns.reason)
        .where(
            columns.order_place.in_(places),
            columns.kind == CommandKind.PAUSE.value,
            columns.outcome == Outcome.APPLIED.value,
        )
        .order_by(columns.decided_place)
    )
    return {row.order_place: Pause(row.actor, row.reason) for row in rows}


def command_shape(row: Row[Any]) -> dict[str, Any]:
    """One command as the API shows it."""
    decided = None
    if row.decided_place is not None:
        partition, offset = parted(row.decided_place)
        decided = {"at": iso(moment_of(row.decided)), "token": f"e{partition}:{offset}"}
    return {
        "id": row.id,
        "order": row.order_id,
        "command": row.kind,
        "step": row.step,
        "actor": row.actor,
        "reason": row.reason,
        "received": iso(moment_of(row.received)),
        "bulk": row.bulk,
        "outcome": row.outcome,
        "code": row.code,
        "answer": row.answer,
        "decided": decided,
    }


def _commands(tables: ViewSet) -> Select[Any]:
    return select(tables.commands)


def _plain(counts: dict[str, Any]) -> dict[str, Any]:
    return {str(name): count for name, count in counts.items()}
