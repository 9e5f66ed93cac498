"""A store with very many orders, filled straight through its tables: what a year leaves behind.

Each order has its acceptance in the timeline, its row, its words, and a row of attention where it
needs a person. Bytes are made once per kind of order and changed where orders differ, because
encoding a million of them would take longer than all measurements.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, text

from benchmarks.projector import history
from projections.attention import attention_bulk, causes
from projections.change import Change
from projections.loading import Load
from projections.moments import microseconds
from projections.orders import orders_bulk, status_word
from projections.search import index_again, leave_index
from projections.search_words import words_of
from projections.store import APPLIED, Store
from projections.tables import Bulk, insert_into, place_of
from projections.timeline import timeline_bulk
from projections.viewset import ViewSet, view_set
from schemas.codec import decode, encode
from schemas.events import Event, OrderAccepted, OrderFailed, StepFailed, StepInDoubt
from schemas.steps import ErrorKind, Failure
from streams.core.evolve import evolve
from streams.core.order import Order, State
from streams.core.snapshot import state_bytes

PARTITIONS = 8
START = datetime(2026, 1, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
AT_ONCE = 10_000
TYPES = ("new", "renew", "cancel_subscription", "change_offer", "change_payment", "change_address")
SHARES = (60, 20, 10, 6, 3.9, 0.1)
PRODUCTS = ("Quarterly Print and Digital", "Monthly Digital", "Sunday Edition", "Crossword Archive")
PRODUCT_SHARES = (60, 30, 9.9, 0.1)
CODES = ("card_declined", "unavailable", "timeout", "duplicate_account", "address_unknown")
SUBSCRIPTIONS_PER_ORDER = 0.4
OTHER_TENANT, TEST_MODE = 0.05, 0.01
FAILED, IN_DOUBT = 0.02, 0.005


@dataclass(frozen=True, slots=True)
class Kind:
    """Orders alike: the bytes of one of them, of number 0."""

    order: Order
    acceptance: bytes
    state: bytes
    words: str
    causes: Sequence[Any]


class Kinds:
    """Makes each kind once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, ...], Kind] = {}

    def of(self, tenant: str, order_type: str, mode: str, product: str, code: str) -> Kind:
        """The kind; `code` is why it failed, `?` before it: nobody knows; empty: complete."""
        named = (tenant, order_type, mode, product, code)
        if named not in self._made:
            self._made[named] = _kind(*named)
        return self._made[named]


def _kind(tenant: str, order_type: str, mode: str, product: str, code: str) -> Kind:
    records = [decode(value) for value in history(0)]
    first = records[0]
    assert isinstance(first.fact, OrderAccepted)
    document = f'{{"orderItems": [{{"name": "{product}", "note": "{"x" * 400}"}}]}}'
    fact = replace(first.fact, order_type=order_type, mode=mode, document=document)
    envelope = replace(first.envelope, tenant=tenant, lane=f"{tenant}/S{0:011d}")
    events = [Event(envelope, fact), *records[1:]]
    if code:
        events = [*events[:2], *_failing(events[2], code)]
    order: Order | None = None
    words: list[str] = []
    for place, event in enumerate(events):
        before, order = order, evolve(order, event, place)
        assert order is not None
        words += words_of(Change(place, 0, b"", event, before, order))
    assert order is not None
    return Kind(order, encode(events[0]), state_bytes(order), f" {' '.join(words)} ", causes(order))


def _failing(event: Event, code: str) -> Iterator[Event]:
    """The second step fails for that reason; `?`: with an unknown outcome."""
    unknown = code.startswith("?")
    failure = Failure(
        kind=ErrorKind.TRANSIENT if unknown else ErrorKind.DECLINED,
        code=code.lstrip("?"),
        message=f"the partner said {code.lstrip('?').replace('_', ' ')}",
        buyer_message="Sorry",
        definite=not unknown,
    )
    step = "zuora"
    if unknown:
        yield Event(event.envelope, StepInDoubt(step=step, attempt=1, failure=failure))
        return
    yield Event(event.envelope, StepFailed(step=step, attempt=1, failure=failure))
    yield Event(event.envelope, OrderFailed(expected=3, step=step, plugin=step, failure=failure))


@dataclass(slots=True)
class Rows:
    """Rows of each table, in the order of its columns."""

    orders: list[tuple[Any, ...]]
    timeline: list[tuple[Any, ...]]
    words: list[tuple[Any, ...]]
    attention: list[tuple[Any, ...]]


def fill(store: Store, orders: int, seed: int = 1) -> None:
    """So many orders, in the current set; indexes are made afterwards."""
    tables = view_set(store.set_id())
    dice, kinds = random.Random(seed), Kinds()
    with store.writer.begin() as connection:
        told = _told(connection)
        _without_indexes(connection, tables)
    for first in range(0, orders, AT_ONCE):
        rows = Rows([], [], [], [])
        for number in range(first, min(orders, first + AT_ONCE)):
            _add(rows, number, orders, dice, kinds)
        with store.writer.begin() as connection:
            _write(connection, tables, rows)
    with store.writer.begin() as connection:
        _with_indexes(connection, tables)
        _tell_again(connection, told)
        for partition in range(PARTITIONS):
            given = {"set_id": tables.id, "partition": partition, "offset": orders}
            connection.execute(APPLIED.insert(), given)
    _settle(store)


def order_id(number: int) -> str:
    """As `benchmarks.projector` names orders."""
    return f"order-{number * 0x9E3779B97F4A7C15 % 2**64:016x}{number:016x}"


