"""Removes sets of views that are no longer used, without keeping others from writing."""

from sqlalchemy import Connection, Table, delete, select, text
from sqlalchemy.schema import DropIndex

from projections.store import APPLIED, SETS, Store
from projections.viewset import view_set

_AT_ONCE = 2_000
"""Rows: SQLite walks all that it removes, and lets nobody write meanwhile."""


def drop_unused_sets(store: Store, but: int | None = None) -> None:
    """Remove every set but the current one: the one before, and what crashed rebuilds left.

    `but` one that is being filled. Who fills another one learns that it is gone.
    """
    with store.reader.begin() as connection:
        unused = connection.scalars(select(SETS.c.id).where(SETS.c.current == 0)).all()
    for set_id in unused:
        if set_id == but:
            continue
        _drop(store, set_id)
        with store.writer.begin() as connection:
            connection.execute(delete(APPLIED).where(APPLIED.c.set_id == set_id))
            connection.execute(delete(SETS).where(SETS.c.id == set_id))


def _drop(store: Store, set_id: int) -> None:
    tables = view_set(set_id)
    if store.writer.dialect.name == "sqlite":
        with store.writer.connect() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                _empty(connection, table)
    with store.writer.begin() as connection:
        tables.metadata.drop_all(connection)


def _empty(connection: Connection, table: Table) -> None:
    """Its indexes go first, each as a whole: without them rows go ten times as fast."""
    if not connection.dialect.has_table(connection, table.name):
        return
    for index in table.indexes:
        connection.execute(DropIndex(index, if_exists=True))
        connection.commit()
    some = f"DELETE FROM {table.name} WHERE rowid IN (SELECT rowid FROM {table.name} LIMIT :most)"  # noqa: S608 (our own names)
    while connection.execute(text(some), {"most": _AT_ONCE}).rowcount:
        connection.commit()
    connection.commit()
