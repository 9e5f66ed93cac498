"""The words view: what each order is found by, with an index of words that either database has.

Its rows are the truth: a search may look into the index for candidates or go through the rows,
and finds the same. SQLite indexes them by FTS5, PostgreSQL by GIN.
"""

from collections import defaultdict
from typing import Any

from sqlalchemy import (
    DDL,
    Column,
    ColumnElement,
    Connection,
    Dialect,
    MetaData,
    Table,
    event,
    func,
    select,
    text,
)

from projections.change import Change
from projections.search_words import words_of
from projections.tables import Bulk, Place, Text, insert_into

_PENDING_KB = 256
"""PostgreSQL collects new words to this size before it sorts them in; searches read them, too."""

_FTS = (
    (
        "CREATE VIRTUAL TABLE {0}_index USING fts5("
        "words, content='{0}', content_rowid='place', tokenize='ascii', detail=none, columnsize=0)"
    ),
    "CREATE VIRTUAL TABLE {0}_docs USING fts5vocab('{0}_index', 'instance')",
)
_FTS_FILL = "INSERT INTO {0}_index ({0}_index) VALUES ('rebuild')"
_FTS_PIECE = (
    "INSERT INTO {0}_index (rowid, words)"
    " SELECT place, words FROM {0} WHERE place > :after AND place <= :last"
)
_PIECE = 500
"""Rows: a tenth of the time that they take one by one, and nobody waits long."""
_FTS_KEPT = (
    (
        "CREATE TRIGGER {0}_inserted AFTER INSERT ON {0} BEGIN"
        " INSERT INTO {0}_index (rowid, words) VALUES (new.place, new.words); END"
    ),
    (
        "CREATE TRIGGER {0}_updated AFTER UPDATE ON {0} BEGIN"
        " INSERT INTO {0}_index ({0}_index, rowid, words) VALUES ('delete', old.place, old.words);"
        " INSERT INTO {0}_index (rowid, words) VALUES (new.place, new.words); END"
    ),
)
_FTS_GONE = (
    "DROP TRIGGER IF EXISTS {0}_inserted",
    "DROP TRIGGER IF EXISTS {0}_updated",
    "DROP TABLE IF EXISTS {0}_docs",
    "DROP TABLE IF EXISTS {0}_index",
)
_GIN = (
    "CREATE INDEX {0}_index ON {0}"
    " USING gin (array_to_tsvector(string_to_array(btrim(words), ' ')))"
    f" WITH (fastupdate=on, gin_pending_list_limit={_PENDING_KB})"
)


def words_table(metadata: MetaData, prefix: str) -> Table:
    """`place` names the order; `words` have a blank before and behind each."""
    table = Table(
        f"{prefix}words",
        metadata,
        Column("place", Place, primary_key=True, autoincrement=False),
        Column("words", Text, nullable=False),
    )
    for statement in (*_FTS, *_FTS_KEPT):
        event.listen(table, "after_create", _ddl(statement, table, "sqlite"))
    for statement in _FTS_GONE:
        event.listen(table, "before_drop", _ddl(statement, table, "sqlite"))
    event.listen(table, "after_create", _ddl(_GIN, table, "postgresql"))
    return table


def _ddl(statement: str, table: Table, dialect: str) -> Any:
    made = DDL(statement.format(table.name))  # type: ignore[no-untyped-call]
    return made.execute_if(dialect=dialect)


def leave_index(connection: Connection, table: Table) -> None:
    """For who fills the table as a whole: nothing is indexed until `index_again`."""
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"DROP INDEX IF EXISTS {table.name}_index"))
    else:
        for statement in _FTS_GONE:
            connection.execute(text(statement.format(table.name)))


def index_again(connection: Connection, table: Table) -> None:
    """Index all rows at once, and from here on every row as it is written."""
    by_fts = (*_FTS, _FTS_FILL, *_FTS_KEPT)
    for statement in (_GIN,) if connection.dialect.name == "postgresql" else by_fts:
        connection.execute(text(statement.format(table.name)))


def index_bit_by_bit(connection: Connection, table: Table) -> None:
    """As `index_again`, for a table that nobody writes to: others get to write in between."""
    if connection.dialect.name == "postgresql":
        index_again(connection, table)
    else:
        for statement in _FTS:
            connection.execute(text(statement.format(table.name)))
        after, fill = -1, text(_FTS_PIECE.format(table.name))
        while (last := _last_of_piece(connection, table, after)) is not None:
            connection.execute(fill, {"after": after, "last": last})
            connection.commit()
            after = last
        for statement in _FTS_KEPT:
            connection.execute(text(statement.format(table.name)))
    connection.commit()


def _last_of_piece(connection: Connection, table: Table, after: int) -> int | None:
    place = table.c.place
    piece = select(place).where(place > after).order_by(place).limit(_PIECE).subquery()
    last: int | None = connection.scalar(select(func.max(piece.c.place)))
    return last


def has_word(words: ColumnElement[str], word: str, *, begins: bool) -> ColumnElement[bool]:
    """Whether it is one of the words, or the beginning of one. No word holds `%` or `_`."""
    return words.like(f"% {word}%" if begins else f"% {word} %")


def words_bulk(table: Table, dialect: Dialect) -> Bulk:
    """What `WordsView` writes with: it adds to what is there."""
    statement = insert_into(table, dialect)
    more = table.c.words + statement.excluded.words
    return Bulk(
        statement.on_conflict_do_update(index_elements=[table.c.place], set_={"words": more}),
        table,
        dialect,
    )


class WordsView:
    """Events that bring no words cost nothing; those of an order are written as one row."""

    def __init__(self, bulk: Bulk) -> None:
        self._bulk = bulk
        self._words: dict[int, list[str]] = defaultdict(list)

    def apply(self, change: Change) -> None:
        """Take down what the order is found by from here on."""
        words = words_of(change)
        if words:
            first = [""] if change.before is None else []
            self._words[change.order_place] += [*first, *words]

    def write(self, connection: Connection) -> None:
        """Add the words to those that are there."""
        rows: list[tuple[Any, ...]] = [
            (place, " ".join(words) + " ") for place, words in self._words.items()
        ]
        self._bulk.write(connection, rows)
