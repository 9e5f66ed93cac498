"""`GET /api/lag`: how far intake, workers, views, outlet and webhooks are with what is in Kafka."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from aiohttp import web

from projections.lag import StorePositions
from projections.moments import iso
from streams.kafka.lag import LagUnknownError, Standing, TopicReader
from streams.topics import Topics
from waybill.api.call import Call, answered
from waybill.api.problems import KAFKA_UNAVAILABLE, ApiProblem
from waybill.groups import WORKERS


async def lag(call: Call) -> web.Response:
    """Of the whole installation: topics are not parted by tenant."""
    positions = await call.api.reader.ask(lambda reading: reading.positions())
    readers = _readers(call.api.services.topics, positions)
    try:
        found = await call.api.services.lags.look(readers)
    except LagUnknownError as problem:
        raise ApiProblem(
            KAFKA_UNAVAILABLE,
            f"Kafka does not say how far its readers are ({problem})",
            "try again; if it stays, look at WAYBILL_KAFKA",
            headers={"Retry-After": "2"},
        ) from problem
    now = call.api.services.now()
    items = [_item(reader, found[reader.name], now) for reader in readers]
    return answered({"at": iso(now), "items": items, "next": None})


def _readers(topics: Topics, positions: StorePositions) -> list[TopicReader]:
    group = topics.prefix + WORKERS
    return [
        TopicReader("intake", topics.orders, group),
        TopicReader("commands", topics.order_commands, group),
        TopicReader("worker", topics.order_events, group),
        TopicReader("views", topics.order_events, reached=_next(positions.applied)),
        TopicReader("outlet", topics.order_events, reached=_next(positions.published)),
        TopicReader("webhooks", topics.order_updates, reached=_next(positions.queued)),
    ]


def _next(last: Mapping[int, int]) -> dict[int, int]:
    return {partition: offset + 1 for partition, offset in last.items()}


def _item(reader: TopicReader, standings: Sequence[Standing], now: datetime) -> dict[str, Any]:
    partitions = [_partition(standing, now) for standing in standings]
    waiting = [one["waiting_s"] for one in partitions if one["waiting_s"] is not None]
    return {
        "name": reader.name,
        "topic": reader.topic,
        "group": reader.group,
        "behind": sum(one["behind"] for one in partitions),
        "waiting_s": max(waiting, default=None),
        "partitions": partitions,
    }


def _partition(standing: Standing, now: datetime) -> dict[str, Any]:
    since = standing.waiting_since
    # Clocks of several machines: nothing waits since tomorrow.
    waiting = None if since is None else round(max(0.0, (now - since).total_seconds()), 3)
    return {
        "partition": standing.partition,
        "end": standing.end,
        "position": standing.position,
        "behind": standing.behind,
        "waiting_s": waiting,
    }
