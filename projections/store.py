"""The SQL store: engines, the set of views that is current, and what no rebuild touches."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from sqlite3 import OperationalError
from threading import local
from time import sleep
from typing import Any, NamedTuple, Self

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    bindparam,
    create_engine,
    event,
    func,
    make_url,
    select,
    update,
)
from sqlalchemy.engine import URL

from projections.tables import Place, Text, insert_into
from projections.viewset import ViewSet, shape, view_set

BASE = MetaData()
"""Tables outside the rebuilt sets."""

SETS = Table(
    "view_sets",
    BASE,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("shape", Text, nullable=False),
    Column("current", Integer, nullable=False),
)
APPLIED = Table(
    "applied_offsets",
    BASE,
    Column("set_id", Integer, primary_key=True, autoincrement=False),
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", Place, nullable=False),
)
DATA_KEYS = Table(
    "data_keys",
    BASE,
    Column("tenant", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("wrapped", LargeBinary, nullable=False),
    Column("created", Place, nullable=False),
)
OUTLET = Table(
    "outlet_positions",
    BASE,
    Column("partition", Integer, primary_key=True, autoincrement=False),
    Column("offset", Place, nullable=False),
)
DEATHS = Table(
    "deaths",
    BASE,
    Column("what", Text, primary_key=True),
    Column("times", Integer, nullable=False),
    Column("recorder", Text, nullable=False),
    Column("last", Place, nullable=False),
)
STAGE_STATES = Table(
    "stage_states",
    BASE,
    Column("worker", Text, primary_key=True),
    Column("tenant", Text, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("at", Place, nullable=False),
    Column("state", Text, nullable=False),
)
BIRTH = Table(
    "topics_birth",
    BASE,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("partitions", Integer, nullable=False),
    Column("partitioner", Text, nullable=False),
)

_BUSY_MS = 30_000
_READERS_BUSY_MS = 2_000
"""Readers hardly ever wait for writers, and some of them wait in their event loop."""
_PATIENT = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
"""A PostgreSQL that has gone without a word is given up within half a minute."""
_WAL_ATTEMPTS = 200
_WAL_PAUSE_S = 0.05
_SYNCHRONOUS = {"durable": "FULL", "scratch": "OFF"}
_SCHEMA_LOCK = 0x57415942494C4C
"""An advisory lock of PostgreSQL: two processes that start at once must not both create."""


class StoreError(Exception):
    """The store cannot be used as it is; `code` says why, the message what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Birth:
    """How keys were spread over `order-events` when it was made; this never changes."""

    partitions: int
    partitioner: str


class _Moment(NamedTuple):
    """A transaction that only reads, and what the pointer says in it."""

    connection: Connection
    set_id: int
    shape: str


class Store:
    """One database: `writer` for transactions that write, `reader` for those that only read.

    `durable` writes what cannot be had again from the log: it waits for the disk, which the
    views need not, since the log brings them back.
    """

    def __init__(
        self, writer: Engine, reader: Engine, durable: Engine, *, shared: bool = True
    ) -> None:
        self.writer = writer
        self.reader = reader
        self.durable = durable
        self.has_one_writer = shared and writer.dialect.name == "sqlite"
        """Whether a transaction that writes keeps all others from writing."""
        self._held = local()

    @classmethod
    def open(cls, url: str) -> Self:
        """The store at that SQLAlchemy URL, with its tables and a first set when it is new."""
        parsed = make_url(url)
        if parsed.get_backend_name() == "sqlite":
            made = tuple(_sqlite(parsed, role) for role in ("writer", "reader", "durable"))
            store = cls(*made)
        else:
            writer = _postgresql(parsed, read_only=False)
            store = cls(writer, _postgresql(parsed, read_only=True), writer)
        store._create()
        return store

    @classmethod
    def scratch(cls, url: str) -> Self:
        """A new SQLite store for one user, who throws it away: nothing is safe in a crash."""
        engine = _sqlite(make_url(url), "scratch")
        store = cls(engine, engine, engine, shared=False)
        store._create()
        return store

    def close(self) -> None:
        """Give back all connections."""
        for engine in (self.writer, self.reader, self.durable):
            engine.dispose()

    def _create(self) -> None:
        with self.durable.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
            BASE.create_all(connection)
            if connection.scalar(select(func.count()).select_from(SETS)) == 0:
                create_set(connection, 1)
                connection.execute(update(SETS).values(current=1))

    def set_id(self) -> int:
        """The id of the current set; another one than before means: read everything again."""
        with self.reader.begin() as connection:
            return current_set(connection)

    @contextmanager
    def one_moment(self) -> Iterator[dict[int, int]]:
        """The last applied offset by partition; all that this thread reads meanwhile is as old."""
        with self.reader.begin() as connection:
            rows = connection.execute(_MOMENT).all()
            self._held.moment = _Moment(connection, rows[0].id, rows[0].shape)
            try:
                yield {row.partition: row.offset for row in rows if row.partition is not None}
            finally:
                del self._held.moment

    @contextmanager
    def reading(self) -> Iterator[tuple[Connection, ViewSet]]:
        """One consistent look at the current set. `StoreError` where its shape is an old one."""
        held: _Moment | None = getattr(self._held, "moment", None)
        if held is not None:
            yield held.connection, _usable(held.set_id, held.shape)
            return
        with self.reader.begin() as connection:
            yield connection, usable_set(connection)

    def applied(self) -> dict[int, int]:
        """The last applied offset by partition; -1 where nothing is applied yet."""
        with self.reader.begin() as connection:
            return applied_offsets(connection, current_set(connection))

    def certify(self, born: Birth) -> None:
        """Record how `order-events` was made, once; `StoreError` where it is another way now."""
        with self.durable.begin() as connection:
            statement = insert_into(BIRTH, connection.dialect).on_conflict_do_nothing()
            connection.execute(
                statement, {"id": 1, "partitions": born.partitions, "partitioner": born.partitioner}
            )
        known = self.birth()
        if known != born:
            raise StoreError(
                "topic_changed",
                f"order-events was made as {known} and is {born} now, which parts orders from "
                "their events. Restore the topic, or start with an empty store and Kafka.",
            )

    def birth(self) -> Birth | None:
        """How `order-events` was made, or None while nobody has recorded it."""
        with self.reader.begin() as connection:
            row = connection.execute(select(BIRTH.c.partitions, BIRTH.c.partitioner)).one_or_none()
        return None if row is None else Birth(*row)


