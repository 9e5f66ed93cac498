"""Seed-size orders with invented buyers, into the topic `orders`."""

import asyncio
import json
import time
from pathlib import Path

from aiokafka import AIOKafkaProducer

EXAMPLE = Path(__file__).parent.parent / "examples" / "order-new.json"
SEED = Path(__file__).parent.parent.parent / "shared" / "data" / "order-new.json"


def document() -> dict[str, object]:
    """The order that is copied: the seed's where it is at hand, else the shipped example."""
    loaded: dict[str, object] = json.loads((SEED if SEED.exists() else EXAMPLE).read_text())
    return loaded


def body() -> bytes:
    """The order as it goes to a partner."""
    return json.dumps(document(), separators=(",", ":")).encode()


async def produce(
    bootstrap: str,
    orders: int,
    rate: float | None,
    batch: str = "o",
    order_type: str | None = None,
) -> float:
    """Sends `orders` orders, `rate` a second (None: as fast as it goes). Seconds that it took.

    With an `order_type` they are changes, each to a subscription of its own.
    """
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=2, max_batch_size=1 << 20)
    await producer.start()
    order, began = document(), time.perf_counter()
    for number in range(orders):
        # The moment of sending travels in the id, so that latency counts from there.
        order["external_id"] = f"{batch}{number:07d}@{time.time():.6f}"
        order["customerDetails"] = {
            "firstName": "Ada",
            "lastName": f"Byron{number}",
            "email": f"ada.{batch}{number}@example.test",
        }
        if order_type is not None:
            order["order_type"] = order_type
            order["forSubscription"] = f"SUB{batch.upper()}{number}"
        value = json.dumps(order, separators=(",", ":")).encode()
        await producer.send("orders", value, key=str(order["external_id"]).encode())
        if rate is not None:
            ahead = began + (number + 1) / rate - time.perf_counter()
            if ahead > 0:
                await asyncio.sleep(ahead)
    await producer.flush()
    await producer.stop()
    return time.perf_counter() - began
