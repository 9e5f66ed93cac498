"""Submits one order to the topic `orders` as JSON: submit_json.py KAFKA FILE."""

import asyncio
import sys
from pathlib import Path

from aiokafka import AIOKafkaProducer


async def submit(kafka: str, order: bytes, topic: str = "orders") -> None:
    """The order is taken once Kafka has acknowledged it; any key will do, or none."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        sent = await producer.send_and_wait(
            topic, order, headers=[("waybill-tenant", b"default"), ("waybill-actor", b"my-shop")]
        )
        print(f"{sent.topic}/{sent.partition}/{sent.offset}")
    finally:
        await producer.stop()


if __name__ == "__main__":
    asyncio.run(submit(sys.argv[1], Path(sys.argv[2]).read_bytes(), *sys.argv[3:]))
