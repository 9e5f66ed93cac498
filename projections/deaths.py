"""How often a process died with the same thing in hand; outside the rebuilt tables."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from sqlalchemy import delete, select

from projections.moments import microseconds
from projections.store import DEATHS, Store
from projections.tables import insert_into

REMEMBERED = timedelta(days=30)
"""Longer than the topics keep what might be read again."""


class Deaths:
    """May be called from any thread; every call may wait for the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def count(self, recorder: str, what: str, at: datetime) -> None:
        """One more death with `what` in hand. The same recorder is counted once in a row."""
        moment = microseconds(at)
        statement = insert_into(DEATHS, self._store.durable.dialect)
        again = statement.on_conflict_do_update(
            index_elements=[DEATHS.c.what],
            set_={
                "times": DEATHS.c.times + 1,
                "recorder": statement.excluded.recorder,
                "last": statement.excluded.last,
            },
            where=DEATHS.c.recorder != statement.excluded.recorder,
        )
        old = delete(DEATHS).where(DEATHS.c.last < microseconds(at - REMEMBERED))
        with self._store.durable.begin() as connection:
            connection.execute(old)
            connection.execute(
                again, {"what": what, "times": 1, "recorder": recorder, "last": moment}
            )

    def known(self) -> Mapping[str, int]:
        """The count of everything that was in a dead hand and was not handled since."""
        with self._store.reader.begin() as connection:
            rows = connection.execute(select(DEATHS.c.what, DEATHS.c.times))
            return {row.what: row.times for row in rows}

    def forget(self, what: str) -> None:
        """It was handled, and nobody died of it."""
        with self._store.durable.begin() as connection:
            connection.execute(delete(DEATHS).where(DEATHS.c.what == what))
