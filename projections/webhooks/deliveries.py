"""Deliveries as the API shows them: lists, one with its attempts, replays, endpoints' states."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

import orjson
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    func,
    select,
    tuple_,
    update,
)

from projections.moments import iso, microseconds, moment_of
from projections.queries import CursorError
from projections.store import Store
from projections.tables import indexable, insert_into
from projections.webhooks.heads import hold, promote
from projections.webhooks.tables import (
    ATTEMPTS,
    DELIVERED,
    DELIVERIES,
    FAILED,
    HAS_FAILED,
    MESSAGES,
    PENDING,
    STATES,
)
from streams.core import ids

LIMIT = 50
MOST = 500
"""Deliveries on a page: unless asked otherwise, and at most."""

_REPLAYED_AT_ONCE = 1_000
"""Others write to the store as well: each transaction is kept short."""

_Passed: TypeAlias = tuple[int, int, int, str]
_BEFORE_ALL: _Passed = (0, -1, -1, "")
_LARGEST = 2**62
"""More than any column of a position holds."""

_D = DELIVERIES.c


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilters:
    """Which deliveries; what is None does not matter. `since` <= created < `until`."""

    endpoint: str | None = None
    status: str | None = None
    type: str | None = None
    order: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    ids: Sequence[str] | None = None


Chosen: TypeAlias = DeliveryFilters | Sequence[str]
"""Deliveries by filter or by their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Addition:
    """A delivery that no order led to, such as `webhook.test`; `body` is sent as it is."""

    tenant: str
    endpoint: str
    message: str
    type: str
    body: bytes


class Deliveries:
    """May be called from any thread; every call may wait for the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def listed(
        self,
        tenant: str,
        filters: DeliveryFilters,
        cursor: str | None = None,
        limit: int = LIMIT,
    ) -> dict[str, Any]:
        """A page `{"items": [...], "next": cursor or None}`, the newest first.

        `CursorError` where the cursor is none that was given out.
        """
        limit = min(limit, MOST)
        # Those that were made at one moment stand as they are sent, from the end.
        key = (_D.created, _D.place, _D.n, _D.id)
        query = _chosen(tenant, filters).order_by(*(column.desc() for column in key))
        if cursor is not None:
            query = query.where(tuple_(*key) < tuple_(*_position(cursor)))
        with self._store.reader.begin() as connection:
            rows = connection.execute(query.limit(limit + 1)).all()
        page = rows[:limit]
        following = _cursor(page[-1]) if len(rows) > limit else None
        return {"items": [delivery_shape(row) for row in page], "next": following}

    def one(self, tenant: str, delivery: str) -> dict[str, Any] | None:
        """The delivery with its request and `attempts_log`, oldest first; None if there is none.

        A body with personal data is not shown: `request.body` is None, `request.sealed` true.
        """
        with self._store.reader.begin() as connection:
            row = connection.execute(
                select(DELIVERIES).where(_D.tenant == tenant, _D.id == delivery)
            ).one_or_none()
            if row is None:
                return None
            body = connection.execute(
                select(MESSAGES.c.subject, MESSAGES.c.body).where(
                    MESSAGES.c.id == row.message, MESSAGES.c.variant == row.variant
                )
            ).one_or_none()
            attempts = connection.execute(
                select(ATTEMPTS).where(ATTEMPTS.c.delivery == delivery).order_by(ATTEMPTS.c.attempt)
            ).all()
        return {
            **delivery_shape(row),
            "request": _request(row, body),
            "attempts_log": [_attempt_shape(one) for one in attempts],
        }

    def count(self, tenant: str, chosen: Chosen) -> int:
        """How many deliveries `replay` would make."""
        with self._store.reader.begin() as connection:
            matching = _chosen(tenant, chosen).subquery()
            return connection.scalar(select(func.count()).select_from(matching)) or 0

    def replay(self, tenant: str, chosen: Chosen, now: datetime) -> int:
        """Makes them pending again, with the same message and body, in the order of their lanes.

        Those that are pending are tried at once. The answer is how many they are; what is made
        meanwhile is not among them.
        """
        replayed, after = 0, _BEFORE_ALL
        while True:
            found, after = self._replay_some(tenant, chosen, now, after)
            replayed += found
            if found < _REPLAYED_AT_ONCE:
                return replayed

    def states(self, tenant: str) -> Mapping[str, dict[str, Any]]:
        """By endpoint id: what deliveries have found out, and what is pending for it.

        `{generation, disabled_at, reason, failing_since, last_success, pending, oldest_pending}`.
        `disabled_at` counts only while the endpoint's generation is that one. Endpoints that
        nothing was ever sent to are missing.
        """
        waiting = (
            select(
                _D.endpoint,
                func.count().label("pending"),
                func.min(_D.created).label("oldest"),
            )
            .where(_D.tenant == tenant, _D.settled.is_(None))
            .group_by(_D.endpoint)
        )
        with self._store.reader.begin() as connection:
            pending = {row.endpoint: row for row in connection.execute(waiting)}
            states = {
                row.endpoint: row
                for row in connection.execute(select(STATES).where(STATES.c.tenant == tenant))
            }
        return {
            endpoint: _state_shape(states.get(endpoint), pending.get(endpoint))
            for endpoint in sorted(states.keys() | pending.keys())
        }

    def add(self, addition: Addition, now: datetime) -> str:
        """Has something delivered that no order led to; the delivery's id."""
        with self._store.durable.begin() as connection:
            message, delivery = added_rows(addition, now)
            for table, row in ((MESSAGES, message), (DELIVERIES, delivery)):
                statement = insert_into(table, connection.dialect).on_conflict_do_nothing()
                connection.execute(statement, row)
        added: str = delivery["id"]
        return added

    def _replay_some(
        self, tenant: str, chosen: Chosen, now: datetime, after: _Passed
    ) -> tuple[int, _Passed]:
        with self._store.durable.begin() as connection:
            hold(connection)
            key = (_D.created, _D.place, _D.n, _D.id)
            rows = connection.execute(
                _chosen(tenant, chosen)
                .where(
                    _D.created.between(after[0], microseconds(now)), tuple_(*key) > tuple_(*after)
                )
                .order_by(*key)
                .limit(_REPLAYED_AT_ONCE)
            ).all()
            if not rows:
                return 0, after
            found = [row.id for row in rows]
            connection.execute(
                update(DELIVERIES)
                .where(_D.id.in_(found))
                .values(status=PENDING, settled=None, tries=0, replays=_D.replays + 1)
            )
            lanes = {(row.endpoint, row.lane) for row in rows}
            promote(connection, lanes, microseconds(now), at_once=True)
        last = rows[-1]
        return len(rows), (last.created, last.place, last.n, last.id)