def current_set(connection: Connection) -> int:
    """The id that the pointer names."""
    found: int = connection.scalars(_CURRENT).one()
    return found


def usable_set(connection: Connection) -> ViewSet:
    """The current set; `StoreError` where this version gives its tables another shape."""
    return _usable(*connection.execute(_CURRENT_SHAPE).one())


def _usable(set_id: int, its_shape: str) -> ViewSet:
    if its_shape != shape():
        raise StoreError(
            "views_outdated",
            "The views were filled by another version of Waybill. Run `waybill rebuild`.",
        )
    return view_set(set_id)


_CURRENT = select(SETS.c.id).where(SETS.c.current == 1)
_CURRENT_SHAPE = select(SETS.c.id, SETS.c.shape).where(SETS.c.current == 1)
_MOMENT = (
    select(SETS.c.id, SETS.c.shape, APPLIED.c.partition, APPLIED.c.offset)
    .select_from(SETS.outerjoin(APPLIED, APPLIED.c.set_id == SETS.c.id))
    .where(SETS.c.current == 1)
    .order_by(APPLIED.c.partition)
)


def hold_pointer(connection: Connection, *, to_move: bool) -> None:
    """Keep the pointer where it is until this transaction ends, or wait for who moves it."""
    connection.execute(select(SETS.c.id).with_for_update(read=not to_move)).all()


def applied_offsets(connection: Connection, set_id: int) -> dict[int, int]:
    """The last applied offset by partition of that set."""
    rows = connection.execute(_APPLIED, {"set_id": set_id})
    return {row.partition: row.offset for row in rows}


_APPLIED = (
    select(APPLIED.c.partition, APPLIED.c.offset)
    .where(APPLIED.c.set_id == bindparam("set_id"))
    .order_by(APPLIED.c.partition)
)


def create_set(connection: Connection, set_id: int) -> ViewSet:
    """New empty tables, not current yet."""
    tables = view_set(set_id)
    tables.metadata.create_all(connection)
    connection.execute(SETS.insert(), {"id": set_id, "shape": shape(), "current": 0})
    return tables


def _sqlite(url: URL, role: str) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # The driver's own way of opening transactions would start them late, as readers.
        connection.isolation_level = None
        busy_ms = _READERS_BUSY_MS if role == "reader" else _BUSY_MS
        connection.execute(f"PRAGMA busy_timeout={busy_ms}")
        if role == "scratch":
            connection.execute("PRAGMA journal_mode=OFF")
        else:
            _write_ahead(connection)
        connection.execute(f"PRAGMA synchronous={_SYNCHRONOUS.get(role, 'NORMAL')}")
        connection.execute("PRAGMA cache_size=-32768")
        if role == "reader":
            connection.execute("PRAGMA query_only=ON")

    begin = "BEGIN" if role == "reader" else "BEGIN IMMEDIATE"

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    return engine


def _write_ahead(connection: Any) -> None:
    """Switches to WAL. SQLite answers `locked` at once, whatever its time-out, while others do."""
    for attempts_left in range(_WAL_ATTEMPTS, -1, -1):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except OperationalError:
            if attempts_left == 0:
                raise
            sleep(_WAL_PAUSE_S)
        else:
            return


def _postgresql(url: URL, *, read_only: bool) -> Engine:
    options: dict[str, Any] = dict(_PATIENT)
    if read_only:
        options["options"] = "-c default_transaction_read_only=on"
    return create_engine(
        url,
        paramstyle="format",
        connect_args=options,
        pool_pre_ping=True,
        isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED",
    )
