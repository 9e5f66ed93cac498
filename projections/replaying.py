"""The newest orders as they were folded, page by page, to be looked at anew."""

from typing import NamedTuple

from sqlalchemy import select

from projections.listing import Asked, OrderFilters, keys
from projections.snapshots import order_of
from projections.store import Store
from projections.tables import listed, member_of
from streams.core.order import Order


class Page(NamedTuple):
    """Orders, the newest first, and the cursor of those that follow."""

    orders: list[Order]
    following: str | None


class Replaying:
    """Plain blocking calls, from any thread; each is one consistent look."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def newest(self, tenant: str, cursor: str | None, limit: int) -> Page:
        """The next orders of the tenant, at most `limit`."""
        with self._store.reading() as (connection, tables):
            orders, timeline = tables.orders.c, tables.timeline.c
            page = keys(connection, tables, Asked(tenant, OrderFilters(), cursor, limit))
            rows = connection.execute(
                select(orders.place, orders.state, timeline.value)
                .join(tables.timeline, timeline.place == orders.place)
                .where(member_of(orders.place, "places", orders.place.type, connection.dialect)),
                {"places": listed(page.places, connection.dialect)},
            ).all()
        found = {row.place: row for row in rows}
        chosen = [found[place] for place in page.places]
        return Page([order_of(row.state, row.value) for row in chosen], page.following)
