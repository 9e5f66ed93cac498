"""What streams of events read: the timeline behind a vector, for all of them in one look."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import BigInteger, Connection, Select, String, bindparam, func, select

from projections.process_events import Entry, plugins_of
from projections.store import Store, applied_offsets
from projections.tables import listed, member_of, parted, place_of
from projections.timeline_shape import timeline_entry
from projections.viewset import ViewSet
from schemas.codec import decode

SCANNED = 20_000
"""Offsets of a partition that one look goes over at most, however few of them are wanted."""

_REMEMBERED = 20_000
_NAMING = ("OrderAccepted", "CommandReceived")
"""Events that say which plugins an order's steps are of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a stream is about; what is None does not matter. `stage` is a plugin."""

    tenant: str
    order: str | None = None
    types: frozenset[str] | None = None
    stage: str | None = None

    def may_fit(self, tenant: str, order: str, kind: str) -> bool:
        """As far as that can be told without reading the event."""
        return (
            tenant == self.tenant
            and self.order in (None, order)
            and (self.types is None or kind in self.types)
        )


class Happening(NamedTuple):
    """One event of an order; `stage` is the plugin of its step, where it is about one."""

    tenant: str
    order: str
    type: str
    stage: str | None
    partition: int
    offset: int
    entry: Mapping[str, Any]

    def fits(self, wanted: Wanted) -> bool:
        """Whether that stream shows it."""
        return wanted.may_fit(self.tenant, self.order, self.type) and wanted.stage in (
            None,
            self.stage,
        )


class Happened(NamedTuple):
    """What is wanted of a stretch, in log order of each partition, and how far was looked.

    `complete`: nothing further was applied when that was.
    """

    happenings: Sequence[Happening]
    reached: Mapping[int, int]
    complete: bool


class _Key(NamedTuple):
    """A row of the timeline by its place, the order's place, and its type."""

    place: int
    order_place: int
    type: str


