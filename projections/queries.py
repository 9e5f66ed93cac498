"""What the API asks of the store; every lookup is by tenant."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from projections import command_queries
from projections.attention_queries import attention, of_cause
from projections.command_queries import pauses
from projections.moments import microseconds
from projections.orders import incomplete
from projections.possible import possible_commands
from projections.process_events import Entry, plugins_of, process_events
from projections.shapes import order_shape
from projections.snapshots import order_of
from projections.standing import Pause
from projections.statistics import COUNTS
from projections.store import Store
from projections.tables import indexable, parted
from projections.timeline_shape import timeline_entry
from projections.viewset import ViewSet
from schemas.codec import decode
from streams.core.order import Order, State

LIMIT = 100
MOST = 200
"""Orders of one page at most."""

_PAST_ALL = "\U0010ffff"


class CursorError(ValueError):
    """The cursor is not one that was handed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilters:
    """Which orders; what is None does not matter.

    `stage` is the plugin that the order stands at. `since` (included) and `until` bound when it
    was created. `q` begins its id, order reference or external id. `attention`, `plugin` and `code`
    are a cause of the attention view (`deferred`: `code` is the stage); `error_code` is the code
    of what stopped or delays it.
    """

    external_id: str | None = None
    status: str | None = None
    order_type: str | None = None
    stage: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None
    attention: str | None = None
    plugin: str | None = None
    code: str | None = None
    error_code: str | None = None


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

    def applied(self) -> dict[int, int]:
        """The last applied offset by partition: what every answer of the API carries."""
        return self._store.applied()

    def folded(self, tenant: str, order_id: str) -> Order | None:
        """The order as it is folded, with its sealed parts."""
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
        limit = max(1, min(limit, MOST))
        with self._store.reading() as (connection, tables):
            page = _page(_with_acceptance(tables), tables, tenant, filters, cursor)
            rows = connection.execute(page.limit(limit + 1)).all()
            more = len(rows) > limit
            rows = rows[:limit]
            shapes = _shapes(connection, tables, rows)
        following = _cursor(rows[-1].created, rows[-1].place) if more else None
        return {"items": shapes, "next": following}

    def matching(
        self, tenant: str, filters: OrderFilters, cursor: str | None = None, limit: int = MOST
    ) -> Matching:
        """The ids of the orders that `orders` would show, at most `limit`, cheaply."""
        with self._store.reading() as (connection, tables):
            orders = tables.orders.c
            query = select(orders.id, orders.lane, orders.created, orders.place)
            page = _page(query, tables, tenant, filters, cursor)
            rows = connection.execute(page.limit(limit + 1)).all()
        more = len(rows) > limit
        rows = rows[:limit]
        following = _cursor(rows[-1].created, rows[-1].place) if more else None
        return Matching([(row.id, row.lane) for row in rows], following)

    def count(self, tenant: str, filters: OrderFilters) -> dict[str, int]:
        """How many orders there are of that kind, by status."""
        with self._store.reading() as (connection, tables):
            orders = tables.orders.c
            rows = connection.execute(
                select(orders.status, func.count())
                .where(orders.tenant == tenant, *conditions(tables, filters))
                .group_by(orders.status)
                .order_by(orders.status)
            )
            return dict(rows.tuples().all())

    def timeline(self, tenant: str, order_id: str) -> dict[str, Any] | None:
        """Every applied event of the order, in log order; None where there is no such order."""
        entries = self._entries(tenant, order_id)
        if not entries:
            return None
        plugins = plugins_of(entries)
        shown = [timeline_entry(entry, n, plugins) for n, entry in enumerate(entries, start=1)]
        return {"items": shown, "next": None}

    def process_events(self, tenant: str, order_id: str) -> dict[str, Any] | None:
        """One process event per run of the order; None where there is no such order."""
        entries = self._entries(tenant, order_id)
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

    def _entries(self, tenant: str, order_id: str) -> list[Entry]:
        with self._store.reading() as (connection, tables):
            orders, timeline = tables.orders.c, tables.timeline.c
            rows = connection.execute(
                select(timeline.place, timeline.value)
                .join(tables.orders, orders.place == timeline.order_place)
                .where(orders.id == order_id, orders.tenant == tenant)
                .order_by(timeline.place)
            ).all()
        return [Entry(*parted(place), decode(value)) for place, value in rows]


def _folded(connection: Connection, tables: ViewSet, tenant: str, order_id: str) -> Order | None:
    orders = tables.orders.c
    row = connection.execute(
        _with_acceptance(tables).where(orders.id == order_id, orders.tenant == tenant)
    ).one_or_none()
    return None if row is None else order_of(row.state, row.value)


def _shapes(
    connection: Connection, tables: ViewSet, rows: Sequence[Row[Any]]
) -> list[dict[str, Any]]:
    by = _pauses(connection, tables, rows)
    return [order_shape(order_of(row.state, row.value), by.get(row.place)) for row in rows]


def _pauses(connection: Connection, tables: ViewSet, rows: Sequence[Row[Any]]) -> dict[int, Pause]:
    paused = [row.place for row in rows if row.status == State.PAUSED.value]
    return pauses(connection, tables, paused) if paused else {}


def _with_acceptance(tables: ViewSet) -> Select[Any]:
    orders, timeline = tables.orders.c, tables.timeline.c
    return select(orders.created, orders.place, orders.status, orders.state, timeline.value).join(
        tables.timeline, timeline.place == orders.place
    )


def _page(
    query: Select[Any], tables: ViewSet, tenant: str, filters: OrderFilters, cursor: str | None
) -> Select[Any]:
    orders = tables.orders.c
    query = query.where(orders.tenant == tenant, *conditions(tables, filters))
    if cursor is not None:
        created, place = _position(cursor)
        query = query.where(
            or_(
                orders.created < created,
                and_(orders.created == created, orders.place < place),
            )
        )
    return query.order_by(orders.created.desc(), orders.place.desc())


def conditions(tables: ViewSet, filters: OrderFilters) -> list[ColumnElement[bool]]:
    """What an order fulfils that the filters find; the tenant is asked for beside it."""
    orders = tables.orders.c
    conditions: list[ColumnElement[bool]] = []
    for name in ("external_id", "order_type", "stage", "status", "error_code"):
        value = getattr(filters, name)
        if value is not None:
            conditions.append(orders[name] == indexable(value))
    if filters.status not in {None, "complete"}:
        # Said outright, so that the database sees that the small index will do.
        conditions.append(incomplete(tables.orders))
    conditions += of_cause(tables, filters.attention, filters.plugin, filters.code)
    if filters.since is not None:
        conditions.append(orders.created >= microseconds(filters.since))
    if filters.until is not None:
        conditions.append(orders.created < microseconds(filters.until))
    if filters.q:
        begin = indexable(filters.q)
        named = (orders.id, orders.order_reference, orders.external_id)
        conditions.append(or_(*(_begins(column, begin) for column in named)))
    return conditions


def _begins(column: ColumnElement[str], begin: str) -> ColumnElement[bool]:
    return and_(column >= begin, column < begin + _PAST_ALL)


def _cursor(created: int, place: int) -> str:
    return base64.urlsafe_b64encode(f"{created}:{place}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        created, place = text.split(":")
        return int(created), int(place)
    except ValueError:
        raise CursorError("the cursor is not one that this API gave out") from None
