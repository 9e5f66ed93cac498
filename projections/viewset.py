"""A set of views: its tables under one prefix, and the writers that fill them.

There are no migrations: a new shape is a new set, filled from the log beside the old one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial

from sqlalchemy import Dialect, MetaData, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from projections.attention import (
    AttentionView,
    attention_bulk,
    attention_removal,
    attention_table,
)
from projections.change import View
from projections.commands import (
    CommandsView,
    commands_answer,
    commands_bulk,
    commands_table,
)
from projections.orders import OrdersView, orders_bulk, orders_table
from projections.search import WordsView, words_bulk, words_table
from projections.statistics import (
    StatisticsTables,
    StatisticsView,
    statistics_bulks,
    statistics_tables,
)
from projections.subscriptions import (
    SubscriptionsView,
    subscriptions_bulk,
    subscriptions_table,
)
from projections.timeline import TimelineView, timeline_bulk, timeline_table

MEANING = 2
"""Raised when rows get another meaning while their columns stay the same."""


@dataclass(frozen=True, slots=True)
class ViewSet:
    """The tables of one set."""

    id: int
    metadata: MetaData
    orders: Table
    timeline: Table
    attention: Table
    statistics: StatisticsTables
    commands: Table
    subscriptions: Table
    words: Table


@cache
def view_set(set_id: int) -> ViewSet:
    """The set with that id; its tables are called `v<id>_...`."""
    metadata, prefix = MetaData(), f"v{set_id}_"
    return ViewSet(
        id=set_id,
        metadata=metadata,
        orders=orders_table(metadata, prefix),
        timeline=timeline_table(metadata, prefix),
        attention=attention_table(metadata, prefix),
        statistics=statistics_tables(metadata, prefix),
        commands=commands_table(metadata, prefix),
        subscriptions=subscriptions_table(metadata, prefix),
        words=words_table(metadata, prefix),
    )


@cache
def shape() -> str:
    """A digest of all columns and indexes: a store filled under another one must be rebuilt."""
    digest, dialect = hashlib.sha256(str(MEANING).encode()), sqlite.dialect()
    for table in view_set(0).metadata.sorted_tables:
        digest.update(str(CreateTable(table).compile(dialect=dialect)).encode())
        for index in sorted(table.indexes, key=lambda index: str(index.name)):
            digest.update(str(CreateIndex(index).compile(dialect=dialect)).encode())
    return digest.hexdigest()[:16]


def view_makers(tables: ViewSet, dialect: Dialect) -> tuple[Callable[[], View], ...]:
    """Makers of the views for one transaction each; a new view joins here."""
    return (
        partial(OrdersView, orders_bulk(tables.orders, dialect)),
        partial(TimelineView, timeline_bulk(tables.timeline, dialect)),
        partial(
            AttentionView,
            attention_bulk(tables.attention, dialect),
            attention_removal(tables.attention),
        ),
        partial(StatisticsView, statistics_bulks(tables.statistics, dialect)),
        partial(
            CommandsView,
            commands_bulk(tables.commands, dialect),
            commands_answer(tables.commands),
        ),
        partial(
            SubscriptionsView,
            subscriptions_bulk(tables.subscriptions, dialect),
            tables.subscriptions,
            tables.timeline,
        ),
        partial(WordsView, words_bulk(tables.words, dialect)),
    )
