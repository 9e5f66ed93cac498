"""Compares sets of views: by a digest of each table, or row by row where one must be found."""

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, Table, select

from projections.store import Store
from projections.viewset import ViewSet, view_set

_AT_ONCE = 500
MOST_KEYS = 20
"""So many keys of a table are told; the others are counted."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row: `missing` in the views, `unexpected` there, or `different` in these columns."""

    key: dict[str, Any]
    kind: str
    columns: tuple[str, ...] = ()


@dataclass(slots=True)
class Compared:
    """One table: how many rows the views have, how many differ, and the first of those."""

    table: str
    rows: int = 0
    different: int = 0
    first: list[Difference] = field(default_factory=list)


def table_hashes(store: Store, set_id: int) -> dict[str, str]:
    """SHA-256 of each table dumped by key: equal for equal views, on either database."""
    with store.reader.begin() as connection:
        return {
            _name(table, set_id): _hash(connection, table)
            for table in view_set(set_id).metadata.sorted_tables
        }


def compare(
    views: tuple[Connection, ViewSet], expected: tuple[Connection, ViewSet]
) -> Iterator[Compared]:
    """Each table of the views beside what it should be, one after the other."""
    (connection, tables), (other, others) = views, expected
    by_name = {_name(table, others.id): table for table in others.metadata.sorted_tables}
    for table in tables.metadata.sorted_tables:
        name = _name(table, tables.id)
        yield _compared(name, table, _rows(connection, table), _rows(other, by_name[name]))


def _compared(
    name: str, table: Table, found: Iterator[Sequence[Any]], expected: Iterator[Sequence[Any]]
) -> Compared:
    keys = [column.name for column in table.primary_key]
    others = [column.name for column in table.columns if not column.primary_key]
    compared = Compared(name)
    for row, other in _unlike(found, expected, compared, len(keys)):
        compared.different += 1
        if len(compared.first) >= MOST_KEYS:
            continue
        key = dict(zip(keys, row or other or (), strict=False))
        if row is None or other is None:
            kind = "missing" if row is None else "unexpected"
            compared.first.append(Difference(key, kind))
            continue
        pairs = zip(others, row[len(keys) :], other[len(keys) :], strict=True)
        columns = tuple(column for column, here, there in pairs if here != there)
        compared.first.append(Difference(key, "different", columns))
    return compared


def _unlike(
    found: Iterator[Sequence[Any]],
    expected: Iterator[Sequence[Any]],
    compared: Compared,
    width: int,
) -> Iterator[tuple[Row[Any] | None, Row[Any] | None]]:
    """Rows of two sorted tables that are not the same; `width` is the length of the key."""
    here: deque[Row[Any]] = deque()
    there: deque[Row[Any]] = deque()
    while True:
        here.extend(() if here else next(found, ()))
        there.extend(() if there else next(expected, ()))
        if not here and not there:
            return
        if here and there and here[0] == there[0]:
            here.popleft()
            there.popleft()
            compared.rows += 1
            continue
        mine, other = (rows[0][:width] if rows else None for rows in (here, there))
        has_mine = other is None or (mine is not None and mine <= other)
        has_other = mine is None or (other is not None and other <= mine)
        compared.rows += has_mine
        yield here.popleft() if has_mine else None, there.popleft() if has_other else None


def _rows(connection: Connection, table: Table) -> Iterator[Sequence[Any]]:
    """Some rows at a time, by key, the key first."""
    others = [column for column in table.columns if not column.primary_key]
    query = select(*table.primary_key, *others).order_by(*table.primary_key)
    # A copy: the options would stay with the connection.
    result = connection.execute(query, execution_options={"yield_per": _AT_ONCE})
    yield from result.partitions()


def _hash(connection: Connection, table: Table) -> str:
    digest = hashlib.sha256()
    rows = connection.execute(
        select(table).order_by(*table.primary_key), execution_options={"yield_per": _AT_ONCE}
    )
    for row in rows:
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


def _name(table: Table, set_id: int) -> str:
    return table.name.removeprefix(f"v{set_id}_")
