"""Who did what and why, of all sources in one list: commands, configurations and the rest."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any, Final, NamedTuple, Self

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    select,
    tuple_,
)

from projections.audit import AUDIT, INSTALLATION, AuditKind, audit_shape
from projections.commands import Outcome
from projections.config_versions import VERSIONS
from projections.moments import iso, microseconds, moment_of
from projections.store import Store
from projections.tables import indexable
from projections.viewset import ViewSet

LIMIT = 50
MOST = 200
"""Entries on a page: unless asked otherwise, and at most."""

_CURSOR = re.compile(r"([0-9]{1,18}):([0-3]):([ -~]{1,500})")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilters:
    """Which entries; what is None does not matter. `since` <= at < `until`.

    `subject` is an order's id, a stage, an endpoint, a delivery, a rejected record or a version.
    Without `subject` and `bulk` all commands of one bulk are one entry, at its last command.
    """

    kind: AuditKind | None = None
    actor: str | None = None
    subject: str | None = None
    bulk: str | None = None
    since: datetime | None = None
    until: datetime | None = None


class AuditCursor(NamedTuple):
    """Behind this entry, newest first: its moment, its source, and its name there."""

    at: int
    source: int
    name: str

    def __str__(self) -> str:
        plain = f"{self.at}:{self.source}:{self.name}"
        return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Self:
        """The cursor; ValueError where the text is none that was handed out."""
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        found = _CURSOR.fullmatch(plain)
        if found is None or (int(found[2]) not in _OWN and not found[3].isdecimal()):
            raise ValueError("the cursor is not one that this API gave out")
        return cls(int(found[1]), int(found[2]), found[3])


class _Found(NamedTuple):
    """An entry with what it is sorted by: names are numbers, but in the audit's own table."""

    at: int
    source: int
    name: Any
    shape: dict[str, Any]


_OTHERS, _VERSIONS, _COMMANDS, _EVERYBODYS = range(4)
_OWN: Final = frozenset({_OTHERS, _EVERYBODYS})
"""Sources in the audit's own table: the tenant's, and what was done to all tenants at once."""
_OTHER_KINDS: Final = frozenset(AuditKind) - {
    AuditKind.COMMAND,
    AuditKind.BULK,
    AuditKind.CONFIGURATION,
}


@dataclass(frozen=True, slots=True)
class _Look:
    """One page that is asked for."""

    connection: Connection
    tables: ViewSet
    tenant: str
    filters: AuditFilters
    cursor: AuditCursor | None
    limit: int

    def may_be(self, *kinds: AuditKind) -> bool:
        """Whether entries of such kinds are wanted."""
        return self.filters.kind is None or self.filters.kind in kinds

    def conditions(
        self, source: int, at: ColumnElement[int], name: ColumnElement[Any]
    ) -> list[ColumnElement[bool]]:
        """The span of time, and behind the cursor."""
        found = []
        if self.filters.since is not None:
            found.append(at >= microseconds(self.filters.since))
        if self.filters.until is not None:
            found.append(at < microseconds(self.filters.until))
        if self.cursor is not None:
            found.append(_behind(self.cursor, source, at, name))
        return found


