"""Prints completed orders as they come, each once: read_completed.py KAFKA [TOPIC]."""

import asyncio
import json
import sys

from aiokafka import AIOKafkaConsumer


async def read(kafka: str, topic: str = "order-completed") -> None:
    """Commits behind what was dealt with; the same event may come again after a crash."""
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=kafka,
        group_id="my-warehouse",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
    )
    seen: set[str] = set()  # yours outlives the process: a unique column beside what you store
    await consumer.start()
    try:
        async for record in consumer:
            headers = {name: value.decode() for name, value in record.headers}
            if headers["ce_id"] not in seen:
                seen.add(headers["ce_id"])
                order = json.loads(record.value)
                print(headers["ce_type"], order["id"], order["completion"], flush=True)
            await consumer.commit()
    finally:
        await consumer.stop()


if __name__ == "__main__":
    asyncio.run(read(*sys.argv[1:]))
