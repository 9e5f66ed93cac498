"""Kills one of three brokers and wipes its disk, then gives it back, a few times."""

import asyncio
import time

from benchmarks.cluster import NODES, Cluster
from benchmarks.disturbing import Disturbance

DOWN_S = 15.0
HEALTHY_S = 45.0
"""After a wiped disk the broker copies everything: nobody else may go before it is in sync."""


async def break_brokers(cluster: Cluster, seconds: float, done: list[Disturbance]) -> None:
    """One broker after the other, each with a wiped disk."""
    until, turn = time.monotonic() + seconds, 0
    while time.monotonic() + DOWN_S + HEALTHY_S < until:
        await asyncio.sleep(HEALTHY_S)
        node = NODES[turn % len(NODES)]
        turn += 1
        done.append(Disturbance(time.time(), "WIPE", f"broker-{node}"))
        await asyncio.to_thread(cluster.kill, node, wipe=True)
        await asyncio.sleep(DOWN_S)
        await asyncio.to_thread(cluster.start, node)
        await asyncio.to_thread(cluster.answers, node)
