"""Folding records into a set of views: what the projector and a rebuild have in common."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import chain
from operator import attrgetter
from typing import Any, NamedTuple, Protocol

from sqlalchemy import Connection, Dialect, String, bindparam, select, update

from projections.change import Change, View
from projections.store import APPLIED
from projections.tables import insert_into, listed, member_of, place_of
from projections.viewset import ViewSet, view_makers
from schemas.codec import UndecodableError, decode_to_fold
from schemas.events import Event, OrderAccepted
from streams.core.evolve import evolve
from streams.core.order import ENDED, Order
from streams.core.snapshot import restored

_REMEMBERED = 4_000
"""Orders per partition whose state is kept at hand; others are read back from the store."""


class Readable(Protocol):
    """What is needed of a record of `order-events`."""

    @property
    def offset(self) -> int:
        """Its place in its partition."""

    @property
    def value(self) -> bytes | None:
        """The event."""


class Record(NamedTuple):
    """One record of `order-events`: `timestamp` is the broker's, in milliseconds."""

    offset: int
    value: bytes | None
    timestamp: int = 0


class AnotherProjectorError(Exception):
    """The applied offset is not where this projector left it: ask for the partitions anew."""


class UndecodableRecordError(Exception):
    """A record of `order-events` that this version cannot read: its partition must stop there."""

    def __init__(self, partition: int, offset: int, code: str, reason: str) -> None:
        super().__init__(
            f"order-events partition {partition} offset {offset} cannot be read: {reason}. "
            "Nothing behind it is applied. Run a version of Waybill that knows it."
        )
        self.partition = partition
        self.offset = offset
        self.code = code
        self._reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.partition, self.offset, self.code, self._reason)


@dataclass(frozen=True, slots=True)
class Known:
    """An order as far as folding needs it, and the place of its acceptance."""

    order_place: int
    order: Order


class Located(NamedTuple):
    """A decoded record with its place."""

    offset: int
    value: bytes
    event: Event


@dataclass(frozen=True, slots=True)
class Folding:
    """What was made of some records: to be written, then to be remembered once it is committed.

    `applied` counts the events that applied, by partition.
    """

    orders: Mapping[int, Mapping[str, Known]]
    applied: Mapping[int, int]
    views: Sequence[View]

    def write(self, connection: Connection) -> None:
        """Write all views."""
        for view in self.views:
            view.write(connection)


def decoded(
    partition: int, records: Iterable[Readable]
) -> tuple[list[Located], UndecodableRecordError | None]:
    """The records up to the first that cannot be read, and what is wrong with that one."""
    located: list[Located] = []
    for record in records:
        offset, value = record.offset, record.value
        try:
            event = decode_to_fold(value)
        except UndecodableError as problem:
            return located, UndecodableRecordError(partition, offset, problem.code, str(problem))
        assert value is not None
        located.append(Located(offset, value, event))
    return located, None


