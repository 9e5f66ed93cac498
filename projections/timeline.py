"""The timeline: every applied event as the log holds it, found by order and by place.

The record's own bytes are kept, because everything else about an event follows from them: the
acceptance that a snapshot stands on, process events with their callouts, and what the outlet
publishes. So an event costs one row, written once.
"""

from typing import Any

from sqlalchemy import Column, Connection, Dialect, Index, LargeBinary, MetaData, Table

from projections.change import Change
from projections.tables import Bulk, Place, Text, insert_into


def timeline_table(metadata: MetaData, prefix: str) -> Table:
    """`order_place` names the order; `type` is the fact's name."""
    table = Table(
        f"{prefix}timeline",
        metadata,
        Column("place", Place, primary_key=True, autoincrement=False),
        Column("order_place", Place, nullable=False),
        Column("type", Text, nullable=False),
        Column("value", LargeBinary, nullable=False),
    )
    Index(f"{prefix}timeline_order", table.c.order_place)
    return table


def timeline_bulk(table: Table, dialect: Dialect) -> Bulk:
    """What `TimelineView` writes with."""
    return Bulk(insert_into(table, dialect), table, dialect)


class TimelineView:
    """One row per applied event."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._rows: list[tuple[Any, ...]] = []

    def apply(self, change: Change) -> None:
        """The event as it stands in the log."""
        kind = type(change.event.fact).__name__
        self._rows.append((change.place, change.order_place, kind, change.value))

    def write(self, connection: Connection) -> None:
        """Insert them; a place is applied once, so there is nothing to overwrite."""
        self._bulk.write(connection, self._rows)
