"""What SQLite is told of the tables' sizes, by which it chooses between their indexes.

It would learn them by ANALYZE, as PostgreSQL does by itself; but a store that was empty then is a
large one at some time, and a choice that changes from one day to the other helps nobody.
"""

from collections.abc import Mapping

from sqlalchemy import DDL, Table, event

ORDERS: Mapping[str, str] = {
    "id": "1000000 1",
    "created": "1000000 500000 2",
    "external": "1000000 500000 2",
    "reference": "1000000 500000 1",
    "subscription": "1000000 500000 3",
    "of_lane": "1000000 500000 3",
    "type": "1000000 500000 50000 2",
    "lane": "20000 2 1 1",
    "incomplete": "20000 10000 3000 2 1 1 1 1",
    "stage": "20000 10000 3000 2 1 1 1 1",
    "error": "20000 10000 2000 2 1 1 1",
    "rehearsed": "10000 5000 2 1 1 1",
    "awaited": "5000 1",
}
"""By index: how many rows it has, and how many of them are alike in its first columns.

They tell of a store of a million orders, most of one tenant and complete.
"""


def tell_sqlite(table: Table, known: Mapping[str, str]) -> None:
    """Have it told whenever the table is made; `known` by the name of the index behind the table's.

    An index that is made anew is forgotten; SQLite goes by its guess then.
    """
    into = "INSERT INTO sqlite_stat1 VALUES"
    statements = ["ANALYZE sqlite_master"]
    for index, sizes in known.items():
        statements.append(f"{into} ('{table.name}', '{table.name}_{index}', '{sizes}')")
    # Read anew by this connection; others read it with the tables.
    for statement in (*statements, "ANALYZE sqlite_master"):
        made = DDL(statement)  # type: ignore[no-untyped-call]
        event.listen(table, "after_create", made.execute_if(dialect="sqlite"))
