"""What is asked of the view of subscriptions: lists, one of them, and what happened to it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    String,
    and_,
    exists,
    func,
    or_,
    select,
    tuple_,
)

from projections.keyset import Cursor
from projections.moments import microseconds
from projections.orders import unfinished
from projections.process_events import Entry
from projections.store import Store
from projections.subscriptions import is_inactive, is_rehearsed, subscription_from
from projections.tables import indexable, listed, member_of, parted
from projections.timeline_shape import timeline_entry
from projections.viewset import ViewSet
from schemas.codec import decode
from streams.core.subscription import Subscription, joined, standing

LIMIT, MOST = 50, 200
OPEN_SHOWN = 20
"""Orders under way of one subscription that are named, the oldest ones."""

_PAST_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionFilters:
    """Which subscriptions; what is None does not matter. `q` begins the reference."""

    status: str | None = None
    owner: str | None = None
    mode: str | None = None
    offer: str | None = None
    account: str | None = None
    crm: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    q: str | None = None


class SubscriptionQueries:
    """May be called from any thread. `today` is the ISO date that decides what has come."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def subscriptions(
        self,
        tenant: str,
        filters: SubscriptionFilters,
        today: str,
        cursor: str | None = None,
        limit: int = LIMIT,
    ) -> dict[str, Any]:
        """A page, the newest first. ValueError where the cursor is none."""
        with self._store.reading() as (connection, tables):
            columns = tables.subscriptions.c
            query = select(columns.reference, columns.created, columns.place).where(
                columns.tenant == tenant,
                _is_newest(tables),
                *_conditions(tables, filters, today),
            )
            if cursor is not None:
                at = Cursor.read(cursor)
                query = query.where(tuple_(columns.created, columns.place) < tuple_(*at))
            rows = connection.execute(
                query.order_by(columns.created.desc(), columns.place.desc()).limit(limit + 1)
            ).all()
            shown = rows[:limit]
            states = _states(connection, tables, tenant, [row.reference for row in shown])
        items = [subscription_shape(joined(states[row.reference]), today) for row in shown]
        more = len(rows) > limit
        following = str(Cursor(shown[-1].created, shown[-1].place)) if more else None
        return {"items": items, "next": following}

    def subscription(self, tenant: str, reference: str, today: str) -> dict[str, Any] | None:
        """One, with its orders under way; None where no order has opened it."""
        with self._store.reading() as (connection, tables):
            states = _states(connection, tables, tenant, [indexable(reference)])
            if not states:
                return None
            [parts] = states.values()
            orders = tables.orders.c
            under_way = connection.execute(
                select(orders.id, orders.order_type, orders.status)
                .where(
                    orders.tenant == tenant,
                    orders.subscription_reference == indexable(reference),
                    unfinished(tables.orders),
                )
                .order_by(orders.created, orders.place)
                .limit(OPEN_SHOWN)
            )
            open_orders = [
                {"id": order_id, "order_type": order_type, "status": status}
                for order_id, order_type, status in under_way
            ]
        return {**subscription_shape(joined(parts), today), "open_orders": open_orders}

    def subscription_timeline(
        self, tenant: str, reference: str, cursor: str | None = None, limit: int = LIMIT
    ) -> dict[str, Any]:
        """Every applied event of its orders, the latest first. ValueError as above."""
        with self._store.reading() as (connection, tables):
            orders, timeline = tables.orders.c, tables.timeline.c
            query = (
                select(orders.id, timeline.place, timeline.value, _sequence(tables))
                .join(tables.orders, orders.place == timeline.order_place)
                .where(
                    orders.tenant == tenant,
                    orders.subscription_reference == indexable(reference),
                )
            )
            if cursor is not None:
                query = query.where(timeline.place < Cursor.read(cursor).place)
            rows = connection.execute(query.order_by(timeline.place.desc()).limit(limit + 1)).all()
        items = [_entry(*row) for row in rows[:limit]]
        following = str(Cursor(0, rows[limit - 1].place)) if len(rows) > limit else None
        return {"items": items, "next": following}


