"""Foreign clients read what goes out and write orders, with nothing of ours in between."""

import json
import time
from collections import defaultdict
from collections.abc import Callable
from random import Random
from typing import Any

import httpx
from aiokafka import ConsumerRecord
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from standardwebhooks import Webhook

from streams.core.webhooks.bodies import body_of
from streams.core.webhooks.catalogue import types_of
from streams.core.webhooks.schemas import body_model
from streams.core.webhooks.updates import read_update
from tests.e2e.stack import BUYER, PERSONAL, PROCESSES, Stack, an_order

GOOD = ["accepted", "processing", "post_processing", "completed"]
MANY, WAVE = 200, 50


def cloud_event(record: ConsumerRecord) -> CloudEvent:
    message = KafkaMessage(headers=dict(record.headers), key=record.key, value=record.value)
    event = from_binary(message, JSONFormat())
    assert isinstance(event, CloudEvent)
    return event


def kind(event: CloudEvent) -> str:
    prefix, state, version = event.get_type().rsplit(".", 2)
    assert (prefix, version) == ("waybill.order", "v1")
    return state


def holds(wanted: set[str], *states: str) -> Callable[[list[ConsumerRecord]], bool]:
    """Whether all wanted orders have reached one of the states."""

    def check(records: list[ConsumerRecord]) -> bool:
        events = [cloud_event(record) for record in records]
        return wanted <= {str(e.get_subject()) for e in events if kind(e) in states}

    return check


def by_order(records: list[ConsumerRecord]) -> dict[str, list[CloudEvent]]:
    found = defaultdict(list)
    for record in records:
        event = cloud_event(record)
        found[str(event.get_subject())].append(event)
    return found


def without_repeats(events: list[CloudEvent]) -> list[str]:
    """States in the order in which they first came; the same id is the same event."""
    first: dict[str, CloudEvent] = {}
    for event in events:
        known = first.setdefault(event.get_id(), event)
        assert (event.get_type(), event.get_data()) == (known.get_type(), known.get_data())
    return [kind(event) for event in first.values()]


async def test_the_official_library_reads_every_change_of_state(stack: Stack) -> None:
    good = stack.submit(an_order())["id"]
    stack.ended(good)
    stack.fault("zuora", path="/v1/orders", status=400)
    bad = stack.submit(an_order())["id"]
    stack.ended(bad)
    stack.mend()
    records = await stack.read(
        stack.topics.order_updates, holds({good, bad}, "completed", "failed")
    )
    found = by_order(records)
    assert [kind(event) for event in found[good]] == GOOD
    assert [kind(event) for event in found[bad]] == ["accepted", "processing", "failed"]
    last, shown = found[bad][-1], found[bad][-1].get_data()
    assert isinstance(shown, dict)
    assert last.get_source() == "/tenants/default"
    assert last.get_datacontenttype() == "application/json"
    assert last.get_attributes()["partitionkey"] == shown["lane"]
    assert shown["error"].keys() == {"code", "buyer_message", "step", "plugin", "message"}
    assert shown["status"] == "failed"
    completed = found[good][-1].get_data()
    assert isinstance(completed, dict)
    assert completed["completion"] == "order complete"
    assert completed["context"].keys() >= {"salesforceV3", "zuora"}
    assert completed["items"][0]["name"] == "Print and Digital"
    lanes = {record.key.decode() for record in records}
    assert lanes == {event.get_attributes()["partitionkey"] for e in found.values() for event in e}


async def test_webhooks_tell_of_a_new_order_whatever_fails_later(stack: Stack) -> None:
    records = await stack.read(stack.topics.order_updates, bool)
    updates = [read_update(record.headers, record.value) for record in records]
    [bad] = {one.order_id for one in updates if one.kind == "order.failed"}
    told = [types_of(one) for one in updates if one.order_id == bad]
    assert told[0] == ("order.accepted", "accepted.new", "limio.order_submitted")
    assert told[-1] == ("order.failed", "limio.error")
    for update in (one for one in updates if one.order_id == bad):
        for name in types_of(update):
            body = body_of(name, update, "full", None)
            body_model(name, "full").model_validate_json(body)
            assert not any(text.encode() in body for text in PERSONAL)


