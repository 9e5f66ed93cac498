"""What deliveries found out about endpoints: since when one fails, and whether it is disabled."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple, TypeAlias

from sqlalchemy import Connection, and_, bindparam, case, func, or_, select, update

from projections.moments import microseconds, moment_of
from projections.store import Store
from projections.tables import insert_into
from projections.webhooks.deliveries import Addition, added_rows
from projections.webhooks.tables import DELIVERIES, MESSAGES, STATES

Reason: TypeAlias = Literal["gone", "failing"]
"""It answered 410, or there was nothing but failures for days."""

_WOKEN_AT_ONCE = 5_000

_D = DELIVERIES.c
_S = STATES.c


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one endpoint's `generation`; what it says does not hold for a later one."""

    generation: int = 0
    disabled_at: datetime | None = None
    reason: str | None = None
    failing_since: datetime | None = None
    last_success: datetime | None = None


class Note(NamedTuple):
    """An endpoint had its last success then, or else a failure then; in microseconds."""

    endpoint: str
    tenant: str
    generation: int
    success: int | None
    failure: int | None


class Disabling(NamedTuple):
    """An endpoint of that generation gets nothing any more."""

    endpoint: str
    tenant: str
    generation: int
    reason: Reason


class Standings:
    """May be called from any thread; every call may wait for the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> dict[str, Standing]:
        """By endpoint id; those that nothing was sent to are missing."""
        with self._store.reader.begin() as connection:
            return {row.endpoint: _standing(row) for row in connection.execute(select(STATES))}

    def note(self, notes: Sequence[Note]) -> None:
        """Writes down successes and failures; safe to be repeated."""
        rows = [
            {
                "endpoint": note.endpoint,
                "tenant": note.tenant,
                "generation": note.generation,
                "failing_since": note.failure if note.success is None else None,
                "last_success": note.success,
            }
            for note in sorted(notes)
        ]
        with self._store.writer.begin() as connection:
            connection.execute(_noting(connection), rows)

    def disable(self, disabling: Disabling, notices: Sequence[Addition], now: datetime) -> bool:
        """Disables the endpoint and has the notices delivered; False where it is done already."""
        with self._store.durable.begin() as connection:
            new = insert_into(STATES, connection.dialect).on_conflict_do_nothing()
            connection.execute(
                new,
                {
                    "endpoint": disabling.endpoint,
                    "tenant": disabling.tenant,
                    "generation": disabling.generation,
                },
            )
            done = connection.execute(
                update(STATES)
                .where(
                    _S.endpoint == disabling.endpoint,
                    or_(
                        _S.generation < disabling.generation,
                        and_(_S.generation == disabling.generation, _S.disabled_at.is_(None)),
                    ),
                )
                .values(
                    generation=disabling.generation,
                    disabled_at=microseconds(now),
                    reason=disabling.reason,
                )
            )
            if done.rowcount != 1:
                return False
            for notice in notices:
                message, delivery = added_rows(notice, now)
                for table, row in ((MESSAGES, message), (DELIVERIES, delivery)):
                    statement = insert_into(table, connection.dialect).on_conflict_do_nothing()
                    connection.execute(statement, row)
        return True

    def begin(self, endpoint: str, generation: int, now: datetime) -> bool:
        """It is enabled anew: what was found out is void, and what waits for it is due now.

        False where somebody has done so already.
        """
        with self._store.writer.begin() as connection:
            done = connection.execute(
                update(STATES)
                .where(_S.endpoint == endpoint, _S.generation < generation)
                .values(generation=generation, disabled_at=None, reason=None, failing_since=None)
            )
        if done.rowcount != 1:
            return False
        self.wake(endpoint, now)
        return True

    def wake(self, endpoint: str, now: datetime) -> int:
        """Has everything that waits for its next attempt tried at once; how much that was."""
        at, woken = microseconds(now), 0
        later = (
            select(_D.id)
            .where(_D.endpoint == endpoint, _D.next_at.is_not(None), _D.next_at > at)
            .limit(_WOKEN_AT_ONCE)
        )
        while True:
            with self._store.writer.begin() as connection:
                found = connection.execute(
                    update(DELIVERIES).where(_D.id.in_(later)).values(next_at=at)
                ).rowcount
            woken += found
            if found < _WOKEN_AT_ONCE:
                return woken


def _noting(connection: Connection) -> Any:
    statement = insert_into(STATES, connection.dialect).values(
        {
            name: bindparam(name)
            for name in ("endpoint", "tenant", "generation", "failing_since", "last_success")
        }
    )
    new = statement.excluded
    return statement.on_conflict_do_update(
        index_elements=[_S.endpoint],
        set_={
            "failing_since": case(
                (new.last_success.is_not(None), None),
                else_=func.coalesce(_S.failing_since, new.failing_since),
            ),
            "last_success": func.coalesce(new.last_success, _S.last_success),
        },
        where=_S.generation <= new.generation,
    )


def _standing(row: Any) -> Standing:
    return Standing(
        generation=row.generation,
        disabled_at=_moment(row.disabled_at),
        reason=row.reason,
        failing_since=_moment(row.failing_since),
        last_success=_moment(row.last_success),
    )


def _moment(number: int | None) -> datetime | None:
    return None if number is None else moment_of(number)