class SetWriter:
    """Writes one set of views; remembers the orders that it met last, so many per partition."""

    def __init__(self, tables: ViewSet, dialect: Dialect, most: int = _REMEMBERED) -> None:
        self.tables = tables
        self._most = most
        self._makers = view_makers(tables, dialect)
        self._remembered: dict[int, OrderedDict[str, Known]] = {}
        orders, timeline = tables.orders.c, tables.timeline.c
        self._look_up = (
            select(orders.id, orders.place, orders.state, timeline.value)
            .join(tables.timeline, timeline.place == orders.place)
            .where(member_of(orders.id, "ids", String(), dialect))
        )
        self._advance = (
            update(APPLIED)
            .where(
                APPLIED.c.set_id == tables.id,
                APPLIED.c.partition == bindparam("of"),
                APPLIED.c.offset == bindparam("start"),
            )
            .values(offset=bindparam("end"))
        )
        self._first = insert_into(APPLIED, dialect).on_conflict_do_nothing()

    def begin_partition(self, connection: Connection, partition: int) -> None:
        """Make sure that the partition has an applied offset to start from."""
        connection.execute(
            self._first, {"set_id": self.tables.id, "partition": partition, "offset": -1}
        )

    def advance(self, connection: Connection, moves: Mapping[int, tuple[int, int]]) -> None:
        """Move applied offsets, by partition, from one to another; all of them in one statement.

        `AnotherProjectorError` where any no longer stands where it should.
        """
        given = [{"of": of, "start": start, "end": end} for of, (start, end) in moves.items()]
        if connection.execute(self._advance, given).rowcount != len(given):
            starts = ", ".join(f"{of} at {start}" for of, (start, _) in moves.items())
            raise AnotherProjectorError(
                f"not all partitions of set {self.tables.id} stand where they should: {starts}"
            )

    def write(self, connection: Connection, chunks: Mapping[int, Sequence[Located]]) -> Folding:
        """Fold the records and write all views; nothing is remembered before `committed`."""
        folding = self.fold(connection, chunks)
        folding.write(connection)
        return folding

    def fold(self, connection: Connection, chunks: Mapping[int, Sequence[Located]]) -> Folding:
        """Fold the records, and write nothing yet."""
        views = [make() for make in self._makers]
        orders: dict[int, dict[str, Known]] = {}
        applied: dict[int, int] = {}
        known = self._known(connection, chunks)
        for partition, records in chunks.items():
            orders[partition] = known[partition]
            applied[partition] = _fold(partition, records, orders[partition], views)
        return Folding(orders, applied, views)

    def committed(self, folding: Folding) -> None:
        """Remember the orders, the latest longest; an order at its end hardly comes again."""
        for partition, orders in folding.orders.items():
            remembered = self._remembered.setdefault(partition, OrderedDict())
            for order_id, known in orders.items():
                if known.order.state in ENDED:
                    remembered.pop(order_id, None)
                else:
                    remembered[order_id] = known
                    remembered.move_to_end(order_id)
            while len(remembered) > self._most:
                remembered.popitem(last=False)

    def forget(self, partition: int) -> None:
        """Give back the memory of a partition that is done with for now."""
        self._remembered.pop(partition, None)

    def _known(
        self, connection: Connection, chunks: Mapping[int, Sequence[Located]]
    ) -> dict[int, dict[str, Known]]:
        """The orders of each partition's records, from memory or by one look into the store."""
        known: dict[int, dict[str, Known]] = {}
        unknown: dict[int, dict[str, None]] = {}
        for partition, records in chunks.items():
            remembered: Mapping[str, Known] = self._remembered.get(partition, {})
            mine, others = known.setdefault(partition, {}), unknown.setdefault(partition, {})
            for record in records:
                order_id = record.event.envelope.order_id
                if (found := remembered.get(order_id)) is not None:
                    mine[order_id] = found
                else:
                    others[order_id] = None
        stored = self._stored(connection, dict.fromkeys(chain.from_iterable(unknown.values())))
        for partition, others in unknown.items():
            known[partition] |= {one: stored[one] for one in others if one in stored}
        return known

    def _stored(self, connection: Connection, ids: Collection[str]) -> dict[str, Known]:
        if not ids:
            return {}
        stored: dict[str, Known] = {}
        rows = connection.execute(self._look_up, {"ids": listed(ids, connection.dialect)})
        for order_id, place, state, value in rows:
            accepted = decode_to_fold(value).fact
            assert isinstance(accepted, OrderAccepted)
            stored[order_id] = Known(place, restored(state, _bare(accepted)))
        return stored


def _fold(
    partition: int,
    records: Sequence[Located],
    known: dict[str, Known],
    views: Sequence[View],
) -> int:
    """Give every applied event to every view; how many applied."""
    count = 0
    for record in records:
        event = record.event
        order_id = event.envelope.order_id
        place = place_of(partition, record.offset)
        entry = known.get(order_id)
        before = None if entry is None else entry.order
        after = evolve(before, without_document(event), record.offset)
        if after is None or after is before:
            continue
        order_place = place if entry is None else entry.order_place
        known[order_id] = Known(order_place, after)
        change = Change(place, order_place, record.value, event, before, after)
        for view in views:
            view.apply(change)
        count += 1
    return count


def without_document(event: Event) -> Event:
    """Folding never looks into an acceptance's document, and thousands would be kept."""
    if isinstance(event.fact, OrderAccepted):
        return Event(event.envelope, _bare(event.fact))
    return event


def _bare(accepted: OrderAccepted) -> OrderAccepted:
    """As `replace` of dataclasses, many times faster: this happens for every order."""
    bare = OrderAccepted.__new__(OrderAccepted)
    for fill, value in zip(_FILLED, _VALUES(accepted), strict=True):
        fill(bare, value)
    for fill, nothing in _LEFT_OUT:
        fill(bare, nothing)
    return bare


_KEPT = tuple(one.name for one in fields(OrderAccepted) if one.name not in {"document", "sealed"})
_VALUES = attrgetter(*_KEPT)
_FILLED = tuple(getattr(OrderAccepted, name).__set__ for name in _KEPT)
_LEFT_OUT: tuple[tuple[Callable[[OrderAccepted, Any], None], Any], ...] = (
    (getattr(OrderAccepted, "document").__set__, ""),  # noqa: B009 (the slot, not a value)
    (getattr(OrderAccepted, "sealed").__set__, ()),  # noqa: B009
)
