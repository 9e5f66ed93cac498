"""How many orders come: by the minute, up to this moment."""

from datetime import datetime, timedelta

from sqlalchemy import func, literal_column, select

from projections.moments import EPOCH, microseconds
from projections.store import Store

MINUTE = timedelta(minutes=1)
_MINUTE_US = 60_000_000


class PulseQueries:
    """May be called from any thread."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def accepted_by_minute(
        self, tenant: str, since: datetime, until: datetime
    ) -> dict[datetime, int]:
        """Orders taken from `since` before `until`, by the beginning of their minute.

        Minutes without orders are left out. Read from the index of `created` alone.
        """
        with self._store.reading() as (connection, tables):
            orders = tables.orders.c
            minute = orders.created.op("/")(literal_column(str(_MINUTE_US)))
            rows = connection.execute(
                select(minute, func.count())
                .where(
                    orders.tenant == tenant,
                    orders.created >= microseconds(since),
                    orders.created < microseconds(until),
                )
                .group_by(minute)
            ).all()
        return {EPOCH + number * MINUTE: count for number, count in rows}
