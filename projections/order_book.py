"""Finding the orders that commands are about, by whatever name they are called."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence

from sqlalchemy import ColumnElement, Connection, select

from projections.queries import Queries
from projections.tables import indexable
from projections.viewset import ViewSet
from streams.core.commanding import Belonging

_AT_ONCE = 500


class OrderBook(Queries):
    """Reads only; may be called from any thread."""

    def whereabouts(self, tenant: str, names: Collection[str]) -> Mapping[str, Sequence[Belonging]]:
        """Where the orders with these ids, references and external ids belong, by name.

        An id is nothing else, whatever external ids look like.
        """
        ids = {name for name in names if name.startswith("order-")}
        others = {indexable(name): name for name in names if name not in ids}
        found: defaultdict[str, dict[str, Belonging]] = defaultdict(dict)
        with self._store.reading() as (connection, tables):
            columns = tables.orders.c
            for column, wanted in (
                (columns.id, {name: name for name in ids}),
                (columns.external_id, others),
                (columns.order_reference, others),
            ):
                for given, order in _of(connection, tables, tenant, column, list(wanted)):
                    found[wanted[given]][order.order_id] = order
        return {name: list(orders.values()) for name, orders in found.items()}


def _of(
    connection: Connection,
    tables: ViewSet,
    tenant: str,
    column: ColumnElement[str],
    names: list[str],
) -> Iterator[tuple[str, Belonging]]:
    orders = tables.orders.c
    query = select(column.label("given"), orders.id, orders.lane, orders.run)
    for start in range(0, len(names), _AT_ONCE):
        part = names[start : start + _AT_ONCE]
        for row in connection.execute(query.where(orders.tenant == tenant, column.in_(part))):
            yield row.given, Belonging(row.id, row.lane, row.run)
