"""Types of webhooks, the AsyncAPI document, and events that shops tell of buyers."""

import re
from typing import Any

import orjson
import pytest
from jsonschema_rs import Draft202012Validator

from streams.core.webhooks.bodies import body_of
from streams.core.webhooks.catalogue import TYPES, types_of
from streams.core.webhooks.journeys import JOURNEY_TYPES, redacted
from streams.core.webhooks.schemas import published_model
from streams.core.webhooks.updates import Update, read_update
from streams.topics import Topics
from tests import webhook_stories as told
from waybill.api import catalogue

PERSON = {
    "email": "ada@example.org",
    "customer": {"first_name": "Ada", "plan": "Quarterly"},
    "note": "ask ada@example.org about 4111 1111 1111 1111, order 4111111111111112",
    "payment": {"refId": "8ad0"},
    "card": 4111111111111111,
    "tags": [{"postal-code": "MQ7"}],
}
CLEAN = {
    "email": "[redacted]",
    "customer": {"first_name": "[redacted]", "plan": "Quarterly"},
    "note": "ask [redacted] about [redacted], order 4111111111111112",
    "payment": "[redacted]",
    "card": "[redacted]",
    "tags": [{"postal-code": "[redacted]"}],
}


def sent(world: Any) -> tuple[Any, Update]:
    record = world.orders.records[-1]
    return record, read_update(record.headers, record.value)


async def test_all_types_are_there_with_schemas_that_their_examples_fit(client: Any) -> None:
    answer = await client.get("/api/webhook-types")
    assert answer.status == 200
    shown = catalogue.WebhookTypes.model_validate_json(await answer.text())
    assert [one.name for one in shown.items] == list(TYPES)
    for one in shown.items:
        Draft202012Validator(one.schemas.thin).validate(one.examples.thin)
        Draft202012Validator(one.schemas.full).validate(one.examples.full)


async def test_one_type_is_there_by_itself(client: Any) -> None:
    shown = await (await client.get("/api/webhook-types/order.failed")).json()
    assert shown == catalogue.webhook_type("order.failed")
    answer = await client.get("/api/webhook-types/order.fail")
    assert (answer.status, (await answer.json())["remedy"]) == (404, "did you mean 'order.failed'?")


async def test_the_asyncapi_document_holds_together(connect: Any) -> None:
    client = await connect(Topics("east."))
    document = await (await client.get("/api/asyncapi.json")).json()
    text = orjson.dumps(document).decode()
    for reference in set(re.findall(r'"\$ref":"#/([^"]+)"', text)):
        found = document
        for part in reference.split("/"):
            found = found[part]
    assert document["channels"]["order-updates"]["address"] == "east.order-updates"
    assert document["channels"]["webhooks"]["messages"].keys() == TYPES.keys()
    for message in document["components"]["messages"].values():
        schema = {**message["payload"], "components": document["components"]}
        for example in message.get("examples", ()):
            Draft202012Validator(schema).validate(example["payload"])


def test_what_is_published_is_as_the_asyncapi_document_says() -> None:
    for update, _ in told.all_updates():
        group, _, word = update.kind.partition(".")
        if group != "webhook":
            is_step = word.startswith("step_")
            name = f"step.{word.removeprefix('step_')}" if is_step else update.kind
            published_model(name).model_validate_json(orjson.dumps(dict(update.data)))


@pytest.mark.parametrize("kind", JOURNEY_TYPES)
async def test_an_event_is_published_and_becomes_limios_webhook(
    world: Any, client: Any, kind: str
) -> None:
    body = {"type": kind, "subscription": "SUB-1", "data": PERSON}
    key = {"Idempotency-Key": "basket-1"}
    answer = await client.post("/api/events", json=body, headers=key)
    assert answer.status == 202
    event = await answer.json()
    record, update = sent(world)
    assert (record.topic, record.key) == ("order-updates", b"default/SUB-1")
    assert types_of(update) == (f"limio.{kind}",)
    assert (update.id, update.order_id, update.tenant) == (event["id"], "SUB-1", "default")
    shown = orjson.loads(body_of(f"limio.{kind}", update, "full", None))
    assert shown["data"]["event"] == {**CLEAN, "subscriptions": [{"id": "SUB-1"}]}
    again = await client.post("/api/events", json=body, headers=key)
    assert (await again.json())["id"] == event["id"]
    another = await client.post("/api/events", json=body)
    assert (await another.json())["id"] != event["id"]


async def test_an_event_of_an_order_stands_in_its_lane(world: Any, client: Any) -> None:
    prepared = world.accept({"order_type": "new", "external_id": "A"})
    body = {"type": "payment_method_added", "order": prepared.order_id}
    assert (await client.post("/api/events", json=body)).status == 202
    record, update = sent(world)
    assert record.key == prepared.lane.encode()
    assert update.order_id == prepared.order_id
    assert update.data["subscription"] == prepared.subscription_reference


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ({"type": "checkout_begun"}, (422, "malformed", "/type")),
        ({"type": "cancel_attempted", "order": "order-1"}, (422, "malformed", "/order")),
        ({"type": "cancel_attempted", "order": f"order-{'0' * 32}"}, (404, "not_found", None)),
        ({"type": "cancel_attempted", "subscription": "a\nb"}, (422, "malformed", "/subscription")),
        ({"type": "cancel_attempted", "data": []}, (422, "malformed", "/data")),
        ({"type": "cancel_attempted", "data": {"x": "y" * 70_000}}, (413, "oversize", "/data")),
        ({"type": "cancel_attempted", "more": 1}, (422, "malformed", "/more")),
    ],
)
async def test_an_event_that_cannot_be_used_is_refused(
    world: Any, client: Any, body: dict[str, Any], problem: tuple[int, str, str | None]
) -> None:
    answer = await client.post("/api/events", json=body)
    shown = await answer.json()
    assert (answer.status, shown["code"], shown["field"]) == problem
    assert shown["remedy"]
    assert not world.orders.records


async def test_data_that_is_nested_too_deep_is_refused(world: Any, client: Any) -> None:
    deep = '{"type": "cancel_attempted", "data": {"x": ' + "[" * 400 + "]" * 400 + "}}"
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/api/events", data=deep, headers=headers)
    assert (answer.status, (await answer.json())["code"]) == (400, "malformed")
    assert not world.orders.records


async def test_without_kafka_the_caller_learns_how_to_repeat_it(world: Any, client: Any) -> None:
    world.orders.reachable = False
    answer = await client.post("/api/events", json={"type": "cancel_attempted"})
    assert (answer.status, (await answer.json())["code"]) == (503, "kafka_unavailable")
    key = answer.headers["Idempotency-Key"]
    world.orders.reachable = True
    repeated = {"Idempotency-Key": key}
    answer = await client.post("/api/events", json={"type": "cancel_attempted"}, headers=repeated)
    assert answer.status == 202
    assert key not in (await answer.json())["id"]


def test_what_is_not_personal_stays() -> None:
    plain = {"offer": "/offers/Quarterly", "amount": 12.5, "n": None, "names": ["a"], "ok": True}
    assert redacted(plain) == plain
