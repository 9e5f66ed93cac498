"""The lanes view: the unfinished orders of a lane, in the order in which they run.

It has no table of its own: the orders view is indexed for exactly this question.
"""

from collections.abc import Iterable

from sqlalchemy import bindparam, select

from projections.orders import unfinished
from projections.snapshots import order_of
from projections.store import Store
from projections.tables import indexable
from streams.core.order import Order


def unfinished_of(store: Store, lanes: Iterable[str]) -> dict[str, list[Order]]:
    """The unfinished orders of each lane that has any, first come first."""
    asked = {indexable(lane) for lane in lanes}
    with store.reading() as (connection, tables):
        orders, timeline = tables.orders.c, tables.timeline.c
        query = (
            select(orders.state, timeline.value)
            .join(tables.timeline, timeline.place == orders.place)
            .where(
                orders.lane.in_(bindparam("lanes", expanding=True)),
                unfinished(tables.orders),
            )
            .order_by(orders.lane, orders.lane_offset, orders.passes)
        )
        found: dict[str, list[Order]] = {}
        for state, value in connection.execute(query, {"lanes": sorted(asked)}):
            order = order_of(state, value)
            found.setdefault(order.lane, []).append(order)
    return found
