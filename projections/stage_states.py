"""What the workers last said about their stages; outside the rebuilt tables, and soon out of date.

Nothing follows from it: it is for people who look.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import delete, select

from projections.moments import microseconds
from projections.store import STAGE_STATES, Store
from projections.tables import upsert

FRESH = timedelta(seconds=20)
"""What is older comes from a worker that has gone."""


class StageStates:
    """May be called from any thread; every call may wait for the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def tell(self, worker: str, states: Sequence[Mapping[str, Any]], at: datetime) -> None:
        """Writes what a worker says about all of its stages; forgets what is out of date."""
        moment, writer = microseconds(at), self._store.writer
        rows = [
            {
                "worker": worker,
                "tenant": state["tenant"],
                "stage": state["stage"],
                "at": moment,
                "state": orjson.dumps(state).decode(),
            }
            for state in states
        ]
        old = delete(STAGE_STATES).where(STAGE_STATES.c.at < microseconds(at - FRESH))
        with writer.begin() as connection:
            connection.execute(old)
            if rows:
                connection.execute(upsert(STAGE_STATES, writer.dialect, ("at", "state")), rows)

    def of(self, tenant: str, now: datetime) -> list[dict[str, Any]]:
        """One object per worker and stage of the tenant, by stage."""
        columns = STAGE_STATES.c
        with self._store.reader.begin() as connection:
            rows = connection.execute(
                select(columns.worker, columns.state)
                .where(columns.tenant == tenant, columns.at >= microseconds(now - FRESH))
                .order_by(columns.stage, columns.worker)
            ).all()
        return [{"worker": worker, **orjson.loads(state)} for worker, state in rows]
