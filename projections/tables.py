"""What all tables share: column types that mean the same on both databases, and bulk writing."""

import hashlib
from collections.abc import Callable, Collection, Sequence
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Dialect,
    Integer,
    String,
    Table,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql.dml import Insert
from sqlalchemy.types import TypeEngine

from projections.loading import Load

Place = BigInteger().with_variant(Integer(), "sqlite")
"""A place in the log as one number; SQLite makes only an INTEGER key the row's own address."""

Text = String().with_variant(String(collation="C"), "postgresql")
"""Text compared byte by byte, so that prefixes and order are the same on both databases."""

_OFFSET_BITS = 48
_LONGEST = 400


def place_of(partition: int, offset: int) -> int:
    """Partition and offset as one number, in log order within a partition.

    Offset -1 stands before all of the partition's own places.
    """
    return (partition << _OFFSET_BITS) + offset


def parted(place: int) -> tuple[int, int]:
    """The partition and offset that `place_of` put together."""
    return place >> _OFFSET_BITS, place & (1 << _OFFSET_BITS) - 1


def indexable(text: str) -> str:
    """The text as it can stand in a column and an index: no NUL, of bounded length.

    PostgreSQL refuses both, and a row that cannot be written would stop its partition for ever.
    Equality is kept: what is cut off is stood in for by its digest.
    """
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + "~" + hashlib.sha256(text.encode()).hexdigest()
    return text.replace("\x00", "\ufffd")


def insert_into(table: Table, dialect: Dialect) -> sqlite.Insert | postgresql.Insert:
    """An insert that knows ON CONFLICT; both databases write it alike."""
    if dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def upsert(table: Table, dialect: Dialect, changing: Sequence[str]) -> Insert:
    """Insert a row of all columns; where its key is taken, overwrite the `changing` ones."""
    statement = insert_into(table, dialect)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_={n: statement.excluded[n] for n in changing}
    )


def counting(table: Table, dialect: Dialect, counts: Sequence[str]) -> Insert:
    """Insert a row of counts; where its key is taken, add to them."""
    statement = insert_into(table, dialect)
    return statement.on_conflict_do_update(
        index_elements=list(table.primary_key),
        set_={name: table.c[name] + statement.excluded[name] for name in counts},
    )


def member_of(
    column: ColumnElement[Any], name: str, kind: TypeEngine[Any], dialect: Dialect
) -> ColumnElement[bool]:
    """Whether the column is in the list that is bound as `name`, one value however long it is."""
    if dialect.name == "postgresql":
        return column == any_(bindparam(name, type_=postgresql.ARRAY(kind)))
    values = func.json_each(bindparam(name)).table_valued("value")
    return column.in_(select(values.c.value))


def listed(values: Collection[Any], dialect: Dialect) -> Any:
    """What to bind for `member_of`."""
    return list(values) if dialect.name == "postgresql" else orjson.dumps(list(values)).decode()


class Bulk:
    """A statement rendered once and fed with plain tuples in the order of the table's columns.

    Rendering and SQLAlchemy's work per row cost more than SQLite's own; values must need no
    conversion (int, str, bytes, None).
    """

    def __init__(self, statement: Insert, table: Table, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, column_keys=[c.name for c in table.columns])
        assert list(compiled.positiontup or ()) == [c.name for c in table.columns]
        self._sql = str(compiled)
        self._load = Load(statement, table, dialect) if dialect.name == "postgresql" else None

    def write(self, connection: Connection, rows: list[tuple[Any, ...]]) -> None:
        """Write the rows in one go; in short transactions where the connection is `in_pieces`."""
        if not rows:
            return
        if self._load is not None and len(rows) >= _MANY:
            self._load.write(connection, rows)
            return
        pause = connection.get_execution_options().get(_PAUSE)
        if pause is None:
            connection.exec_driver_sql(self._sql, rows)
            return
        for start in range(0, len(rows), _PIECE):
            connection.exec_driver_sql(self._sql, rows[start : start + _PIECE])
            connection.commit()
            pause()


def in_pieces(connection: Connection, pause: Callable[[], None]) -> None:
    """For tables that nobody reads yet: bulks are written bit by bit, with a pause after each.

    SQLite has one writer at a time, and the others shall not wait long for their turn.
    """
    connection.execution_options(**{_PAUSE: pause})


def let_others_write(connection: Connection) -> None:
    """For a view that has read and now works, before it writes: nobody need wait for that."""
    if _PAUSE in connection.get_execution_options():
        connection.commit()


_PAUSE = "waybill_pause"
_PIECE = 128
_MANY = 50
"""From so many rows on, the round trips of COPY are worth it."""