class AuditQueries:
    """May be called from any thread; every call may wait for the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def audit(
        self, tenant: str, filters: AuditFilters, cursor: str | None = None, limit: int = LIMIT
    ) -> dict[str, Any]:
        """A page `{items, next}`, the newest first; ValueError for a cursor none of ours."""
        behind = None if cursor is None else AuditCursor.read(cursor)
        with self._store.reading() as (connection, tables):
            look = _Look(connection, tables, tenant, filters, behind, min(limit, MOST))
            sources = (
                _others(look, _OTHERS, tenant),
                _others(look, _EVERYBODYS, INSTALLATION),
                _versions(look),
                _commands(look),
            )
            newest = merge(*sources, key=lambda one: one[:2], reverse=True)
            found = list(islice(newest, look.limit + 1))
            page = found[: look.limit]
            items = _with_counts(look, [one.shape for one in page])
        more = len(found) > look.limit
        last = page[-1] if more else None
        following = None if last is None else str(AuditCursor(last.at, last.source, str(last.name)))
        return {"items": items, "next": following}


def _behind(
    cursor: AuditCursor, source: int, at: ColumnElement[int], name: ColumnElement[Any]
) -> ColumnElement[bool]:
    if source != cursor.source:
        return at <= cursor.at if source < cursor.source else at < cursor.at
    last: str | int = cursor.name if source in _OWN else int(cursor.name)
    return tuple_(at, name) < tuple_(cursor.at, last)


def _others(look: _Look, source: int, tenant: str) -> Iterable[_Found]:
    columns, filters = AUDIT.c, look.filters
    if not look.may_be(*_OTHER_KINDS) or filters.bulk is not None:
        return ()
    query = select(AUDIT).where(
        columns.tenant == tenant, *look.conditions(source, columns.at, columns.id)
    )
    if filters.kind is not None:
        query = query.where(columns.kind == filters.kind.value)
    if filters.actor is not None:
        query = query.where(columns.actor == indexable(filters.actor))
    if filters.subject is not None:
        query = query.where(columns.subject == indexable(filters.subject))
    query = query.order_by(columns.at.desc(), columns.id.desc()).limit(look.limit + 1)
    rows = look.connection.execute(query).all()
    return [_Found(row.at, source, row.id, audit_shape(row)) for row in rows]


def _versions(look: _Look) -> Iterable[_Found]:
    columns, filters = VERSIONS.c, look.filters
    if not look.may_be(AuditKind.CONFIGURATION) or filters.bulk is not None:
        return ()
    names = (columns.tenant, columns.version, columns.base, columns.author, columns.reason)
    query = select(*names, columns.at).where(
        columns.tenant == look.tenant,
        *look.conditions(_VERSIONS, columns.at, columns.version),
    )
    if filters.actor is not None:
        query = query.where(columns.author == filters.actor)
    if filters.subject is not None:
        if not re.fullmatch("[0-9]{1,9}", filters.subject):
            return ()
        query = query.where(columns.version == int(filters.subject))
    query = query.order_by(columns.at.desc(), columns.version.desc()).limit(look.limit + 1)
    return [
        _Found(row.at, _VERSIONS, row.version, _version_shape(row))
        for row in look.connection.execute(query)
    ]


def _commands(look: _Look) -> Iterable[_Found]:
    commands, filters = look.tables.commands.c, look.filters
    if not look.may_be(AuditKind.COMMAND, AuditKind.BULK):
        return ()
    folded = filters.subject is None and filters.bulk is None
    whose = commands.tenant == look.tenant
    if filters.subject is not None:
        order = _order_place(look, filters.subject)
        if order is None:
            return ()
        # Its tenant is the order's. Said again, it would lead the database to all of theirs.
        whose = commands.order_place == order
    query = select(look.tables.commands).where(
        whose,
        *look.conditions(_COMMANDS, commands.received, commands.place),
        *_chosen(look, folded=folded),
    )
    query = query.order_by(commands.received.desc(), commands.place.desc()).limit(look.limit + 1)
    return [
        _Found(row.received, _COMMANDS, row.place, _command_shape(row, folded=folded))
        for row in look.connection.execute(query)
    ]


def _order_place(look: _Look, order_id: str) -> int | None:
    """Where the order began, by which its commands are found; None where the tenant has none."""
    orders = look.tables.orders.c
    of = select(orders.place).where(orders.id == order_id, orders.tenant == look.tenant)
    return look.connection.scalar(of)


def _chosen(look: _Look, *, folded: bool) -> list[ColumnElement[bool]]:
    commands, filters = look.tables.commands.c, look.filters
    found: list[ColumnElement[bool]] = []
    if filters.actor is not None:
        found.append(commands.actor == indexable(filters.actor))
    if filters.bulk is not None:
        found.append(commands.bulk == indexable(filters.bulk))
    if filters.kind is AuditKind.BULK:
        found.append(commands.bulk.is_not(None))
    if filters.kind is AuditKind.COMMAND and folded:
        found.append(commands.bulk.is_(None))
    elif folded:
        found.append(_last_of_its_bulk(look))
    return found


def _last_of_its_bulk(look: _Look) -> ColumnElement[bool]:
    """Whether no later command of its bulk is in the span."""
    commands = look.tables.commands.c
    later = look.tables.commands.alias("later")
    after = [
        later.c.tenant == commands.tenant,
        later.c.bulk == commands.bulk,
        tuple_(later.c.received, later.c.place) > tuple_(commands.received, commands.place),
    ]
    if look.filters.until is not None:
        after.append(later.c.received < microseconds(look.filters.until))
    if look.filters.actor is not None:
        after.append(later.c.actor == indexable(look.filters.actor))
    return ~exists(select(later.c.place).where(and_(*after)).correlate(look.tables.commands))


def _with_counts(look: _Look, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Bulks, with how many commands they have and what came of them."""
    bulks = {one["subject"]: one for one in items if one["kind"] == AuditKind.BULK.value}
    if bulks:
        columns = look.tables.commands.c
        rows = look.connection.execute(
            select(columns.bulk, columns.outcome, func.count().label("orders"))
            .where(columns.tenant == look.tenant, columns.bulk.in_(list(bulks)))
            .group_by(columns.bulk, columns.outcome)
        )
        for row in rows:
            bulks[row.bulk]["details"][row.outcome] = row.orders
        for one in bulks.values():
            one["outcome"] = _of_all(one["details"])
            one["details"]["orders"] = sum(one["details"].values())
    return list(items)


def _of_all(counts: Mapping[str, int]) -> str:
    """Of a bulk: pending while any command is, rejected where all of them are."""
    if counts.get(Outcome.PENDING):
        return Outcome.PENDING.value
    return (Outcome.APPLIED if counts.get(Outcome.APPLIED) else Outcome.REJECTED).value


def _version_shape(row: Any) -> dict[str, Any]:
    return {
        "id": f"config-{row.version}",
        "at": iso(moment_of(row.at)),
        "kind": AuditKind.CONFIGURATION.value,
        "action": "put",
        "subject": str(row.version),
        "actor": row.author,
        "reason": row.reason,
        "outcome": "done",
        "code": None,
        "details": {} if row.base is None else {"base": row.base},
    }


def _command_shape(row: Any, *, folded: bool) -> dict[str, Any]:
    is_bulk = folded and row.bulk is not None
    details = {"step": row.step, "bulk": None if is_bulk else row.bulk}
    return {
        "id": row.bulk if is_bulk else row.id,
        "at": iso(moment_of(row.received)),
        "kind": (AuditKind.BULK if is_bulk else AuditKind.COMMAND).value,
        "action": row.kind,
        "subject": row.bulk if is_bulk else row.order_id,
        "actor": row.actor,
        "reason": row.reason,
        "outcome": row.outcome,
        "code": None if is_bulk else row.code,
        "details": {} if is_bulk else {k: v for k, v in details.items() if v is not None},
    }
