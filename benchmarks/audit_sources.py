"""What the auditor reads: topics from their beginning to their end, and the views."""

from collections.abc import AsyncIterator
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord
from sqlalchemy import func, select

from benchmarks.auditor import Audit
from projections.orders import status_word
from projections.store import OUTLET, Store
from schemas.codec import decode


async def records(bootstrap: str, topic: str) -> AsyncIterator[ConsumerRecord]:
    """All records that are there now, each partition in its order."""
    consumer: Any = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        left = {part for part, end in ends.items() if end > 0}
        while left:
            for part, found in (await consumer.getmany(timeout_ms=500)).items():
                for record in found:
                    yield record
                if found[-1].offset + 1 >= ends[part]:
                    left.discard(part)
    finally:
        await consumer.stop()


async def audited_log(bootstrap: str) -> Audit:
    """Reads `order-events`."""
    audit = Audit()
    async for record in records(bootstrap, "order-events"):
        audit.read(decode(record.value), record.offset)
    return audit


async def published(bootstrap: str, topic: str) -> list[str]:
    """The event ids that a consumer of the topic gets, in its order."""
    return [dict(record.headers)["ce_id"].decode() async for record in records(bootstrap, topic)]


async def refused(bootstrap: str) -> list[tuple[str, str]]:
    """Origin and code of every record in `orders-rejected`."""
    found = []
    async for record in records(bootstrap, "orders-rejected"):
        headers = dict(record.headers)
        found.append((headers.get("origin", b"").decode(), headers.get("code", b"").decode()))
    return found


def differing_views(store: Store, audit: Audit) -> list[str]:
    """Orders whose row says something else than the fold."""
    with store.reading() as (connection, tables):
        columns = tables.orders.c
        rows = connection.execute(select(columns.id, columns.status, columns.sequence))
        seen = {row.id: (row.status, row.sequence) for row in rows}
    wanted = {o.id: (status_word(o.state), o.sequence) for o in audit.orders.values()}
    return [
        f"{one}: view {seen.get(one)}, log {wanted.get(one)}"
        for one in seen.keys() | wanted.keys()
        if seen.get(one) != wanted.get(one)
    ]


def statuses(store: Store) -> dict[str, int]:
    """How many orders there are of each status, as the view says."""
    with store.reading() as (connection, tables):
        status = tables.orders.c.status
        rows = connection.execute(select(status, func.count()).group_by(status))
        return {row[0]: row[1] for row in rows}


def outlet_is_done(store: Store) -> bool:
    """Whether all that is applied was looked at for publication."""
    with store.reader.begin() as connection:
        positions = {r.partition: r.offset for r in connection.execute(select(OUTLET))}
    return all(positions.get(p, -1) >= at for p, at in store.applied().items())
