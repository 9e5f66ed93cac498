"""The view of subscriptions: as their completed orders left them, one row each and partition."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    FromClause,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Select,
    String,
    Table,
    bindparam,
    literal_column,
    select,
)

from projections.change import Change, parsed
from projections.moments import microseconds
from projections.tables import (
    Bulk,
    Place,
    Text,
    indexable,
    let_others_write,
    listed,
    member_of,
    parted,
    upsert,
)
from schemas.codec import decode_to_fold
from schemas.events import OrderAccepted, OrderCompleted
from schemas.orders import Document
from streams.core.subscribed import Item
from streams.core.subscription import GivenBack, Subscription, expiry, opened
from streams.core.subscriptions import completed, sold_anew

_CHANGING = (
    *("owner", "mode", "status", "ends", "expires", "offer", "account", "crm", "updated", "state"),
)


LONG_AGO = "0001-01-01"


class Key(NamedTuple):
    """Names a row: a subscription, as far as the orders of one partition have made it."""

    tenant: str
    reference: str
    partition: int


def subscriptions_table(metadata: MetaData, prefix: str) -> Table:
    """What subscriptions are filtered by, and the folded state.

    `place` is that of the acceptance that opened it. `account` is the number in the billing
    system, `crm` the id in the CRM. `ends` and `expires` are ISO dates: whether they have come is
    asked when they are read.
    """
    table = Table(
        f"{prefix}subscriptions",
        metadata,
        Column("tenant", Text, primary_key=True),
        Column("reference", Text, primary_key=True),
        Column("partition", Integer, primary_key=True, autoincrement=False),
        Column("place", Place, nullable=False),
        Column("created", Place, nullable=False),
        Column("owner", Text, nullable=False),
        Column("mode", Text, nullable=False),
        Column("status", Text, nullable=False),
        Column("ends", Text),
        Column("expires", Text),
        Column("offer", Text),
        Column("account", Text),
        Column("crm", Text),
        Column("updated", Place, nullable=False),
        Column("state", LargeBinary, nullable=False),
    )
    _indexes(table, prefix)
    return table


def _indexes(table: Table, prefix: str) -> None:
    """Of those that go on as they were sold there are most: the small ones leave them out."""
    columns = table.c
    place = (columns.created, columns.place)
    Index(f"{prefix}subscriptions_created", columns.tenant, *place)
    Index(f"{prefix}subscriptions_offer", columns.tenant, columns.offer, *place)
    Index(f"{prefix}subscriptions_owner", columns.tenant, columns.owner, *place)
    for name in ("account", "crm", "ends", "expires"):
        there = columns[name].is_not(None)
        leading = [columns[name]] if name in ("account", "crm") else []
        Index(
            f"{prefix}subscriptions_{name}",
            *(columns.tenant, *leading, *place),
            sqlite_where=there,
            postgresql_where=there,
        )
    Index(
        f"{prefix}subscriptions_status",
        *(columns.tenant, columns.status, *place),
        sqlite_where=is_inactive(table),
        postgresql_where=is_inactive(table),
    )
    Index(
        f"{prefix}subscriptions_mode",
        *(columns.tenant, columns.mode, *place),
        sqlite_where=is_rehearsed(table),
        postgresql_where=is_rehearsed(table),
    )


def is_inactive(table: FromClause) -> ColumnElement[bool]:
    """Not of the mass; written out, so that a query is seen to fit the small index."""
    return table.c.status != literal_column("'active'")


def is_rehearsed(table: FromClause) -> ColumnElement[bool]:
    """Of another mode than production; written out for the same reason."""
    return table.c.mode != literal_column("'production'")


def subscriptions_bulk(table: Table, dialect: Dialect) -> Bulk:
    """What `SubscriptionsView` writes with."""
    return Bulk(upsert(table, dialect, _CHANGING), table, dialect)


class SubscriptionsView:
    """Folds the orders of a transaction over what the table holds of their subscriptions."""

    def __init__(self, bulk: Bulk, table: Table, timeline: Table) -> None:
        self._bulk = bulk
        self._table = table
        self._timeline = timeline
        self._documents: dict[int, Document] = {}
        self._turns: list[tuple[Key, Change]] = []

    def apply(self, change: Change) -> None:
        """Only what opens a subscription, and completed orders, say anything about one."""
        fact = change.event.fact
        if isinstance(fact, OrderAccepted):
            self._documents[change.order_place] = _document(fact.document)
            if fact.order_type == "new":
                self._turns.append((_key(change), change))
        elif isinstance(fact, OrderCompleted):
            self._turns.append((_key(change), change))

    def write(self, connection: Connection) -> None:
        """One row per subscription. The timeline must be written: acceptances are read there."""
        if not self._turns:
            return
        held = _held(connection, self._table, {key for key, _ in self._turns})
        self._read_documents(connection)
        let_others_write(connection)
        changed: set[Key] = set()
        for key, change in self._turns:
            place, before = held.get(key, (change.order_place, None))
            if isinstance(change.event.fact, OrderAccepted):
                if before is not None:
                    continue
                after = opened(change.after)
            else:
                document = self._document(change)
                after = completed(before, change.after, document)
                anew = sold_anew(before, change.after, document)
                if anew is not None:
                    other = key._replace(reference=indexable(anew.reference))
                    held[other] = change.place, anew
                    changed.add(other)
            held[key] = place, after
            changed.add(key)
        rows = [subscription_row(key, *held[key]) for key in sorted(changed)]
        self._bulk.write(connection, rows)

    def _read_documents(self, connection: Connection) -> None:
        """Those of orders that were accepted before this transaction, and not amended since."""
        missing = [
            change.order_place
            for _, change in self._turns
            if change.order_place not in self._documents and not change.after.accepted.document
        ]
        if not missing:
            return
        query = _acceptances(self._timeline, connection.dialect)
        for place, value in connection.execute(
            query, {"places": listed(missing, connection.dialect)}
        ):
            accepted = decode_to_fold(value).fact
            assert isinstance(accepted, OrderAccepted)
            self._documents[place] = _document(accepted.document)

    def _document(self, change: Change) -> Document:
        amended = change.after.accepted.document
        return _document(amended) if amended else self._documents[change.order_place]


def _document(text: str) -> Document:
    document = parsed(text) if text else {}
    return document if isinstance(document, dict) else {}


def _key(change: Change) -> Key:
    order = change.after
    reference = indexable(order.accepted.subscription_reference)
    return Key(order.tenant, reference, parted(change.place)[0])


def _held(
    connection: Connection, table: Table, keys: Iterable[Key]
) -> dict[Key, tuple[int, Subscription]]:
    """What the table holds of these subscriptions, with the place of the row."""
    by_tenant: defaultdict[str, set[str]] = defaultdict(set)
    for key in keys:
        by_tenant[key.tenant].add(key.reference)
    found: dict[Key, tuple[int, Subscription]] = {}
    query = _rows_of(table, connection.dialect)
    for tenant, references in sorted(by_tenant.items()):
        given = {"tenant": tenant, "references": listed(sorted(references), connection.dialect)}
        for reference, partition, place, state in connection.execute(query, given):
            found[Key(tenant, reference, partition)] = place, subscription_from(state)
    return found


@lru_cache(maxsize=8)
def _rows_of(table: Table, dialect: Dialect) -> Select[Any]:
    columns = table.c
    return select(columns.reference, columns.partition, columns.place, columns.state).where(
        columns.tenant == bindparam("tenant"),
        member_of(columns.reference, "references", String(), dialect),
    )


@lru_cache(maxsize=8)
def _acceptances(timeline: Table, dialect: Dialect) -> Select[Any]:
    columns = timeline.c
    return select(columns.place, columns.value).where(
        member_of(columns.place, "places", Place, dialect)
    )


def subscription_row(key: Key, place: int, subscription: Subscription) -> tuple[Any, ...]:
    """The row in the order of the table's columns."""
    moments = subscription.created, subscription.updated or subscription.created
    created, updated = (microseconds(datetime.fromisoformat(moment)) for moment in moments)
    return (
        *key,
        place,
        created,
        indexable(subscription.owner),
        indexable(subscription.mode),
        subscription.status,
        subscription.ends,
        _expires(subscription),
        _indexed(subscription.offer),
        _indexed(subscription.number("accountNumber")),
        _indexed(subscription.number("crmId")),
        updated,
        subscription_bytes(subscription),
    )


def _expires(subscription: Subscription) -> str | None:
    """As `expiry`; long ago, where the billing system has said that it is."""
    return LONG_AGO if subscription.status == "expired" else expiry(subscription)


def _indexed(text: str | None) -> str | None:
    return None if text is None else indexable(text)


def subscription_bytes(subscription: Subscription) -> bytes:
    """The state as it is kept: the same bytes for the same state."""
    return orjson.dumps(subscription, option=orjson.OPT_SORT_KEYS)


def subscription_from(state: bytes) -> Subscription:
    """The subscription whose `subscription_bytes` these are."""
    plain = orjson.loads(state)
    plain["items"] = tuple(
        Item(**{**item, "products": tuple(item["products"])}) for item in plain["items"]
    )
    plain["given_back"] = tuple(GivenBack(**one) for one in plain["given_back"])
    plain["plans"] = tuple(plain["plans"])
    plain["term"] = None if plain["term"] is None else tuple(plain["term"])
    return Subscription(**plain)


def plain_subscription(subscription: Subscription) -> Mapping[str, Any]:
    """Its members, for shapes of the API."""
    return asdict(subscription)