def delivery_id(endpoint: str, message: str) -> str:
    """The id of a message's delivery to an endpoint: the same whenever it is made."""
    return "del_" + ids.derived_uuid("delivery", endpoint, message).replace("-", "")


def added_rows(addition: Addition, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
    """The rows of message and delivery; a lane of its own, sent by whoever has partition 0."""
    at = microseconds(now)
    name = delivery_id(addition.endpoint, addition.message)
    message = {
        "id": addition.message,
        "variant": ADDED,
        "created": at,
        "subject": None,
        "body": addition.body,
    }
    delivery = {
        **dict.fromkeys(("attempts", "tries", "replays", "partition", "place", "n"), 0),
        "id": name,
        "tenant": addition.tenant,
        "endpoint": addition.endpoint,
        "message": addition.message,
        "variant": ADDED,
        "type": addition.type,
        "lane": name,
        "status": PENDING,
        "created": at,
        "next_at": at,
    }
    return message, delivery


ADDED = "added"
"""The variant of messages that no order led to."""


def delivery_shape(row: Row[Any]) -> dict[str, Any]:
    """A delivery as the API shows it."""
    return {
        "id": row.id,
        "endpoint": row.endpoint,
        "message": row.message,
        "type": row.type,
        "order": None if row.lane == row.id else row.lane,
        "status": row.status,
        "attempts": row.attempts,
        "created": _moment(row.created),
        "next_attempt": _moment(row.next_at),
        "delivered": _moment(row.settled) if row.status == DELIVERED else None,
        "last_status": row.last_status,
        "last_error": row.last_error,
        "last_latency_ms": row.last_latency_ms,
        "replays": row.replays,
    }


def _attempt_shape(row: Row[Any]) -> dict[str, Any]:
    return {
        "attempt": row.attempt,
        "at": _moment(row.at),
        "status": row.status,
        "duration_ms": row.duration_ms,
        "error": row.error,
        "response": row.response,
    }


def _request(row: Row[Any], message: Any) -> dict[str, Any]:
    sealed = message is not None and message.subject is not None
    shown = None if message is None or sealed else orjson.loads(message.body)
    return {
        "method": "POST",
        "headers": {
            "content-type": "application/json",
            "webhook-id": row.message,
            "waybill-event-type": row.type,
        },
        "body": shown,
        "sealed": sealed,
    }


def _state_shape(state: Row[Any] | None, pending: Row[Any] | None) -> dict[str, Any]:
    return {
        "generation": 0 if state is None else state.generation,
        "disabled_at": None if state is None else _moment(state.disabled_at),
        "reason": None if state is None else state.reason,
        "failing_since": None if state is None else _moment(state.failing_since),
        "last_success": None if state is None else _moment(state.last_success),
        "pending": 0 if pending is None else pending.pending,
        "oldest_pending": None if pending is None else _moment(pending.oldest),
    }


def _chosen(tenant: str, chosen: Chosen) -> Select[Any]:
    filters = chosen if isinstance(chosen, DeliveryFilters) else DeliveryFilters(ids=chosen)
    few = filters.order is not None or filters.ids is not None
    # An index by tenant would look as good as theirs, and lead through everything.
    of: ColumnElement[str] = _D.tenant.concat("") if few else _D.tenant
    return select(DELIVERIES).where(of == tenant, *_conditions(filters))


def _conditions(filters: DeliveryFilters) -> list[ColumnElement[bool]]:
    named = (
        (_D.endpoint, filters.endpoint),
        (_D.status, filters.status),
        (_D.type, filters.type),
    )
    conditions = [column == indexable(value) for column, value in named if value is not None]
    if filters.ids is not None:
        conditions.append(_D.id.in_([indexable(one) for one in filters.ids]))
    if filters.order is not None:
        conditions.append(_D.lane == indexable(filters.order))
    # Said in the words of the indexes of what has not arrived.
    if filters.status == PENDING:
        conditions.append(_D.settled.is_(None))
    if filters.status == FAILED:
        conditions.append(HAS_FAILED)
    if filters.since is not None:
        conditions.append(_D.created >= microseconds(filters.since))
    if filters.until is not None:
        conditions.append(_D.created < microseconds(filters.until))
    return conditions


def _moment(number: int | None) -> str | None:
    return None if number is None else iso(moment_of(number))


def _cursor(row: Row[Any]) -> str:
    text = f"{row.created}:{row.place}:{row.n}:{row.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _position(cursor: str) -> _Passed:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        *numbers, name = text.split(":", 3)
        created, place, n = (int(number) for number in numbers)
    except ValueError:
        raise CursorError("the cursor is not one that this API gave out") from None
    if max(abs(created), abs(place), abs(n)) > _LARGEST:
        raise CursorError("the cursor is not one that this API gave out")
    return created, place, n, indexable(name)
