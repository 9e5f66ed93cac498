"""Submits one order as Avro in Confluent's wire format: submit_avro.py KAFKA API FILE."""

import asyncio
import io
import json
import struct
import sys
import urllib.request
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaProducer
from fastavro import parse_schema, schemaless_writer


def encoded(order: dict[str, Any], registered: dict[str, Any]) -> bytes:
    """A zero byte, the schema's id, the record; what has no field of its own goes into `more`."""
    schema = parse_schema(json.loads(registered["schema"]))
    fields = {field["name"] for field in schema["fields"]}
    record = {name: _text(value) for name, value in order.items() if name in fields}
    record["more"] = _text({name: order[name] for name in order if name not in fields})
    out = io.BytesIO(struct.pack(">bI", 0, registered["id"]))
    out.seek(0, io.SEEK_END)
    schemaless_writer(out, schema, record)
    return out.getvalue()


def _text(value: Any) -> Any:
    """Sections are JSON texts in the record."""
    return json.dumps(value) if isinstance(value, dict | list) else value


async def submit(kafka: str, api: str, order: dict[str, Any], topic: str = "orders") -> None:
    """Asks the API for the schema, as a Confluent serializer does, and sends one record."""
    subject = f"{api}/subjects/{topic}-value/versions/latest"
    with urllib.request.urlopen(subject) as answer:  # noqa: ASYNC210,S310 - once, to the API
        registered = json.load(answer)
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True)
    await producer.start()
    try:
        sent = await producer.send_and_wait(topic, encoded(order, registered))
        print(f"{sent.topic}/{sent.partition}/{sent.offset}")
    finally:
        await producer.stop()


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[3]).read_bytes())
    asyncio.run(submit(sys.argv[1], sys.argv[2], given, *sys.argv[4:]))
