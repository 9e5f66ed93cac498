"""Customers, as far as their subscriptions tell of them: nothing personal is kept of anybody."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import func, select

from projections.keyset import OwnerCursor
from projections.moments import iso, moment_of
from projections.store import Store
from projections.subscriptions import subscription_from
from projections.tables import indexable
from streams.core.subscription import Subscription

PARTS_READ = 200
"""Subscriptions of one customer that are looked at, the newest ones."""

_NUMBERS = ("crmId", "contactId", "accountNumber", "customerId")


class CustomerQueries:
    """May be called from any thread. A customer is an owner of subscriptions."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def customers(self, tenant: str, cursor: str | None, limit: int) -> dict[str, Any]:
        """A page, by owner. ValueError where the cursor is none."""
        with self._store.reading() as (connection, tables):
            columns = tables.subscriptions.c
            query = (
                select(
                    columns.owner,
                    func.min(columns.created).label("created"),
                    func.max(columns.updated).label("updated"),
                    func.max(columns.mode).label("mode"),
                )
                .where(columns.tenant == tenant)
                .group_by(columns.owner)
                .order_by(columns.owner)
                .limit(limit + 1)
            )
            if cursor is not None:
                query = query.where(columns.owner > OwnerCursor.read(cursor).owner)
            rows = connection.execute(query).all()
        shown = rows[:limit]
        items = [
            {
                "owner": row.owner,
                "created": iso(moment_of(row.created)),
                "updated": iso(moment_of(row.updated)),
                "mode": row.mode,
            }
            for row in shown
        ]
        following = str(OwnerCursor(shown[-1].owner)) if len(rows) > limit else None
        return {"items": items, "next": following}

    def customer(self, tenant: str, owner: str) -> dict[str, Any] | None:
        """One, with the numbers of its records; None where nothing is owned by it."""
        with self._store.reading() as (connection, tables):
            columns = tables.subscriptions.c
            rows = connection.execute(
                select(columns.state)
                .where(columns.tenant == tenant, columns.owner == indexable(owner))
                .order_by(columns.created.desc(), columns.place.desc())
                .limit(PARTS_READ)
            ).all()
        if not rows:
            return None
        newest, *_ = parts = [subscription_from(row.state) for row in rows]
        moments = [one.updated or one.created for one in parts]
        return {
            "owner": newest.owner,
            "created": min(one.created for one in parts),
            "updated": max(moments),
            "mode": newest.mode,
            "numbers": _numbers(parts),
            "subscriptions": list(dict.fromkeys(one.reference for one in parts)),
            "orders": sum(one.orders for one in parts),
        }


def _numbers(parts: list[Subscription]) -> Mapping[str, str]:
    """Its own ids in other systems, those that were said last."""
    found = {}
    for name in _NUMBERS:
        said = next((value for one in parts if (value := one.number(name)) is not None), None)
        if said is not None:
            found[name] = said
    return found
