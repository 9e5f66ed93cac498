"""The audit table: what people did beside commanding orders; outside the rebuilt tables.

Commands to orders and versions of configurations have tables of their own; `audit_queries` puts
all of them together.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Column, Index, Row, Table, select, update

from projections.moments import iso, microseconds, moment_of
from projections.store import BASE, Store
from projections.tables import Place, Text, indexable, insert_into
from streams.core.ids import derived_uuid

AUDIT = Table(
    "audit",
    BASE,
    Column("id", Text, primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("at", Place, nullable=False),
    Column("kind", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text),
    Column("outcome", Text, nullable=False),
    Column("code", Text),
    Column("details", Text, nullable=False),
)
"""`at` in microseconds since 1970, `details` as JSON without anything personal or secret."""

INSTALLATION = "*"
"""In place of a tenant: what was done to all of them at once. No tenant can be called so."""

Index("audit_at", AUDIT.c.tenant, AUDIT.c.at, AUDIT.c.id)
Index("audit_subject", AUDIT.c.tenant, AUDIT.c.subject, AUDIT.c.at, AUDIT.c.id)
Index("audit_kind", AUDIT.c.tenant, AUDIT.c.kind, AUDIT.c.at, AUDIT.c.id)
Index("audit_actor", AUDIT.c.tenant, AUDIT.c.actor, AUDIT.c.at, AUDIT.c.id)


def derived_act(*parts: str) -> str:
    """The id of an entry that several processes may write, and that is there once all the same."""
    return f"act_{derived_uuid(*parts).replace('-', '')}"


class AuditKind(StrEnum):
    """What was acted on. `bulk` stands for all commands of one."""

    COMMAND = "command"
    BULK = "bulk"
    CONFIGURATION = "configuration"
    STAGE = "stage"
    WEBHOOK_ENDPOINT = "webhook_endpoint"
    WEBHOOK_DELIVERY = "webhook_delivery"
    REJECTED = "rejected"
    API_KEY = "api_key"
    VIEWS = "views"


class AuditOutcome(StrEnum):
    """What came of it; `asked` while nobody knows, which stays where a process died meanwhile."""

    ASKED = "asked"
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """What somebody did. `subject` names what it was done to, as its page or route does."""

    id: str
    tenant: str
    at: datetime
    kind: AuditKind
    action: str
    subject: str
    actor: str
    reason: str | None = None
    outcome: AuditOutcome = AuditOutcome.ASKED
    details: Mapping[str, Any] = field(default_factory=dict)


class Audit:
    """Writes the table. May be called from any thread; every call may wait for the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, entry: AuditEntry) -> None:
        """Keep it; the same id again changes nothing."""
        row = {
            "id": entry.id,
            "tenant": entry.tenant,
            "at": microseconds(entry.at),
            "kind": entry.kind.value,
            "action": entry.action,
            "subject": indexable(entry.subject),
            "actor": indexable(entry.actor),
            "reason": None if entry.reason is None else entry.reason.replace("\x00", "\ufffd"),
            "outcome": entry.outcome.value,
            "code": None,
            "details": orjson.dumps(entry.details).decode(),
        }
        with self._store.durable.begin() as connection:
            statement = insert_into(AUDIT, connection.dialect).on_conflict_do_nothing()
            connection.execute(statement, row)

    def settle(self, entry_id: str, outcome: AuditOutcome, code: str | None = None) -> None:
        """Say what came of it; `code` why it was refused."""
        statement = update(AUDIT).where(AUDIT.c.id == entry_id)
        with self._store.durable.begin() as connection:
            connection.execute(statement.values(outcome=outcome.value, code=code))

    def of_kind(self, kind: AuditKind) -> list[tuple[str, dict[str, Any]]]:
        """All entries of that kind with their tenants, first come first.

        Looks through the whole table.
        """
        query = select(AUDIT).where(AUDIT.c.kind == kind.value).order_by(AUDIT.c.at, AUDIT.c.id)
        with self._store.reader.begin() as connection:
            return [(row.tenant, audit_shape(row)) for row in connection.execute(query)]

    def about(
        self, tenant: str, subjects: Collection[str], kind: AuditKind
    ) -> Mapping[str, list[dict[str, Any]]]:
        """What was done to each of these, first come first; the others are missing."""
        columns, found = AUDIT.c, dict[str, list[dict[str, Any]]]()
        query = (
            select(AUDIT)
            .where(columns.tenant == tenant, columns.subject.in_(list(subjects)))
            .where(columns.kind == kind.value)
            .order_by(columns.at, columns.id)
        )
        with self._store.reader.begin() as connection:
            for row in connection.execute(query):
                found.setdefault(row.subject, []).append(audit_shape(row))
        return found


def audit_shape(row: Row[Any]) -> dict[str, Any]:
    """The entry as the API shows it."""
    return {
        "id": row.id,
        "at": iso(moment_of(row.at)),
        "kind": row.kind,
        "action": row.action,
        "subject": row.subject,
        "actor": row.actor,
        "reason": row.reason,
        "outcome": row.outcome,
        "code": row.code,
        "details": orjson.loads(row.details),
    }
