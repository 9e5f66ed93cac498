"""Kills one of three brokers and wipes its disk, then gives it back, a few times."""

import asyncio
import time
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from benchmarks.cluster import NODES, Cluster
from benchmarks.disturbing import Disturbance

DOWN_S = 15.0
HEALTHY_S = 20.0
LOOK_EVERY_S = 2.0


async def break_brokers(cluster: Cluster, seconds: float, done: list[Disturbance]) -> None:
    """One broker after the other, each with a wiped disk, and only while all are in sync."""
    until, turn = time.monotonic() + seconds, 0
    while True:
        await asyncio.sleep(HEALTHY_S)
        while not await _in_sync(cluster.bootstrap):  # noqa: ASYNC110 (Kafka tells nobody)
            await asyncio.sleep(LOOK_EVERY_S)
        if time.monotonic() + DOWN_S > until:
            return
        node = NODES[turn % len(NODES)]
        turn += 1
        done.append(Disturbance(time.time(), "WIPE", f"broker-{node}"))
        await asyncio.to_thread(cluster.kill, node, wipe=True)
        await asyncio.sleep(DOWN_S)
        await asyncio.to_thread(cluster.start, node)
        await asyncio.to_thread(cluster.answers, node)


async def _in_sync(bootstrap: str) -> bool:
    """Whether every replica of every partition is; a second loss before that would lose data."""
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        topics = await admin.describe_topics()
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()
    partitions = [part for topic in topics for part in topic["partitions"]]
    return all(len(part["isr"]) == len(part["replicas"]) for part in partitions)
