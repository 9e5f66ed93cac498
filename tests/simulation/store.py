"""The simulated store: folded orders as bytes, applied offsets by compare-and-set, data keys."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from schemas.codec import decode
from schemas.events import Event, OrderAccepted
from streams.agents.projector import AnotherProjectorError, Applied
from streams.core.evolve import evolve
from streams.core.lanes import place
from streams.core.order import ENDED, Order, State
from streams.core.sealing import DataKey
from streams.core.snapshot import restored, state_bytes
from streams.core.wakes import wake
from tests.simulation.chance import Chance
from tests.simulation.log import Entry


class StoreDownError(Exception):
    """The database does not answer."""


class Wake(NamedTuple):
    """As `projections.snapshots.Wake`."""

    partition: int
    order_id: str
    lane: str
    due: datetime | None
    stage: str | None


class Lane(NamedTuple):
    """What is found by query: the rest of the order is bytes."""

    lane: str
    ended: bool
    queued: bool
    place: tuple[int, int]
    due: datetime | None
    stage: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """One order: where its acceptance stands, that record, and the folded state."""

    partition: int
    offset: int
    acceptance: bytes
    state: bytes
    found_by: Lane

    def order(self, codec: "Codec") -> Order:
        accepted = codec.decode(self.acceptance).fact
        assert isinstance(accepted, OrderAccepted)
        return restored(self.state, accepted)


class Codec:
    """Decodes, each record once: decoding is a pure function of the bytes."""

    def __init__(self) -> None:
        self._known: dict[bytes, Event] = {}

    def decode(self, value: bytes | None) -> Event:
        assert value is not None
        known = self._known.get(value)
        if known is None:
            known = self._known[value] = decode(value)
        return known


class SimStore:
    """What outlives every process."""

    def __init__(self, codec: Codec, partitions: int) -> None:
        self.codec = codec
        self.applied = dict.fromkeys(range(partitions), -1)
        self.rows: dict[str, Row] = {}
        self.keys: dict[tuple[str, str], DataKey] = {}
        self.down = False

    def check(self) -> None:
        if self.down:
            raise StoreDownError


class SimSnapshots:
    """The store as a worker asks it; all of one moment."""

    def __init__(self, store: SimStore, chance: Chance) -> None:
        self._store = store
        self._chance = chance

    def applied(self) -> dict[int, int]:
        self._answer()
        return dict(self._store.applied)

    def load(
        self,
        begun: Mapping[str, tuple[int, int]],
        wanted: Collection[str],
        lanes: Collection[str],
    ) -> dict[str, Order]:
        self._answer()
        rows, found = self._store.rows, {}
        here = {order for order, (part, at) in begun.items() if _stands_at(rows, order, part, at)}
        for order_id, row in rows.items():
            asked = order_id in wanted or (order_id in begun and order_id not in here)
            found_by = row.found_by
            in_lane = found_by.lane in lanes and not found_by.ended and order_id not in here
            if asked or in_lane:
                found[order_id] = row.order(self._store.codec)
        return found

    def wakes(self, partitions: Collection[int]) -> list[Wake]:
        self._answer()
        rows = self._store.rows
        woken = []
        for order_id, row in rows.items():
            found_by = row.found_by
            if row.partition not in partitions or found_by.ended:
                continue
            wakes = found_by.due is not None or found_by.stage is not None
            if wakes and not (found_by.queued and self._has_earlier(row)):
                woken.append(
                    Wake(row.partition, order_id, found_by.lane, found_by.due, found_by.stage)
                )
        return woken

    def _has_earlier(self, row: Row) -> bool:
        mine = row.found_by
        return any(
            other.found_by.lane == mine.lane
            and not other.found_by.ended
            and other.found_by.place < mine.place
            for other in self._store.rows.values()
        )

    def _answer(self) -> None:
        self._store.check()
        if self._chance.hits("store_error"):
            raise StoreDownError


def _stands_at(rows: Mapping[str, Row], order: str, partition: int, offset: int) -> bool:
    row = rows.get(order)
    return row is not None and (row.partition, row.offset) == (partition, offset)


class SimProjector:
    """What `Projector` is to the projecting process: folds with the real core.

    As that one it remembers the orders that it met, and moves each partition's applied offset by
    compare-and-set.
    """

    compares = True

    def __init__(self, store: SimStore, chance: Chance) -> None:
        self._store = store
        self._chance = chance
        self._applied: dict[int, int] = {}
        self._remembered: dict[str, Row] = {}

    def assign(self, partitions: Iterable[int]) -> dict[int, int]:
        self._store.check()
        self._applied = {number: self._store.applied[number] for number in partitions}
        self._remembered = {}
        return {number: offset + 1 for number, offset in self._applied.items()}

    def has_other_views(self) -> bool:
        return False

    def apply_all(self, chunks: Mapping[int, Sequence[Entry]]) -> dict[int, Applied]:
        store = self._store
        store.check()
        if self._chance.hits("projector_error"):
            raise StoreDownError
        work = {number: self._fresh(number, chunks[number]) for number in sorted(chunks)}
        for number in work:
            if self.compares and store.applied[number] != self._applied[number]:
                raise AnotherProjectorError(f"partition {number} no longer stands there")
        rows: dict[str, Row] = {}
        done: dict[int, Applied] = {}
        for number, records in work.items():
            count = sum(self._fold(number, record, rows) for record in records)
            end = records[-1].offset if records else self._applied[number]
            done[number] = Applied(end, len(records), count)
        store.rows.update(rows)
        self._remembered.update(rows)
        for number, one in done.items():
            self._applied[number] = store.applied[number] = one.offset
        return done

    def _fresh(self, number: int, records: Sequence[Entry]) -> list[Entry]:
        if number not in self._applied:
            raise AnotherProjectorError(f"partition {number} is not assigned")
        return [record for record in records if record.offset > self._applied[number]]

    def _fold(self, partition: int, record: Entry, rows: dict[str, Row]) -> bool:
        codec = self._store.codec
        event = codec.decode(record.value)
        order_id = event.envelope.order_id
        known = rows.get(order_id) or self._remembered.get(order_id)
        row = known or self._store.rows.get(order_id)
        before = None if row is None else row.order(codec)
        after = evolve(before, event, record.offset)
        if after is None or after is before:
            return False
        assert record.value is not None
        rows[order_id] = Row(
            partition=partition if row is None else row.partition,
            offset=record.offset if row is None else row.offset,
            acceptance=record.value if row is None else row.acceptance,
            state=state_bytes(after),
            found_by=_found_by(after),
        )
        return True


def _found_by(order: Order) -> Lane:
    wakes = wake(order)
    queued = order.state is State.QUEUED
    return Lane(
        lane=order.lane,
        ended=order.state in ENDED,
        queued=queued,
        place=place(order),
        due=order.updated if queued else None if wakes is None else wakes.due,
        stage=None if queued or wakes is None else wakes.stage,
    )


class SimVault:
    """Data keys as one process has them at hand; a key follows from whose it is."""

    def __init__(self, store: SimStore) -> None:
        self._store = store
        self._held: dict[tuple[str, str], DataKey] = {}

    def at_hand(self, tenant: str, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        held = self._held
        return {s: held[tenant, s] for s in subjects if (tenant, s) in held}

    def made(self, tenant: str, subjects: list[str]) -> Mapping[str, DataKey]:
        self._store.check()
        for subject in subjects:
            secret = subject.encode().ljust(32, b".")[:32]
            key = DataKey(id=f"key-{subject}", subject=subject, secret=secret)
            self._store.keys.setdefault((tenant, subject), key)
        return self.existing(tenant, subjects)

    def existing(self, tenant: str, subjects: Iterable[str]) -> Mapping[str, DataKey]:
        self._store.check()
        found = {s: k for s in subjects if (k := self._store.keys.get((tenant, s))) is not None}
        self._held.update({(tenant, s): key for s, key in found.items()})
        return found
