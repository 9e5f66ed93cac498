"""What the API asks of the store; every lookup is by tenant."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, Select, func, select

from projections import command_queries
from projections.attention_queries import attention
from projections.command_queries import pauses
from projections.exporting import ExportedPage, exported
from projections.listing import Asked, CursorError, Keys, OrderFilters, conditions, keys
from projections.orders import incomplete
from projections.past import AsOf, folded, paused_by, until
from projections.possible import possible_commands
from projections.process_events import Entry, plugins_of, process_events
from projections.shapes import order_shape
from projections.snapshots import order_of
from projections.standing import Pause
from projections.statistics import COUNTS
from projections.store import Store
from projections.tables import indexable, listed, member_of, parted
from projections.timeline_shape import timeline_entry
from projections.viewset import ViewSet
from schemas.codec import decode
from streams.core.order import Order, State

__all__ = ["CursorError", "KnownOrder", "Matching", "OrderFilters", "Queries", "conditions"]

LIMIT = 100
MOST = 200
"""Orders of one page at most."""


class KnownOrder(NamedTuple):
    """What decides whether an order has been taken before."""

    id: str
    lane: str
    fingerprint: bytes


class Matching(NamedTuple):
    """Orders as (id, lane), the newest first, and the cursor of those that follow."""

    orders: list[tuple[str, str]]
    following: str | None


class Queries:
    """Plain blocking calls, from any thread; each is one consistent look."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def one_moment(self) -> AbstractContextManager[Mapping[int, int]]:
        """The last applied offset by partition, which every answer of the API carries.

        All that this thread asks meanwhile is answered as of then.
        """
        return self._store.one_moment()

    def folded(self, tenant: str, order_id: str, as_of: AsOf | None = None) -> Order | None:
        """The order as it is, or was, folded, with its sealed parts; None where there is none."""
        if as_of is not None:
            entries = self._entries(tenant, order_id, as_of)
            return folded(entries) if entries else None
        with self._store.reading() as (connection, tables):
            return _folded(connection, tables, tenant, order_id)

    def order(self, tenant: str, order_id: str) -> dict[str, Any] | None:
        """The Order shape with the commands that it would take, or None."""
        with self._store.reading() as (connection, tables):
            orders = tables.orders.c
            row = connection.execute(
                _with_acceptance(tables).where(orders.id == order_id, orders.tenant == tenant)
            ).one_or_none()
            if row is None:
                return None
            by = _pauses(connection, tables, [row]).get(row.place)
            found = order_of(row.state, row.value)
            return {**order_shape(found, by), "commands": possible_commands(found)}

    def orders(
        self, tenant: str, filters: OrderFilters, cursor: str | None = None, limit: int = LIMIT
    ) -> dict[str, Any]:
        """A page of Order shapes, newest first. `CursorError` where the cursor is none."""
        asked = Asked(tenant, filters, cursor, max(1, min(limit, MOST)))
        with self._store.reading() as (connection, tables):
            page = keys(connection, tables, asked)
            rows = _in_order(connection, tables, _with_acceptance(tables), page)
            by = _pauses(connection, tables, rows)
        shapes = [order_shape(order_of(row.state, row.value), by.get(row.place)) for row in rows]
        return {"items": shapes, "next": page.following}

    def exported(
        self, tenant: str, filters: OrderFilters, cursor: str | None, limit: int
    ) -> ExportedPage:
        """Flat rows of the orders that `orders` would show, at most `limit`."""
        with self._store.reading() as (connection, tables):
            return exported(connection, tables, Asked(tenant, filters, cursor, limit))

    def matching(
        self, tenant: str, filters: OrderFilters, cursor: str | None = None, limit: int = MOST
    ) -> Matching:
        """The ids of the orders that `orders` would show, at most `limit`, cheaply."""
        with self._store.reading() as (connection, tables):
            page = keys(connection, tables, Asked(tenant, filters, cursor, limit))
            orders = tables.orders.c
            query = select(orders.id, orders.lane, orders.place)
            rows = _in_order(connection, tables, query, page)
        return Matching([(row.id, row.lane) for row in rows], page.following)

    def count(self, tenant: str, filters: OrderFilters) -> dict[str, int]:
        """How many orders there are of that kind, by status."""
        with self._store.reading() as (connection, tables):
            orders = tables.orders.c
            rows = connection.execute(
                select(orders.status, func.count())
                .where(orders.tenant == tenant, *conditions(connection, tables, filters))
                .group_by(orders.status)
                .order_by(orders.status)
            )
            return dict(rows.tuples().all())

    def order_as_of(self, tenant: str, order_id: str, as_of: AsOf) -> dict[str, Any] | None:
        """The Order shape as it was then; None where there was no such order yet.

        `NoSuchPastError` where `as_of` says nothing about the order's partition.
        """
        entries = self._entries(tenant, order_id, as_of)
        if not entries:
            return None
        last = entries[-1]
        shape = order_shape(folded(entries), paused_by(entries))
        return {**shape, "as_of": f"e{last.partition}:{last.offset}"}

    def timeline(
        self, tenant: str, order_id: str, as_of: AsOf | None = None
    ) -> dict[str, Any] | None:
        """Every applied event of the order, in log order; None where there is no such order."""
        entries = self._entries(tenant, order_id, as_of)
        if not entries:
            return None
        plugins = plugins_of(entries)
        shown = [timeline_entry(entry, n, plugins) for n, entry in enumerate(entries, start=1)]
        return {"items": shown, "next": None}

    def process_events(
        self, tenant: str, order_id: str, as_of: AsOf | None = None
    ) -> dict[str, Any] | None:
        """One process event per run of the order; None where there is no such order."""
        entries = self._entries(tenant, order_id, as_of)
        return {"items": process_events(entries), "next": None} if entries else None

    def find_by_external_id(self, tenant: str, external_id: str) -> KnownOrder | None:
        """The first order that was taken under that id."""
        with self._store.reading() as (connection, tables):
            orders = tables.orders.c
            row = connection.execute(
                select(orders.id, orders.lane, orders.fingerprint)
                .where(orders.tenant == tenant, orders.external_id == indexable(external_id))
                .order_by(orders.created, orders.place)
                .limit(1)
            ).one_or_none()
        return None if row is None else KnownOrder(*row)

    def attention(self, tenant: str) -> list[dict[str, Any]]:
        """What needs a person, by cause; see `attention_queries.attention`."""
        with self._store.reading() as (connection, tables):
            return attention(connection, tables, tenant)

    def command(self, tenant: str, command_id: str) -> dict[str, Any] | None:
        """One command and how it was answered, or None while it is not in the view."""
        with self._store.reading() as (connection, tables):
            return command_queries.command(connection, tables, tenant, command_id)

    def commands_of(self, tenant: str, order_id: str) -> list[dict[str, Any]]:
        """All commands of an order, first come first."""
        with self._store.reading() as (connection, tables):
            return command_queries.commands_of(connection, tables, tenant, order_id)

    def bulk_progress(self, tenant: str, bulk: str) -> dict[str, Any] | None:
        """How far a bulk is; None while none of its commands is in the view."""
        with self._store.reading() as (connection, tables):
            return command_queries.bulk_progress(connection, tables, tenant, bulk)

    def stages(self, tenant: str) -> list[dict[str, Any]]:
        """Counts of each stage since the beginning of the log; durations in milliseconds."""
        with self._store.reading() as (connection, tables):
            columns = tables.statistics.totals.c
            rows = connection.execute(
                select(columns.plugin, *(func.sum(columns[name]).label(name) for name in COUNTS))
                .where(columns.tenant == tenant)
                .group_by(columns.plugin)
                .order_by(columns.plugin)
            ).all()
        return [
            {"name": name, **{n: int(v) for n, v in zip(COUNTS, counts, strict=True)}}
            for name, *counts in rows
        ]

    def status_counts(self, tenant: str) -> dict[str, int]:
        """Orders by status, those that are complete left out: they are the mass of the table."""
        with self._store.reading() as (connection, tables):
            orders = tables.orders.c
            rows = connection.execute(
                select(orders.status, func.count())
                .where(orders.tenant == tenant, incomplete(tables.orders))
                .group_by(orders.status)
            )
            return dict(rows.tuples().all())

    def _entries(self, tenant: str, order_id: str, as_of: AsOf | None) -> list[Entry]:
        with self._store.reading() as (connection, tables):
            orders, timeline = tables.orders.c, tables.timeline.c
            rows = connection.execute(
                select(timeline.place, timeline.value)
                .join(tables.orders, orders.place == timeline.order_place)
                .where(orders.id == order_id, orders.tenant == tenant)
                .order_by(timeline.place)
            ).all()
        entries = [Entry(*parted(place), decode(value)) for place, value in rows]
        return entries if as_of is None else until(entries, as_of)


