"""Lists of orders: which filters there are, and the keys of a page, the newest order first.

A page is found in two steps: its keys from an index alone, then its rows. Pages stand on when an
order was created and where it stands in the log, which never change: whatever arrives meanwhile,
no order is shown twice or left out.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, and_, literal_column, or_, select

from projections.attention import DEFERRED, PAUSED
from projections.attention_queries import of_cause
from projections.moments import microseconds
from projections.orders import awaited, incomplete, rehearsed
from projections.search_queries import candidates, has_words, having
from projections.search_words import words_in
from projections.tables import indexable
from projections.viewset import ViewSet

_FIRST_SCANNED = 500
SCANNED = 6_000
"""Orders that one page goes through at most for words that many orders have."""

_LARGEST = 1 << 63
_PAST_ALL = "\U0010ffff"
_COLUMNS = {
    "external_id": "external_id",
    "subscription": "subscription_reference",
    "lane": "lane",
    "error_code": "error_code",
    "stage": "stage",
    "status": "status",
    "mode": "mode",
    "order_type": "order_type",
}
"""Filters by equality, the one that leaves the fewest orders first: its index is used."""
_FEW = frozenset({"external_id", "subscription", "lane"})
_MASS = frozenset({("status", "complete"), ("mode", "production")})


class CursorError(ValueError):
    """The cursor is not one that was handed out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFilters:
    """Which orders; what is None does not matter.

    `stage` is the plugin that the order stands at. `since` (included) and `until` bound when it
    was created. `q` are words that it has, the last one perhaps only the beginning of one; where
    it holds none, it begins the id, order reference or external id. `attention`, `plugin` and
    `code` are a cause of the attention view (`deferred`: `code` is the stage); `error_code` is the
    code of what stopped or delays it. `subscription` is a reference. `ids` are the orders
    themselves.
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
    subscription: str | None = None
    lane: str | None = None
    mode: str | None = None
    ids: Sequence[str] | None = None

    @property
    def of_attention(self) -> bool:
        """Whether they name a cause that has rows of its own."""
        named = (self.attention, self.plugin, self.code)
        return self.attention not in {DEFERRED, PAUSED} and any(one is not None for one in named)


class Asked(NamedTuple):
    """A page: whose orders, which, behind what, how many at most."""

    tenant: str
    filters: OrderFilters
    cursor: str | None
    limit: int


class Keys(NamedTuple):
    """Places of orders, and the cursor of those that follow; a page may hold fewer and have one."""

    places: list[int]
    following: str | None


def keys(connection: Connection, tables: ViewSet, asked: Asked) -> Keys:
    """The orders of a page in their order. `CursorError` where the cursor is none."""
    filters, orders = asked.filters, tables.orders.c
    if connection.dialect.name == "postgresql":
        # What fits a status that few orders have does not fit one that all have.
        connection.exec_driver_sql("SET LOCAL plan_cache_mode = force_custom_plan")
    sought = _Sought.of(connection, tables, filters)
    if filters.of_attention and not sought.few:
        return _page(connection, _by_cause(tables, asked, sought), asked)
    created = _unindexed(orders.created) if sought.few else orders.created
    tenant = _unindexed(orders.tenant) if sought.driving in {"place", "id"} else orders.tenant
    query: Select[Any] = select(orders.created, orders.place).where(
        tenant == asked.tenant,
        *_equal(tables, filters, sought),
        *_others(tables, filters),
        *_within(filters, created),
        *sought.fulfilled,
    )
    query = _from(query, created, orders.place, asked.cursor)
    if sought.common:
        return _scanned(connection, tables, query, sought, asked)
    return _page(connection, query, asked)


def conditions(
    connection: Connection, tables: ViewSet, filters: OrderFilters
) -> list[ColumnElement[bool]]:
    """What an order fulfils that the filters find; the tenant is asked for beside it."""
    sought = _Sought.of(connection, tables, filters)
    return [
        *_equal(tables, filters, sought),
        *_within(filters, tables.orders.c.created),
        *of_cause(tables, filters.attention, filters.plugin, filters.code),
        *sought.fulfilled,
        *([has_words(tables, sought.common)] if sought.common else []),
    ]


@dataclass(frozen=True, slots=True)
class _Sought:
    """How `q` is looked for: by the places of few orders, by ids, or by `common` words.

    `few`: what is asked for leaves so few orders that they are sorted afterwards. `driving` is the
    filter whose index is used; None leaves that to the database.
    """

    fulfilled: Sequence[ColumnElement[bool]]
    common: Sequence[str]
    few: bool
    driving: str | None

    @classmethod
    def of(cls, connection: Connection, tables: ViewSet, filters: OrderFilters) -> "_Sought":
        words = words_in(filters.q or "")
        found = candidates(connection, tables, words) if words else None
        fulfilled = [found] if found is not None else []
        if filters.q and not words:
            fulfilled = [_begins_an_id(tables, filters.q)]
        if filters.ids is not None:
            fulfilled.append(tables.orders.c.id.in_([indexable(one) for one in filters.ids]))
        named = next((name for name in _COLUMNS if _drives(filters, name)), "")
        few = named in _FEW or found is not None or filters.ids is not None
        # PostgreSQL knows from its statistics which one is best; SQLite has none.
        driving = None if connection.dialect.name == "postgresql" else named
        if found is not None and driving is not None:
            driving = "place"
        if filters.ids is not None and driving is not None:
            driving = "id"
        return cls(fulfilled, words if found is None else (), few, driving)


def _drives(filters: OrderFilters, name: str) -> bool:
    value = getattr(filters, name)
    return value is not None and (name, value) not in _MASS


def _equal(tables: ViewSet, filters: OrderFilters, sought: _Sought) -> list[ColumnElement[bool]]:
    orders = tables.orders.c
    found: list[ColumnElement[bool]] = []
    for name, column_name in _COLUMNS.items():
        value = getattr(filters, name)
        if value is None:
            continue
        used = sought.driving in {None, name}
        column = orders[column_name] if used else _unindexed(orders[column_name])
        found.append(column == indexable(value))
    # Said outright, so that the database sees that the small index will do.
    if filters.status not in {None, "complete"} and sought.driving in {None, "status"}:
        found.append(incomplete(tables.orders))
    if filters.mode not in {None, "production"} and sought.driving in {None, "mode"}:
        found.append(rehearsed(tables.orders))
    return found


def _others(tables: ViewSet, filters: OrderFilters) -> list[ColumnElement[bool]]:
    found = of_cause(tables, filters.attention, filters.plugin, filters.code)
    if filters.attention == DEFERRED:
        found.append(awaited(tables.orders))
    return found


def _within(filters: OrderFilters, created: ColumnElement[int]) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if filters.since is not None:
        found.append(created >= microseconds(filters.since))
    if filters.until is not None:
        found.append(created < microseconds(filters.until))
    return found


def _begins_an_id(tables: ViewSet, q: str) -> ColumnElement[bool]:
    orders, begin = tables.orders.c, indexable(q)
    named = (orders.id, orders.order_reference, orders.external_id)
    return or_(*(and_(column >= begin, column < begin + _PAST_ALL) for column in named))


def _by_cause(tables: ViewSet, asked: Asked, sought: _Sought) -> Select[Any]:
    """From the rows of attention; an order that has several of that cause is one."""
    filters, rows, orders = asked.filters, tables.attention.c, tables.orders.c
    named = {"kind": filters.attention, "plugin": filters.plugin, "code": filters.code}
    query = (
        select(rows.created, rows.order_place)
        .distinct()
        .where(
            rows.tenant == asked.tenant,
            *(rows[name] == indexable(value) for name, value in named.items() if value is not None),
            *_within(filters, rows.created),
        )
    )
    further = [*_equal(tables, filters, sought), *sought.fulfilled]
    if sought.common:
        further.append(has_words(tables, sought.common))
    if further:
        query = query.join(tables.orders, orders.place == rows.order_place).where(*further)
    return _from(query, rows.created, rows.order_place, asked.cursor)


def _from(
    query: Select[Any], created: ColumnElement[int], place: ColumnElement[int], cursor: str | None
) -> Select[Any]:
    """Behind the cursor, the newest first; `created <=` alone tells an index where to begin."""
    if cursor is not None:
        at, last = _position(cursor)
        query = query.where(created <= at, or_(created < at, place < last))
    return query.order_by(created.desc(), place.desc())


def _page(connection: Connection, query: Select[Any], asked: Asked) -> Keys:
    rows = connection.execute(query.limit(asked.limit + 1)).all()
    shown = rows[: asked.limit]
    following = _cursor(*shown[-1]) if len(rows) > asked.limit else None
    return Keys([place for _, place in shown], following)


def _scanned(
    connection: Connection, tables: ViewSet, query: Select[Any], sought: _Sought, asked: Asked
) -> Keys:
    """Goes through so many orders and no more, so that no page takes long."""
    found: list[tuple[int, int]] = []
    scanned, some = 0, _FIRST_SCANNED
    while True:
        rows = connection.execute(query.limit(some).offset(scanned)).tuples().all()
        fitting = having(connection, tables, sought.common, [place for _, place in rows])
        found += [row for row in rows if row[1] in fitting]
        scanned += len(rows)
        if len(found) > asked.limit:
            shown = found[: asked.limit]
            return Keys([place for _, place in shown], _cursor(*shown[-1]))
        if len(rows) < some or scanned >= SCANNED:
            following = _cursor(*rows[-1]) if len(rows) == some else None
            return Keys([place for _, place in found], following)
        some = min(2 * some, SCANNED - scanned)


def _unindexed(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The same to SQLite, but nothing to choose an index by."""
    return literal_column(f"+{column}", column.type)


def _cursor(created: int, place: int) -> str:
    return base64.urlsafe_b64encode(f"{created}:{place}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, int]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        created, place = (int(number) for number in text.split(":"))
    except ValueError:
        created = place = _LARGEST
    if max(abs(created), abs(place)) >= _LARGEST:
        raise CursorError("the cursor is not one that this API gave out")
    return created, place
