"""How far the store is: what the views have applied, and what was published and queued of it."""

from typing import NamedTuple

from sqlalchemy import select

from projections.store import OUTLET, Store, applied_offsets, current_set
from projections.webhooks.tables import POSITIONS


class StorePositions(NamedTuple):
    """The last offset by partition: `applied` and `published` of the log, `queued` of updates."""

    applied: dict[int, int]
    published: dict[int, int]
    queued: dict[int, int]


class LagQueries:
    """May be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def positions(self) -> StorePositions:
        """All of one moment."""
        with self._store.reader.begin() as connection:
            applied = applied_offsets(connection, current_set(connection))
            published, queued = (
                dict(connection.execute(select(table.c.partition, table.c.offset)).tuples().all())
                for table in (OUTLET, POSITIONS)
            )
        return StorePositions(applied, published, queued)
