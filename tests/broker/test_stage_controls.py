"""Holds reach every worker from the topic, and what stages are like reaches the store."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from plugins.stages import StageBook
from projections.audit_queries import AuditFilters, AuditQueries
from projections.stage_states import FRESH, StageStates
from projections.store import Store
from projections.vault import Vault
from schemas.connections import Connection
from streams.agents.stage_controls import StageControls
from streams.kafka.admin import Cluster
from streams.kafka.following import Following
from streams.topics import Topics
from waybill.clock import random_bytes, utc_now
from waybill.core import Core
from waybill.settings import Settings
from waybill.stage_keeping import StageKeeping

HOST = "partner.test"
CONNECTION = Connection(base_url=f"https://{HOST}")
AT = datetime(2026, 1, 1, tzinfo=UTC)


def said(stage: str, *, held: bool) -> dict[str, Any]:
    about = {"actor": "ada", "reason": "their release", "at": AT.isoformat()}
    return {"tenant": "default", "stage": stage, "held": held, **about}


async def write(kafka: str, topic: str, *records: dict[str, Any] | bytes | None) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    for record in records:
        value = orjson.dumps(record) if isinstance(record, dict) else record
        await producer.send_and_wait(topic, value, key=b"default/x")
    await producer.stop()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not done():  # noqa: ASYNC110 (a record on its way tells nobody)
            await asyncio.sleep(0.02)


async def test_a_worker_knows_all_holds_before_it_begins_and_obeys_within_a_second(
    kafka: str, topics: Topics
) -> None:
    topic, book = topics.stage_controls, StageBook(lambda: 0.0)
    await write(
        kafka,
        topic,
        said("zuora", held=True),
        said(f"acme@{HOST}", held=True),
        b"not json",
        None,
        said("zuora", held=False),
    )
    controls = StageControls(book)
    following = Following(topic, kafka, {}, controls.take)
    following.start()
    async with asyncio.timeout(10):
        await following.caught_up()
    stage = book.of("default", "acme", CONNECTION)
    assert [control.stage for control in controls.held] == [stage.name]
    assert stage.state().held
    assert not book.of("default", "zuora", CONNECTION).state().held
    assert not book.of("other", "acme", CONNECTION).state().held
    await write(kafka, topic, said(f"acme@{HOST}", held=False))
    await until(lambda: not stage.state().held)
    await write(kafka, topic, said("acme", held=True))
    await until(lambda: stage.state().held)
    await following.stop()


async def test_a_worker_keeps_who_asked_though_no_api_is_there_to_read_it(
    kafka: str, topics: Topics, tmp_path: Path
) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'waybill.sqlite'}")
    core = Core(
        name="w",
        settings=Settings.from_environment({"WAYBILL_DATA": str(tmp_path)}),
        cluster=Cluster(kafka),
        topics=topics,
        store=store,
        keys={},
        vault=Vault(store, {}, random_bytes, utc_now),
    )
    later = {**said("zuora", held=False), "at": (AT + timedelta(minutes=1)).isoformat()}
    await write(kafka, topics.stage_controls, said("zuora", held=True), later)

    def kept() -> list[str]:
        items = AuditQueries(store).audit("default", AuditFilters())["items"]
        return [f"{one['action']} {one['subject']} {one['actor']}" for one in items]

    async with StageKeeping(core, StageBook(lambda: 0.0), utc_now):
        await until(lambda: len(kept()) == 2)
    assert kept() == ["release zuora ada", "hold zuora ada"]
    store.close()


def test_the_store_shows_what_each_worker_said_last(database_url: str) -> None:
    store = Store.open(database_url)
    states = StageStates(store)
    mine = {"tenant": "default", "stage": "acme@partner.test", "in_flight": 3}
    states.tell("one", [mine, {**mine, "tenant": "other"}], AT)
    states.tell("one", [{**mine, "in_flight": 4}], AT)
    states.tell("two", [{**mine, "in_flight": 5}], AT)
    assert [(one["worker"], one["in_flight"]) for one in states.of("default", AT)] == [
        ("one", 4),
        ("two", 5),
    ]
    later = AT + FRESH + timedelta(seconds=1)
    assert states.of("default", later) == []
    states.tell("two", [], later)
    assert states.of("default", AT) == []
    store.close()
