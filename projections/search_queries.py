"""Finding orders by words: few candidates from the index, or going through the rows by date."""

from collections.abc import Sequence
from typing import Any

from psycopg.errors import QueryCanceled
from sqlalchemy import ColumnElement, Connection, exists, select
from sqlalchemy.exc import OperationalError

from projections.search import has_word
from projections.tables import listed, member_of
from projections.viewset import ViewSet

MOST_CANDIDATES = 4_000
"""Words that more orders have are looked for by date: of those, every page finds some."""

_MOST_BEGUN = 8
"""Words that begin alike and are looked for one by one."""
_PAST_ALL = "\U0010ffff"
_PATIENCE_MS = 15
"""PostgreSQL collects all orders of a word before it shows one: it stops where they are many."""


def candidates(
    connection: Connection, tables: ViewSet, words: Sequence[str]
) -> ColumnElement[bool] | None:
    """What an order's place fulfils that has all the words; None where those are not few.

    The last word may be the beginning of one. Orders of all tenants are among them.
    """
    if connection.dialect.name == "postgresql":
        places = _from_gin(connection, tables, words)
    else:
        places = _from_fts(connection, tables, words)
    if places is None:
        return None
    column = tables.orders.c.place
    dialect = connection.dialect
    member = member_of(column, "candidates", column.type, dialect)
    return member.params(candidates=listed(places, dialect))


def has_words(tables: ViewSet, words: Sequence[str]) -> ColumnElement[bool]:
    """Whether an order has all the words, as its row says."""
    rows = tables.words.c
    return exists().where(rows.place == tables.orders.c.place, *_matching(rows.words, words))


def having(
    connection: Connection, tables: ViewSet, words: Sequence[str], places: Sequence[int]
) -> set[int]:
    """Those of the places whose orders have all the words."""
    rows = tables.words.c
    member = member_of(rows.place, "places", rows.place.type, connection.dialect)
    found = connection.execute(
        select(rows.place).where(member, *_matching(rows.words, words)),
        {"places": listed(places, connection.dialect)},
    )
    return set(found.scalars())


def _matching(column: ColumnElement[str], words: Sequence[str]) -> list[ColumnElement[bool]]:
    """Each of the words, the last one as the beginning of one."""
    last = len(words) - 1
    return [has_word(column, word, begins=n == last) for n, word in enumerate(words)]


def _from_fts(connection: Connection, tables: ViewSet, words: Sequence[str]) -> list[int] | None:
    """All words at once where the last one begins few others; else by it, or by the others.

    FTS5 shows one order after the other, and so is left as soon as there are too many; but it
    would collect those of all words that begin alike before it shows one.
    """
    *others, last = words
    name = tables.words.name
    begun = _begun(connection, name, last)
    if begun is not None:
        return _matched(connection, name, others, begun) if begun else []
    places = _few(
        connection,
        f"SELECT doc FROM {name}_docs WHERE term >= ? AND term < ? LIMIT ?",  # noqa: S608 (our name)
        (last, last + _PAST_ALL, MOST_CANDIDATES + 1),
    )
    if places is None and others:
        places = _matched(connection, name, others, ())
    if not places or not others:
        return places
    return sorted(having(connection, tables, words, places))


def _begun(connection: Connection, name: str, begin: str) -> list[str] | None:
    """The words that begin so; None where they are many."""
    found: list[str] = []
    start = begin
    while len(found) <= _MOST_BEGUN:
        term = connection.exec_driver_sql(
            f"SELECT term FROM {name}_docs WHERE term >= ? AND term < ? LIMIT 1",  # noqa: S608
            (start, begin + _PAST_ALL),
        ).scalar()
        if term is None:
            return found
        found.append(term)
        # Nothing that a word consists of comes before the digit 0: this is the next one's begin.
        start = f"{term}0"
    return None


def _matched(
    connection: Connection, name: str, words: Sequence[str], any_of: Sequence[str]
) -> list[int] | None:
    """Places of the orders that have all of `words`, and of `any_of` one, if there are any."""
    sought = [f'"{word}"' for word in words]
    if any_of:
        sought.append("(" + " OR ".join(f'"{word}"' for word in any_of) + ")")
    return _few(
        connection,
        f"SELECT rowid FROM {name}_index WHERE {name}_index MATCH ? LIMIT ?",  # noqa: S608
        (" AND ".join(sought), MOST_CANDIDATES + 1),
    )


def _few(connection: Connection, statement: str, given: tuple[Any, ...]) -> list[int] | None:
    found = {place for (place,) in connection.exec_driver_sql(statement, given)}
    return sorted(found) if len(found) <= MOST_CANDIDATES else None


def _from_gin(connection: Connection, tables: ViewSet, words: Sequence[str]) -> list[int] | None:
    """All words at once, as long as that takes no time."""
    *others, last = words
    sought = " & ".join([*(f"'{word}'" for word in others), f"'{last}':*"])
    statement = (
        f"SELECT place FROM {tables.words.name} WHERE"  # noqa: S608 (our name)
        " array_to_tsvector(string_to_array(btrim(words), ' ')) @@ CAST(%s AS tsquery) LIMIT %s"
    )
    attempt = connection.begin_nested()
    try:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {_PATIENCE_MS}")
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        found = connection.exec_driver_sql(statement, (sought, MOST_CANDIDATES + 1)).scalars().all()
    except OperationalError as problem:
        if not isinstance(problem.orig, QueryCanceled):
            raise
        return None
    finally:
        # With it go the settings, too.
        attempt.rollback()
    return list(found) if len(found) <= MOST_CANDIDATES else None