def subscription_shape(subscription: Subscription, today: str) -> dict[str, Any]:
    """As the API shows it."""
    found = subscription
    length, unit = found.term or (None, None)
    return {
        "reference": found.reference,
        "status": standing(found, today),
        "owner": found.owner,
        "mode": found.mode,
        "start": found.start,
        "ends": found.ends,
        "term": {
            "start": found.term_start,
            "end": found.term_end,
            "length": length,
            "unit": unit,
            "auto_renew": found.auto_renew,
        },
        "currency": found.currency,
        "items": [_item(asdict(item)) for item in found.items],
        "plans": list(found.plans),
        "numbers": found.numbers or {},
        "given_back": [asdict(one) for one in found.given_back],
        "created": found.created,
        "updated": found.updated,
        "first_order": found.first_order,
        "last_order": found.last_order,
        "last_type": found.last_type,
        "orders": found.orders,
    }


def _item(plain: dict[str, Any]) -> dict[str, Any]:
    price = {"amount": plain.pop("amount"), "currency": plain.pop("currency")}
    since = plain.pop("since")
    return {**plain, "price": price, "from": since}


def _entry(order_id: str, place: int, value: bytes, sequence: int) -> dict[str, Any]:
    return {"order": order_id, **timeline_entry(Entry(*parted(place), decode(value)), sequence)}


def _sequence(tables: ViewSet) -> Any:
    """The number of the event among those of its order."""
    timeline, earlier = tables.timeline.c, tables.timeline.alias().c
    return (
        select(func.count())
        .where(earlier.order_place == timeline.order_place, earlier.place <= timeline.place)
        .scalar_subquery()
        .label("sequence")
    )


def _states(
    connection: Connection, tables: ViewSet, tenant: str, references: Iterable[str]
) -> Mapping[str, list[Subscription]]:
    """All parts of these subscriptions: orders of several partitions can be about one."""
    columns, dialect = tables.subscriptions.c, connection.dialect
    rows = connection.execute(
        select(columns.reference, columns.state)
        .where(
            columns.tenant == tenant,
            member_of(columns.reference, "references", String(), dialect),
        )
        .order_by(columns.partition),
        {"references": listed(list(references), dialect)},
    )
    states: defaultdict[str, list[Subscription]] = defaultdict(list)
    for reference, state in rows:
        states[reference].append(subscription_from(state))
    return states


def _is_newest(tables: ViewSet) -> ColumnElement[bool]:
    """Whether the row is the one of its subscription that was changed last."""
    mine = tables.subscriptions
    other: FromClause = mine.alias()
    return ~exists().where(
        other.c.tenant == mine.c.tenant,
        other.c.reference == mine.c.reference,
        other.c.partition != mine.c.partition,
        tuple_(other.c.updated, other.c.partition) > tuple_(mine.c.updated, mine.c.partition),
    )


def _conditions(
    tables: ViewSet, filters: SubscriptionFilters, today: str
) -> list[ColumnElement[bool]]:
    columns = tables.subscriptions.c
    found: list[ColumnElement[bool]] = []
    for name in ("owner", "mode", "offer", "account", "crm"):
        value = getattr(filters, name)
        if value is not None:
            found.append(columns[name] == indexable(value))
    if filters.status is not None:
        found.append(_stands(tables, filters.status, today))
    if filters.mode not in {None, "production"}:
        found.append(is_rehearsed(tables.subscriptions))
    if filters.since is not None:
        found.append(columns.created >= microseconds(filters.since))
    if filters.until is not None:
        found.append(columns.created < microseconds(filters.until))
    if filters.q:
        begin = indexable(filters.q)
        found += [columns.reference >= begin, columns.reference < begin + _PAST_ALL]
    return found


def _stands(tables: ViewSet, status: str, today: str) -> ColumnElement[bool]:
    """What `standing` says, asked of the columns."""
    columns = tables.subscriptions.c
    goes_on = or_(columns.ends.is_(None), columns.ends > today)
    runs = or_(columns.expires.is_(None), columns.expires > today)
    match status:
        case "cancelled":
            return columns.ends <= today
        case "active":
            return and_(columns.status == status, goes_on, runs)
        case "expired":
            over = columns.status.in_(("active", status))
            return and_(over, columns.expires <= today, goes_on)
        case _:
            return and_(columns.status == status, is_inactive(tables.subscriptions), goes_on)
