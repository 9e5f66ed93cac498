"""The views as the API reads them: the store's own queries, and those of waiting and following."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from projections.audit_queries import AuditQueries
from projections.customers import CustomerQueries
from projections.feed import FeedQueries, Happened, Wanted
from projections.lag import LagQueries
from projections.pulse import PulseQueries
from projections.queries import OrderFilters, Queries, conditions
from projections.stage_states import StageStates
from projections.statistics_queries import StatisticsQueries
from projections.store import Store
from projections.subscription_queries import SubscriptionQueries
from waybill.api.reading import Standing

_AT_ONCE = 500


class StoreReading(
    Queries,
    StatisticsQueries,
    SubscriptionQueries,
    CustomerQueries,
    AuditQueries,
    LagQueries,
    PulseQueries,
):
    """All that `Reading` asks for."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._views = store
        self._feed = FeedQueries(store)

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

    def happened(
        self, vector: Mapping[int, int], wanted: Collection[Wanted], limit: int
    ) -> Happened:
        """The next events behind the vector that any of `wanted` asks for."""
        return self._feed.happened(vector, wanted, limit)