class FeedQueries:
    """May be called from any thread; every call may wait for the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._plugins: OrderedDict[int, Mapping[str, str]] = OrderedDict()

    def happened(
        self, vector: Mapping[int, int], wanted: Collection[Wanted], limit: int
    ) -> Happened:
        """Events behind the vector that any of `wanted` asks for, `limit` of each partition."""
        sieve, keys = _Sieve(wanted), list[_Key]()
        reached: dict[int, int] = {}
        complete = True
        with self._store.reading() as (connection, tables):
            query = _keys(connection, tables, sieve)
            for partition, end in applied_offsets(connection, tables.id).items():
                start = vector.get(partition, -1)
                if end <= start:
                    continue
                upto = min(end, start + SCANNED)
                given = {"after": place_of(partition, start), "upto": place_of(partition, upto)}
                found = connection.execute(query, {**given, "limit": limit}).all()
                reached[partition] = parted(found[-1].place)[1] if len(found) == limit else upto
                complete = complete and reached[partition] == end
                keys += [_Key(*row) for row in found]
            orders = _orders(connection, tables, keys)
            keys = [key for key in keys if sieve.lets_through(*orders[key.order_place], key.type)]
            values = _values(connection, tables, keys)
            plugins = self._plugins_of(connection, tables, keys)
        happenings = [
            _happening(key, orders[key.order_place], values[key.place], plugins[key.order_place])
            for key in keys
        ]
        return Happened(happenings, reached, complete)

    def _plugins_of(
        self, connection: Connection, tables: ViewSet, keys: Iterable[_Key]
    ) -> dict[int, Mapping[str, str]]:
        """The plugins of the steps of these orders, by their places."""
        known: dict[int, Mapping[str, str]] = {}
        unknown: list[int] = []
        for key in keys:
            held = self._plugins.get(key.order_place)
            # A command may bring other steps; what is remembered is older.
            if held is None or key.type in _NAMING:
                unknown.append(key.order_place)
            else:
                known[key.order_place] = held
        if unknown:
            entries: dict[int, list[Entry]] = {place: [] for place in unknown}
            timeline, dialect = tables.timeline.c, connection.dialect
            naming = select(timeline.order_place, timeline.place, timeline.value).where(
                member_of(timeline.order_place, "orders", BigInteger(), dialect),
                timeline.type.in_(_NAMING),
            )
            given = {"orders": listed(unknown, dialect)}
            for order_place, place, value in connection.execute(
                naming.order_by(timeline.place), given
            ):
                entries[order_place].append(Entry(*parted(place), decode(value)))
            known |= {place: plugins_of(told) for place, told in entries.items()}
        self._remember(known)
        return known

    def _remember(self, known: Mapping[int, Mapping[str, str]]) -> None:
        self._plugins.update(known)
        while len(self._plugins) > _REMEMBERED:
            self._plugins.popitem(last=False)


class _Sieve:
    """What several streams want, asked of many events: those about one order are found by it."""

    def __init__(self, wanted: Collection[Wanted]) -> None:
        self._of_order: dict[str, list[Wanted]] = {}
        self._others = [one for one in wanted if one.order is None]
        for one in wanted:
            if one.order is not None:
                self._of_order.setdefault(one.order, []).append(one)
        given = [one.types for one in wanted]
        self.types = None if None in given else sorted({t for some in given for t in some or ()})

    @property
    def orders(self) -> list[str] | None:
        """The ids of the orders, where only events of such are wanted."""
        return None if self._others else sorted(self._of_order)

    def lets_through(self, tenant: str, order: str, kind: str) -> bool:
        """Whether a stream may want it."""
        named = self._of_order.get(order, ())
        return any(
            one.may_fit(tenant, order, kind) for some in (named, self._others) for one in some
        )


def _keys(connection: Connection, tables: ViewSet, sieve: _Sieve) -> Select[Any]:
    """Events by place alone: a join with orders might go through all of a tenant's."""
    timeline = tables.timeline.c
    query = (
        select(timeline.place, timeline.order_place, timeline.type)
        .where(timeline.place > bindparam("after"), timeline.place <= bindparam("upto"))
        .order_by(timeline.place)
        .limit(bindparam("limit"))
    )
    if sieve.types is not None:
        query = query.where(timeline.type.in_(sieve.types))
    if sieve.orders is None:
        return query
    orders = tables.orders.c
    ids = listed(sieve.orders, connection.dialect)
    places = connection.scalars(
        select(orders.place).where(member_of(orders.id, "ids", String(), connection.dialect)),
        {"ids": ids},
    )
    return query.where(timeline.order_place.in_(places.all()))


def _orders(
    connection: Connection, tables: ViewSet, keys: Iterable[_Key]
) -> dict[int, tuple[str, str]]:
    """Tenant and id of the orders, by their places."""
    orders, dialect = tables.orders.c, connection.dialect
    rows = connection.execute(
        select(orders.place, orders.tenant, orders.id).where(
            member_of(orders.place, "places", BigInteger(), dialect)
        ),
        {"places": listed({key.order_place for key in keys}, dialect)},
    )
    return {place: (tenant, order_id) for place, tenant, order_id in rows}


def _values(
    connection: Connection, tables: ViewSet, keys: Iterable[_Key]
) -> dict[int, tuple[bytes, int]]:
    """The records, each with its number among those of its order."""
    timeline, dialect = tables.timeline.c, connection.dialect
    earlier = tables.timeline.alias().c
    sequence = (
        select(func.count())
        .where(earlier.order_place == timeline.order_place, earlier.place <= timeline.place)
        .scalar_subquery()
    )
    rows = connection.execute(
        select(timeline.place, timeline.value, sequence).where(
            member_of(timeline.place, "places", BigInteger(), dialect)
        ),
        {"places": listed([key.place for key in keys], dialect)},
    )
    return {place: (value, number) for place, value, number in rows}


def _happening(
    key: _Key, order: tuple[str, str], record: tuple[bytes, int], plugins: Mapping[str, str]
) -> Happening:
    tenant, order_id = order
    value, sequence = record
    partition, offset = parted(key.place)
    event = decode(value)
    shown = timeline_entry(Entry(partition, offset, event), sequence, plugins)
    step = getattr(event.fact, "step", None)
    return Happening(
        tenant=tenant,
        order=order_id,
        type=key.type,
        stage=None if step is None else plugins.get(step, step),
        partition=partition,
        offset=offset,
        entry={"order": order_id, **shown},
    )
