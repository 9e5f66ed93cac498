"""Every version of every tenant's configuration; outside the rebuilt tables.

Its topic is compacted and keeps the last version of each tenant only.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import Column, Integer, Row, Table, func, select

from projections.moments import microseconds, moment_of
from projections.store import BASE, Store
from projections.tables import Place, Text, insert_into
from streams.core.config_versions import Version

VERSIONS = Table(
    "config_versions",
    BASE,
    Column("tenant", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("base", Integer),
    Column("author", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Place, nullable=False),
    Column("document", Text, nullable=False),
)
"""`at` in microseconds since 1970, `document` as JSON."""

_HIGHEST = 2**31 - 1
"""What the column can hold, and a configuration may say."""


class ConfigVersions:
    """May be called from any thread; every call may wait for the database."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def record(self, version: Version) -> Version:
        """What is kept under its number: the version, else the one that was there before it."""
        statement = insert_into(VERSIONS, self._store.durable.dialect).on_conflict_do_nothing()
        row = {
            "tenant": version.tenant,
            "version": version.version,
            "base": version.base,
            "author": version.author,
            "reason": version.reason.replace("\x00", "\ufffd"),
            "at": microseconds(version.at),
            "document": orjson.dumps(version.document).decode(),
        }
        known = self.version(version.tenant, version.version)
        if known is not None:
            return known
        with self._store.durable.begin() as connection:
            connection.execute(statement, row)
        kept = self.version(version.tenant, version.version)
        assert kept is not None, "rows of versions are never deleted"
        return kept

    def version(self, tenant: str, version: int) -> Version | None:
        """That version of the tenant's configuration."""
        if version > _HIGHEST:
            return None
        query = select(VERSIONS).where(VERSIONS.c.tenant == tenant, VERSIONS.c.version == version)
        with self._store.reader.begin() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _version(row)

    def history(self, tenant: str, before: int | None, limit: int) -> Sequence[Version]:
        """The versions below `before`, the newest first."""
        query = select(VERSIONS).where(VERSIONS.c.tenant == tenant)
        if before is not None:
            query = query.where(VERSIONS.c.version < min(before, _HIGHEST))
        with self._store.reader.begin() as connection:
            rows = connection.execute(query.order_by(VERSIONS.c.version.desc()).limit(limit))
            return [_version(row) for row in rows]

    def highest(self, tenant: str) -> int:
        """The highest number that was ever used; 0 where there is none."""
        query = select(func.max(VERSIONS.c.version)).where(VERSIONS.c.tenant == tenant)
        with self._store.reader.begin() as connection:
            return connection.scalar(query) or 0


def _version(row: Row[Any]) -> Version:
    return Version(
        tenant=row.tenant,
        version=row.version,
        base=row.base,
        author=row.author,
        reason=row.reason,
        at=moment_of(row.at),
        document=orjson.loads(row.document),
    )
