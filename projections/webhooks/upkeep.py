"""Keeps the deliveries in bounds: counts what is pending, and drops what nobody asks for."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import Select, delete, func, select, update

from projections.moments import microseconds, moment_of
from projections.store import Store
from projections.webhooks.heads import hold, promote
from projections.webhooks.tables import (
    ATTEMPTS,
    DELIVERIES,
    DISCARDED,
    MESSAGES,
    PENDING,
)

_AT_ONCE = 1_000
"""Others write to the store as well: each transaction is kept short."""

_SHARED = timedelta(days=1)
"""A message outlives its deliveries: some were made a little later than it."""

_D = DELIVERIES.c


class Backlog(NamedTuple):
    """What is pending for one endpoint."""

    tenant: str
    endpoint: str
    pending: int
    oldest: datetime


class Forgotten(NamedTuple):
    """Deliveries that were dropped, and how many of those had not arrived."""

    deliveries: int
    pending: int


class Upkeep:
    """May be called from any thread; every call may wait for the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def backlogs(self) -> list[Backlog]:
        """By endpoint, deleted and disabled ones too; none for those with nothing pending."""
        query = (
            select(_D.tenant, _D.endpoint, func.count(), func.min(_D.created))
            .where(_D.settled.is_(None))
            .group_by(_D.tenant, _D.endpoint)
        )
        with self._store.reader.begin() as connection:
            rows = connection.execute(query).tuples()
            return [
                Backlog(tenant, endpoint, count, moment_of(oldest))
                for tenant, endpoint, count, oldest in rows
            ]

    def discard(self, backlog: Backlog, before: datetime, now: datetime) -> int:
        """Gives up what is pending for a deleted endpoint and was made before then."""
        some = (
            select(_D.id)
            .where(
                _D.tenant == backlog.tenant,
                _D.endpoint == backlog.endpoint,
                _D.settled.is_(None),
                _D.created < microseconds(before),
            )
            .limit(_AT_ONCE)
        )
        statement = (
            update(DELIVERIES)
            .where(_D.id.in_(some))
            .values(status=DISCARDED, settled=microseconds(now), next_at=None)
        )
        return sum(self._each(statement))

    def forget(self, before: datetime, now: datetime) -> Forgotten:
        """Drops deliveries that were made before then, their attempts and their messages."""
        cutoff = microseconds(before)
        dropped = pending = 0
        for tenant in self._tenants():
            old = (
                select(_D.id, _D.status, _D.endpoint, _D.lane)
                .where(_D.tenant == tenant, _D.created < cutoff)
                .limit(_AT_ONCE)
            )
            while found := self._drop(old, microseconds(now)):
                dropped += len(found)
                pending += found.count(PENDING)
        messages = MESSAGES.c
        key = select(messages.id).where(messages.created < cutoff - _SHARED // _MICROSECOND)
        for _ in self._each(delete(MESSAGES).where(messages.id.in_(key.limit(_AT_ONCE)))):
            pass
        return Forgotten(dropped, pending)

    def _tenants(self) -> Iterator[str]:
        """One look into the index each, however many deliveries there are."""
        last = ""
        while True:
            with self._store.reader.begin() as connection:
                found = connection.scalar(select(func.min(_D.tenant)).where(_D.tenant > last))
            if found is None:
                return
            yield found
            last = found

    def _drop(self, old: Select[Any], now: int) -> list[str]:
        with self._store.writer.begin() as connection:
            hold(connection)
            rows = connection.execute(old).all()
            ids = [row.id for row in rows]
            if ids:
                connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.delivery.in_(ids)))
                connection.execute(delete(DELIVERIES).where(_D.id.in_(ids)))
                # What was not delivered in time may have been the head of what still can be.
                lanes = {(row.endpoint, row.lane) for row in rows if row.status == PENDING}
                promote(connection, lanes, now)
        return [row.status for row in rows]

    def _each(self, statement: Any) -> Iterator[int]:
        """Executes it, a transaction each time, until it finds less than it takes at once."""
        while True:
            with self._store.writer.begin() as connection:
                found = connection.execute(statement).rowcount
            yield found
            if found < _AT_ONCE:
                return


_MICROSECOND = timedelta(microseconds=1)
