"""A rebuild by several processes from a real log: the same views, and the same refusals."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from projections.comparing import table_hashes
from projections.rebuild import rebuild
from projections.store import Store
from projections.testing import History
from projections.writing import UndecodableRecordError
from streams.kafka.history import History as KafkaHistory
from streams.topics import Topics
from tests.broker.test_store_rebuild import ignore, project
from tests.full_histories import full_history
from waybill.rebuilding_crew import Processes
from waybill.settings import Settings


@pytest.fixture
def settings(kafka: str, topics: Topics, tmp_path: Path) -> Settings:
    given = Settings.from_environment({"WAYBILL_DATA": str(tmp_path)})
    return replace(given, kafka=kafka, topic_prefix=topics.prefix)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = Store.open(settings.database)
    yield opened
    opened.close()


async def write(kafka: str, topic: str, history: History) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for partition, records in history.log.items():
        for record in records:
            await producer.send(topic, record.value, key=b"lane", partition=partition)
    await producer.stop()


async def test_a_crew_makes_what_one_projector_makes_and_stops_at_what_cannot_be_read(
    kafka: str, topics: Topics, settings: Settings, store: Store
) -> None:
    history = full_history()
    await write(kafka, topics.order_events, history)
    project(store, history)
    live = table_hashes(store, 1)
    crew = Processes(settings, 2)
    with KafkaHistory(topics.order_events, kafka, {}) as log:
        rebuilt = rebuild(store, log, ignore, crew)
        assert table_hashes(store, rebuilt.set_id) == live
        assert rebuilt.records == sum(map(len, history.log.values()))
        broken = History(log={1: [history.log[0][0]._replace(value=b"no event")]})
        await write(kafka, topics.order_events, broken)
        with pytest.raises(UndecodableRecordError, match="partition 1 offset"):
            rebuild(store, log, ignore, crew)
    assert store.set_id() == rebuilt.set_id
