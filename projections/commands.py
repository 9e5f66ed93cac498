"""The commands view: what was asked of orders, by whom, and how it was answered."""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Dialect,
    Index,
    MetaData,
    Table,
    Update,
    bindparam,
    update,
)

from projections.change import Change
from projections.moments import microseconds
from projections.tables import Bulk, Place, Text, indexable, insert_into
from schemas.events import CommandReceived, CommandRejected, Decided


class Outcome(StrEnum):
    """What came of a command; `pending` while its order has not answered it."""

    PENDING = "pending"
    APPLIED = "applied"
    REJECTED = "rejected"


def commands_table(metadata: MetaData, prefix: str) -> Table:
    """One row per command. `bulk` is what its id has before the first `/`.

    `code` and `answer` say why it was rejected; `decided_place` is where the answer stands.
    """
    table = Table(
        f"{prefix}commands",
        metadata,
        Column("order_place", Place, primary_key=True, autoincrement=False),
        Column("id", Text, primary_key=True),
        Column("place", Place, nullable=False),
        Column("order_id", Text, nullable=False),
        Column("tenant", Text, nullable=False),
        Column("kind", Text, nullable=False),
        Column("step", Text),
        Column("actor", Text, nullable=False),
        Column("reason", Text, nullable=False),
        Column("received", Place, nullable=False),
        Column("bulk", Text),
        Column("outcome", Text, nullable=False),
        Column("code", Text),
        Column("answer", Text),
        Column("decided", Place),
        Column("decided_place", Place),
    )
    _index(table, prefix)
    return table


def _index(table: Table, prefix: str) -> None:
    """By id; by bulk and outcome, for progress; for the audit by moment, actor and bulk."""
    columns = table.c
    Index(f"{prefix}commands_id", columns.tenant, columns.id)
    Index(
        f"{prefix}commands_bulk",
        columns.tenant,
        columns.bulk,
        columns.outcome,
        sqlite_where=columns.bulk.is_not(None),
        postgresql_where=columns.bulk.is_not(None),
    )
    Index(f"{prefix}commands_received", columns.tenant, columns.received, columns.place)
    Index(
        f"{prefix}commands_actor",
        columns.tenant,
        columns.actor,
        columns.received,
        columns.place,
    )
    Index(
        f"{prefix}commands_bulk_received",
        columns.tenant,
        columns.bulk,
        columns.received,
        columns.place,
        sqlite_where=columns.bulk.is_not(None),
        postgresql_where=columns.bulk.is_not(None),
    )


def commands_bulk(table: Table, dialect: Dialect) -> Bulk:
    """What `CommandsView` inserts with."""
    # Two ids that differ in what no column can hold must not stop their partition for ever.
    return Bulk(insert_into(table, dialect).on_conflict_do_nothing(), table, dialect)


def commands_answer(table: Table) -> Update:
    """Writes down how a command was answered."""
    columns = table.c
    return (
        update(table)
        .where(columns.order_place == bindparam("of"), columns.id == bindparam("command"))
        .values(
            outcome=bindparam("given"),
            code=bindparam("why"),
            answer=bindparam("words"),
            decided=bindparam("at"),
            decided_place=bindparam("where"),
        )
    )


class CommandsView:
    """Two kinds of events of an order touch it: commands, and the decisions that answer them."""

    def __init__(self, bulk: Bulk, answer: Update) -> None:
        self._bulk = bulk
        self._answer = answer
        self._received: list[tuple[Any, ...]] = []
        self._answered: list[dict[str, Any]] = []

    def apply(self, change: Change) -> None:
        """Take down a command, or its answer."""
        fact = change.event.fact
        if isinstance(fact, CommandReceived):
            self._received.append(_row(change, fact))
        elif isinstance(fact, Decided) and fact.command is not None:
            self._answered.append(_answer(change, fact, fact.command))

    def write(self, connection: Connection) -> None:
        """Insert what was asked, then write down what was answered."""
        self._bulk.write(connection, self._received)
        if self._answered:
            connection.execute(self._answer, self._answered)


def _row(change: Change, fact: CommandReceived) -> tuple[Any, ...]:
    envelope = change.event.envelope
    bulk, parted, _ = fact.command.partition("/")
    return (
        change.order_place,
        indexable(fact.command),
        change.place,
        envelope.order_id,
        envelope.tenant,
        fact.kind.value,
        None if fact.step is None else indexable(fact.step),
        indexable(envelope.actor),
        fact.reason.replace("\x00", "\ufffd"),
        microseconds(envelope.occurred_at),
        indexable(bulk) if parted else None,
        Outcome.PENDING.value,
        None,
        None,
        None,
        None,
    )


def _answer(change: Change, fact: Decided, command: str) -> dict[str, Any]:
    rejected = isinstance(fact, CommandRejected)
    return {
        "of": change.order_place,
        "command": indexable(command),
        "given": (Outcome.REJECTED if rejected else Outcome.APPLIED).value,
        "why": indexable(fact.code) if isinstance(fact, CommandRejected) else None,
        "words": (
            fact.reason.replace("\x00", "\ufffd") if isinstance(fact, CommandRejected) else None
        ),
        "at": microseconds(change.event.envelope.occurred_at),
        "where": change.place,
    }