async def test_an_end_stands_on_its_own_topic_with_the_same_id(stack: Stack) -> None:
    updates = by_order(await stack.read(stack.topics.order_updates, bool))
    for topic, state in (
        (stack.topics.order_completed, "completed"),
        (stack.topics.order_failed, "failed"),
    ):
        ends = [cloud_event(record) for record in await stack.read(topic, bool)]
        assert {kind(event) for event in ends} == {state}
        expected = [e for events in updates.values() for e in events if kind(e) == state]
        assert sorted(e.get_id() for e in ends) == sorted(e.get_id() for e in expected)


async def test_an_outlet_that_is_killed_loses_nothing_and_keeps_the_order(stack: Stack) -> None:
    random = Random(7)
    orders = [an_order() for _ in range(MANY)]
    lines = [(None, json.dumps(order).encode(), {}) for order in orders]
    for start in range(0, MANY, WAVE):
        stack.ready("outlet")
        await stack.produce(*lines[start : start + WAVE])
        stack.until(_after(random.uniform(0.1, 0.6)))
        stack.kill("outlet")
        stack.start("outlet")
    wanted = {order["external_id"] for order in orders}
    stack.until(lambda: wanted <= {order["external_id"] for order in stack.orders()})
    taken = {o["id"] for o in stack.orders() if o["external_id"] in wanted}
    records = await stack.read(stack.topics.order_updates, holds(taken, "completed"), 40)
    found = by_order(records)
    assert taken <= found.keys()
    assert all(without_repeats(found[order_id]) == GOOD for order_id in taken)
    ends = by_order(await stack.read(stack.topics.order_completed, holds(taken, "completed")))
    assert all(without_repeats(ends[order_id]) == ["completed"] for order_id in taken)
    stack.ready("outlet")


def _after(seconds: float) -> Callable[[], bool]:
    until = time.monotonic() + seconds
    return lambda: time.monotonic() > until