def _folded(connection: Connection, tables: ViewSet, tenant: str, order_id: str) -> Order | None:
    orders = tables.orders.c
    row = connection.execute(
        _with_acceptance(tables).where(orders.id == order_id, orders.tenant == tenant)
    ).one_or_none()
    return None if row is None else order_of(row.state, row.value)


def _in_order(
    connection: Connection, tables: ViewSet, query: Select[Any], page: Keys
) -> list[Row[Any]]:
    """The rows of a page, in its order."""
    place = tables.orders.c.place
    rows = connection.execute(
        query.where(member_of(place, "places", place.type, connection.dialect)),
        {"places": listed(page.places, connection.dialect)},
    )
    found = {row.place: row for row in rows}
    return [found[place] for place in page.places]


def _pauses(connection: Connection, tables: ViewSet, rows: Sequence[Row[Any]]) -> dict[int, Pause]:
    paused = [row.place for row in rows if row.status == State.PAUSED.value]
    return pauses(connection, tables, paused) if paused else {}


def _with_acceptance(tables: ViewSet) -> Select[Any]:
    orders, timeline = tables.orders.c, tables.timeline.c
    return select(orders.created, orders.place, orders.status, orders.state, timeline.value).join(
        tables.timeline, timeline.place == orders.place
    )