def _add(rows: Rows, number: int, orders: int, dice: random.Random, kinds: Kinds) -> None:
    chance = dice.random()
    code = dice.choice(CODES) if chance < FAILED + IN_DOUBT else ""
    kind = kinds.of(
        "other" if dice.random() < OTHER_TENANT else "default",
        dice.choices(TYPES, SHARES)[0],
        "test" if dice.random() < TEST_MODE else "production",
        dice.choices(PRODUCTS, PRODUCT_SHARES)[0],
        f"?{code}" if code and chance > FAILED else code,
    )
    subscription = int(dice.random() * orders * SUBSCRIPTIONS_PER_ORDER)
    place = place_of(number % PARTITIONS, number // PARTITIONS)
    changed = _Changed(number, subscription)
    created = START + YEAR * (number / orders)
    row = _order_row(kind, changed, place, created)
    rows.orders.append(row)
    acceptance = changed.bytes_of(kind.acceptance)
    rows.timeline.append((place, place, "OrderAccepted", acceptance))
    rows.words.append((place, changed.text_of(kind.words)))
    rows.attention += [
        (place, cause.step, row[2], cause.plugin, cause.kind, cause.code, microseconds(created))
        for cause in kind.causes
    ]


@dataclass(frozen=True, slots=True)
class _Changed:
    """What an order has of its own: texts as long as those of number 0."""

    number: int
    subscription: int

    def _own(self) -> Iterator[tuple[str, str]]:
        yield order_id(0)[6:], order_id(self.number)[6:]
        yield f"EXT-{0:08d}", f"EXT-{self.number:08d}"
        yield f"S{0:011d}", f"S{self.subscription:011d}"
        yield f"R{0:011d}", f"R{self.number * 7919 % 10**11:011d}"

    def text_of(self, template: str) -> str:
        for zero, own in self._own():
            template = template.replace(zero, own).replace(zero.lower(), own.lower())
        return template.replace(f" ext {0:08d} ", f" ext {self.number:08d} ")

    def bytes_of(self, template: bytes) -> bytes:
        for zero, own in self._own():
            template = template.replace(zero.encode(), own.encode())
        return template


def _order_row(kind: Kind, own: _Changed, place: int, created: datetime) -> tuple[Any, ...]:
    order, accepted, at = kind.order, kind.order.accepted, microseconds(created)
    stopped = kind.causes[0] if kind.causes else None
    why = (None, None, None, None) if stopped is None else (stopped.plugin, stopped.code)
    if stopped is not None:
        why = (stopped.plugin, stopped.code, stopped.step, stopped.plugin)
    state = own.bytes_of(kind.state).replace(
        b'"created":"2026-01-01T00:00:00+00:00"', f'"created":"{created.isoformat()}"'.encode()
    )
    return (
        place,
        order_id(own.number),
        order.tenant,
        own.text_of(order.lane),
        accepted.order_type,
        accepted.mode,
        own.text_of(accepted.external_id or ""),
        own.text_of(accepted.order_reference),
        own.text_of(accepted.subscription_reference),
        accepted.owner,
        accepted.config_version,
        accepted.fingerprint,
        at,
        status_word(order.state),
        *why,
        order.run,
        order.sequence,
        place,
        0,
        None,
        1 if order.state is State.FAILED else None,
        None,
        None,
        at + 100_000,
        place,
        state,
    )


def _write(connection: Connection, tables: ViewSet, rows: Rows) -> None:
    for table, made, given in (
        (tables.orders, orders_bulk, rows.orders),
        (tables.timeline, timeline_bulk, rows.timeline),
        (tables.words, None, rows.words),
        (tables.attention, attention_bulk, rows.attention),
    ):
        dialect = connection.dialect
        plain = insert_into(table, dialect)
        if dialect.name == "postgresql":
            Load(plain, table, dialect).write(connection, given)
        elif made is None:
            Bulk(plain, table, dialect).write(connection, given)
        else:
            made(table, dialect).write(connection, given)


def _filled(tables: ViewSet) -> Sequence[Table]:
    return (tables.orders, tables.timeline, tables.attention)


def _without_indexes(connection: Connection, tables: ViewSet) -> None:
    leave_index(connection, tables.words)
    for table in _filled(tables):
        for index in table.indexes:
            index.drop(connection)


def _with_indexes(connection: Connection, tables: ViewSet) -> None:
    for table in _filled(tables):
        for index in table.indexes:
            index.create(connection)
    index_again(connection, tables.words)


def _told(connection: Connection) -> Sequence[Any]:
    """What SQLite knows of the sizes of indexes: it forgets that with the index."""
    if connection.dialect.name != "sqlite":
        return ()
    return connection.execute(text("SELECT tbl, idx, stat FROM sqlite_stat1")).all()


def _tell_again(connection: Connection, told: Sequence[Any]) -> None:
    if not told:
        return
    connection.execute(text("DELETE FROM sqlite_stat1"))
    statement = text("INSERT INTO sqlite_stat1 VALUES (:tbl, :idx, :stat)")
    connection.execute(statement, [row._asdict() for row in told])
    connection.execute(text("ANALYZE sqlite_master"))


def _settle(store: Store) -> None:
    """As autovacuum leaves PostgreSQL after a while."""
    with store.writer.connect() as connection:
        if connection.dialect.name == "postgresql":
            settled = connection.execution_options(isolation_level="AUTOCOMMIT")
            settled.execute(text("VACUUM ANALYZE"))