def test_a_stock_avro_consumer_reads_the_log_by_the_schemas_that_the_api_serves(
    stack: Stack,
) -> None:
    registry = SchemaRegistryClient({"url": stack.url})
    topic = stack.topics.order_events
    latest = registry.get_latest_version(f"{topic}-value")
    assert latest.schema.schema_str == registry.get_schema(latest.schema_id).schema_str
    read = AvroDeserializer(registry)
    consumer = Consumer(
        {
            "bootstrap.servers": stack.kafka,
            "group.id": f"{topic}-foreign",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    facts: dict[str, list[str]] = defaultdict(list)
    try:
        while not any(seen[-1] == "OrderCompleted" for seen in facts.values()):
            message = consumer.poll(20)
            assert message is not None
            assert message.error() is None
            fact: Any = read(message.value(), SerializationContext(topic, MessageField.VALUE))
            facts[fact["order_id"]].append(fact["type"])
            assert message.key().decode() == fact["lane"]
    finally:
        consumer.close()
    assert all(seen[0] == "OrderAccepted" for seen in facts.values())


def test_an_order_in_avro_is_taken_like_one_in_json(stack: Stack) -> None:
    registry = SchemaRegistryClient({"url": stack.url})
    topic = stack.topics.orders
    schema = registry.get_latest_version(f"{topic}-value").schema
    settings = {"auto.register.schemas": False, "use.latest.version": True}
    write = AvroSerializer(registry, schema, conf=settings)
    names = {field["name"] for field in json.loads(str(schema.schema_str))["fields"]}
    order = an_order()
    plain = {
        name: json.dumps(value) if isinstance(value, dict | list) else value
        for name, value in order.items()
        if name in names
    }
    plain["more"] = json.dumps({name: order[name] for name in order if name not in names})
    value = write(plain, SerializationContext(topic, MessageField.VALUE))
    producer = Producer({"bootstrap.servers": stack.kafka})
    producer.produce(topic, value)
    assert producer.flush(10) == 0
    taken = stack.until(lambda: _found(stack, order["external_id"]))
    assert stack.ended(taken["id"])["status"] == "complete"
    # The same order as JSON is the same order: its fingerprint is that of what it says.
    assert stack.submit(order)["id"] == taken["id"]


def _found(stack: Stack, external_id: str) -> dict[str, Any] | None:
    query = {"external_id": external_id}
    found = httpx.get(f"{stack.url}/api/orders", params=query).json()["items"]
    return found[0] if found else None


async def test_nothing_personal_leaves_the_orders_topic_in_clear(stack: Stack) -> None:
    topics = stack.topics
    seen: dict[str, bytes] = {}
    for topic in (
        topics.order_events,
        topics.order_updates,
        topics.order_completed,
        topics.order_failed,
    ):
        records = await stack.read(topic, bool)
        seen[topic] = b"\n".join(r.value + b"".join(v for _, v in r.headers) for r in records)
    for name in PROCESSES:
        seen[f"log of {name}"] = stack.log_file(name).read_bytes()
        if name != "sandbox":
            seen[f"metrics of {name}"] = stack.metrics(name)
            assert b"process_cpu_seconds_total" in seen[f"metrics of {name}"]
    leaks = {
        (where, value)
        for where, content in seen.items()
        for value in PERSONAL
        if value.encode() in content
    }
    assert leaks == set()
    sent = await stack.read(topics.orders, bool)
    assert all(any(value.encode() in r.value for r in sent) for value in PERSONAL)


def received(stack: Stack, until: str) -> list[dict[str, Any]]:
    """What the receiver got, the last of that type; oldest first."""
    found: list[dict[str, Any]] = []

    def has_come() -> bool:
        found[:] = httpx.get(f"{stack.sandbox}/webhooks/crm").json()["items"]
        return bool(found) and kind_of(found[-1]) == until

    stack.until(has_come)
    return found


def has_nothing_to_read(stack: Stack, reader: str) -> bool:
    readers = httpx.get(f"{stack.url}/api/lag").json()["items"]
    return [one["behind"] for one in readers if one["name"] in {"outlet", reader}] == [0, 0]


def kind_of(delivery: dict[str, Any]) -> str:
    headers = {name.lower(): value for name, value in delivery["headers"].items()}
    return str(headers["waybill-event-type"])


def test_a_receiver_hears_of_an_order_and_of_the_step_that_failed_later(stack: Stack) -> None:
    """Results of steps are published because the endpoint wants them."""
    stack.start("webhooks")
    stack.ready("webhooks")
    stack.until(lambda: has_nothing_to_read(stack, "webhooks"))
    wanted = ["accepted.*", "limio.*", "step.*"]
    body = {"url": f"{stack.sandbox}/webhooks/crm", "events": wanted}
    made = httpx.post(f"{stack.url}/api/webhook-endpoints", json=body).json()
    stack.fault("zuora", path="/v1/orders", status=400)
    order = stack.submit(an_order())
    assert stack.ended(order["id"])["status"] == "failed"
    stack.mend()
    told = received(stack, until="limio.error")
    assert [kind_of(one) for one in told] == [
        *("accepted.new", "limio.order_submitted", "step.succeeded", "step.failed", "limio.error"),
    ]
    for one in told:
        body = json.loads(one["body"])
        assert Webhook(made["secret"]).verify(one["body"], one["headers"]) == body
        body_model(kind_of(one), "full").model_validate(body)
        assert not any(text in one["body"] for text in PERSONAL)
    error = json.loads(told[-1]["body"])
    assert error["event"]["event"]["id"] == order["id"]
    assert [one["name"] for one in error["pluginErrorOutput"]] == ["zuora"]


def test_a_receiver_hears_what_a_buyer_has_done_and_not_who(stack: Stack) -> None:
    told = {"type": "cancel_attempted", "data": {"reason": "price", "email": BUYER["email"]}}
    assert httpx.post(f"{stack.url}/api/events", json=told).status_code == 202
    body = json.loads(received(stack, until="limio.cancel_attempted")[-1]["body"])
    event = {"reason": "price", "email": "[redacted]", "subscriptions": []}
    assert body["data"]["event"] == event
