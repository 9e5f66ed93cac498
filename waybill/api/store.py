"""The views as the API reads them: the store's own queries, and those of waiting and following."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from projections.process_events import Entry
from projections.queries import OrderFilters, Queries, conditions
from projections.stage_states import StageStates
from projections.statistics_queries import StatisticsQueries
from projections.store import Store, applied_offsets
from projections.subscription_queries import SubscriptionQueries
from projections.tables import parted, place_of
from projections.timeline_shape import timeline_entry
from projections.viewset import ViewSet
from schemas.codec import decode
from waybill.api.reading import Followed, Standing

_AT_ONCE = 500


class StoreReading(Queries, StatisticsQueries, SubscriptionQueries):
    """All that `Reading` asks for."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._views = store

    def standings(self, order_ids: Collection[str]) -> Mapping[str, Standing]:
        """Those of the orders that are there."""
        ids, found = list(order_ids), {}
        with self._views.reading() as (connection, tables):
            orders = tables.orders.c
            query = select(orders.id, orders.tenant, orders.lane, orders.status, orders.fingerprint)
            for start in range(0, len(ids), _AT_ONCE):
                rows = connection.execute(query.where(orders.id.in_(ids[start : start + _AT_ONCE])))
                found.update({row.id: Standing(*row) for row in rows})
        return found

    def answered(self, names: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """The outcome of those commands, by tenant and id, that are in the view."""
        wanted, found = list(names), {}
        with self._views.reading() as (connection, tables):
            columns = tables.commands.c
            query = select(columns.tenant, columns.id, columns.outcome).order_by(
                columns.received.desc(), columns.place.desc()
            )
            for start in range(0, len(wanted), _AT_ONCE):
                ids = {command_id for _, command_id in wanted[start : start + _AT_ONCE]}
                for tenant, command_id, outcome in connection.execute(
                    query.where(columns.id.in_(ids))
                ):
                    found[tenant, command_id] = outcome
        return {name: found[name] for name in wanted if name in found}

    def stage_states(self, tenant: str, now: datetime) -> list[dict[str, Any]]:
        """What each worker said last about each stage."""
        return StageStates(self._views).of(tenant, now)

    def groups(self, tenant: str, filters: OrderFilters) -> list[Mapping[str, Any]]:
        """How many orders there are, by status, plugin and error code, the most first."""
        with self._views.reading() as (connection, tables):
            orders = tables.orders.c
            count = func.count().label("orders")
            kind = (orders.status, orders.stage.label("plugin"), orders.error_code.label("code"))
            rows = connection.execute(
                select(*kind, count)
                .where(orders.tenant == tenant, *conditions(connection, tables, filters))
                .group_by(*kind)
                .order_by(count.desc(), *kind)
            )
            return [
                {"status": status, "plugin": plugin, "code": code, "orders": orders}
                for status, plugin, code, orders in rows
            ]

    def events_after(self, tenant: str, vector: Mapping[int, int], limit: int) -> Followed:
        """The tenant's next events behind the vector, at most `limit` of each partition."""
        entries: list[Mapping[str, Any]] = []
        reached: dict[int, int] = {}
        with self._views.reading() as (connection, tables):
            for partition, end in applied_offsets(connection, tables.id).items():
                stretch = _Stretch(tenant, partition, vector.get(partition, -1), end)
                if end > stretch.start:
                    found = _entries(connection, tables, stretch, limit)
                    entries += found
                    reached[partition] = end if len(found) < limit else found[-1]["offset"]
        return Followed(entries, reached)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Events of a tenant in one partition, behind `start` and up to `end`."""

    tenant: str
    partition: int
    start: int
    end: int


def _entries(
    connection: Connection, tables: ViewSet, stretch: _Stretch, limit: int
) -> list[dict[str, Any]]:
    rows = connection.execute(_query(tables, stretch).limit(limit)).all()
    return [
        {
            "order": row.id,
            **timeline_entry(Entry(*parted(row.place), decode(row.value)), row.sequence),
        }
        for row in rows
    ]


def _query(tables: ViewSet, stretch: _Stretch) -> Select[Any]:
    orders, timeline = tables.orders.c, tables.timeline.c
    earlier = tables.timeline.alias()
    sequence = (
        select(func.count())
        .where(earlier.c.order_place == timeline.order_place, earlier.c.place <= timeline.place)
        .scalar_subquery()
    )
    return (
        select(orders.id, timeline.place, timeline.value, sequence.label("sequence"))
        .join(tables.orders, orders.place == timeline.order_place)
        .where(
            orders.tenant == stretch.tenant,
            timeline.place > place_of(stretch.partition, stretch.start),
            timeline.place <= place_of(stretch.partition, stretch.end),
        )
        .order_by(timeline.place)
    )
