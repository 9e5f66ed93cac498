"""How far readers of a real Kafka's topics are."""

from datetime import UTC, datetime, timedelta

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.kafka.admin import Cluster
from streams.kafka.lag import LagProbe, LagUnknownError, TopicReader
from streams.topics import Topics
from waybill.ports import free_port


async def write(kafka: str, topic: str, partition: int, at: datetime, count: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for number in range(count):
            moment = int((at + timedelta(seconds=number)).timestamp() * 1000)
            await producer.send_and_wait(
                topic, b"x" * 2000, partition=partition, timestamp_ms=moment
            )
    finally:
        await producer.stop()


async def commit(kafka: str, group: str, place: TopicPartition, offset: int) -> None:
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, group_id=group, enable_auto_commit=False)
    await consumer.start()
    try:
        consumer.assign([place])
        await consumer.commit({place: offset})
    finally:
        await consumer.stop()


async def test_places_come_from_the_store_or_the_group_and_ages_from_the_records(
    kafka: str, topics: Topics
) -> None:
    began = datetime(2026, 3, 1, 10, tzinfo=UTC)
    await write(kafka, topics.order_events, 2, began, 4)
    await commit(kafka, f"{topics.prefix}g", TopicPartition(topics.order_events, 2), 3)
    probe = LagProbe(Cluster(kafka))
    readers = [
        TopicReader("store", topics.order_events, reached={2: 1}),
        TopicReader("group", topics.order_events, f"{topics.prefix}g"),
        TopicReader("nobody", topics.order_events, f"{topics.prefix}unknown"),
        TopicReader("nowhere", f"{topics.prefix}missing"),
    ]
    try:
        for _ in range(2):
            found = await probe.look(readers)
            assert found.pop("nowhere") == []
            second = {name: standings[2] for name, standings in found.items()}
            assert {name: (one.end, one.position) for name, one in second.items()} == {
                "store": (4, 1),
                "group": (4, 3),
                "nobody": (4, 0),
            }
            assert second["store"].waiting_since == began + timedelta(seconds=1)
            assert second["group"].waiting_since == began + timedelta(seconds=3)
            assert (second["group"].behind, found["store"][0].behind) == (1, 0)
            assert found["store"][0].waiting_since is None
    finally:
        await probe.close()


async def test_a_kafka_that_is_not_there_is_told() -> None:
    probe = LagProbe(Cluster(f"127.0.0.1:{free_port()}"))
    with pytest.raises(LagUnknownError):
        await probe.look([TopicReader("store", "t")])
