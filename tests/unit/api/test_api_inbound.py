"""Zuora's notifications and synchronisation: each is an order in the subscription's lane."""

from base64 import b64encode
from typing import Any

import orjson
import pytest

from plugins.secret_values import SecretValues
from schemas.connections import Connections
from schemas.events import MainPhaseCompleted, OrderFailed, StepFailed, StepSucceeded
from schemas.steps import ErrorKind, Failure
from streams.core.sealing import SECTIONS
from waybill.api import limio_shapes, shapes
from waybill.api.partners import PartnerSecrets

TOLD = {
    "subscriptionID": "SUB-1",
    "type": "CancelSubscription",
    "data": {"orderNumber": "O-7", "email": "ada@example.org", "subscription": "SUB-1"},
}
SECRET = "a-secret-of-zuora's-own"
SYNC = "/api/plugins/zuora/sync/subscription/SUB-1"


def sent(world: Any) -> dict[str, Any]:
    return dict(orjson.loads(world.orders.records[-1].value))


def with_secrets(world: Any, **more: Any) -> None:
    connection = {"base_url": "https://rest.zuora.com", "inbound": {"env": "TOLD"}}
    other = {"base_url": "https://rest.zuora.com", "inbound": {"env": "MISSING"}}
    connections = {
        "other": {"production": {"zuora": other, "salesforce": connection}},
        "acme": {"test": {"zuora": connection}, **more},
    }
    world.partners = PartnerSecrets(
        Connections.model_validate(connections), SecretValues({"TOLD": SECRET})
    )
    world.keys = []


def basic(secret: str) -> dict[str, str]:
    return {"Authorization": "Basic " + b64encode(f"zuora:{secret}".encode()).decode()}


async def test_a_notification_is_an_external_order_in_the_lane_of_its_subscription(
    world: Any, client: Any
) -> None:
    response = await client.post("/api/events/zuora", json=TOLD)
    answer = await response.json()
    assert response.status == 202
    shapes.OrderAnswer.model_validate(answer)
    assert answer["subscriptionReference"] == "SUB-1"
    assert response.headers["Location"] == f"/api/orders/{answer['id']}"
    order = sent(world)
    assert order == {
        "__spec_version": "2",
        "order_type": "external",
        "external_id": answer["external_id"],
        "forSubscription": "SUB-1",
        "mode": "production",
        "source": "zuora",
        "initiated_source": "zuora",
        "notification": {"type": "CancelSubscription", "subscriptionID": "SUB-1"},
        "notificationData": {"orderNumber": "O-7", "email": "ada@example.org"},
    }
    assert "notificationData" in SECTIONS
    assert world.orders.records[-1].key == b"default/SUB-1"


async def test_what_zuora_tells_beside_may_be_of_any_kind(client: Any) -> None:
    data = {"charges": [1], "more": {"a": None}, "number": TOLD["subscriptionID"]}
    response = await client.post("/api/events/zuora", json={**TOLD, "data": data})
    assert response.status == 202


async def test_what_zuora_told_is_sealed_in_the_log(world: Any, client: Any) -> None:
    await client.post("/api/events/zuora", json=TOLD)
    order = world.accept(sent(world))
    timeline = await (await client.get(f"/api/orders/{order.order_id}/timeline")).text()
    kept = world.store.durable.connect().exec_driver_sql("SELECT value FROM v1_timeline").all()
    assert b"ada@example.org" not in kept[0][0]
    assert "ada@example.org" not in timeline


async def test_the_same_notification_again_is_the_same_order(world: Any, client: Any) -> None:
    first = await (await client.post("/api/events/zuora", json=TOLD)).json()
    again = await (await client.post("/api/events/zuora", json=dict(reversed(TOLD.items())))).json()
    assert first == again
    world.accept(sent(world))
    await client.post("/api/events/zuora", json=TOLD)
    assert len(world.orders.records) == 2


@pytest.mark.parametrize(
    "other",
    [
        {"type": "RenewSubscription"},
        {"subscriptionID": "SUB-2"},
        {"data": {"orderNumber": "O-8"}},
        {"data": None},
    ],
)
async def test_another_notification_is_another_order(client: Any, other: dict[str, Any]) -> None:
    first = await (await client.post("/api/events/zuora", json=TOLD)).json()
    second = await (await client.post("/api/events/zuora", json={**TOLD, **other})).json()
    assert first["external_id"] != second["external_id"]


async def test_a_notification_without_data_is_told_from_others_by_its_minute_or_its_key(
    client: Any,
) -> None:
    bare = {"subscriptionID": "SUB-1", "type": "Suspend"}
    first = await (await client.post("/api/events/zuora", json=bare)).json()
    assert first == await (await client.post("/api/events/zuora", json=bare)).json()
    key = {"Idempotency-Key": "callout-9"}
    named = await (await client.post("/api/events/zuora", json=bare, headers=key)).json()
    assert named["external_id"] != first["external_id"]
    assert named == await (await client.post("/api/events/zuora", json=bare, headers=key)).json()


@pytest.mark.parametrize("name", ["subscriptionNumber", "SubscriptionName"])
async def test_the_number_names_the_lane_where_zuora_sends_it_beside_the_id(
    world: Any, client: Any, name: str
) -> None:
    told = {"subscriptionID": "8ad09be48db5aba7018db604776d4854", "data": {name: "SUB-1"}}
    answer = await (await client.post("/api/events/zuora", json=told)).json()
    assert answer["subscriptionReference"] == "SUB-1"
    assert sent(world)["notification"] == {
        "type": "Unknown",
        "subscriptionID": "8ad09be48db5aba7018db604776d4854",
    }
    assert "notificationData" not in sent(world)


@pytest.mark.parametrize(
    "body", [{}, {"subscriptionID": ""}, {"subscriptionID": 7}, {"subscriptionID": "A", "type": 1}]
)
async def test_a_notification_about_nothing_is_refused(
    world: Any, client: Any, body: dict[str, Any]
) -> None:
    response = await client.post("/api/events/zuora", json=body)
    assert (response.status, (await response.json())["code"]) == (422, "malformed")
    assert world.orders.records == []


@pytest.mark.parametrize("scheme", [basic, lambda text: {"Authorization": f"Bearer {text}"}])
async def test_zuora_shows_the_secret_of_its_connection_which_says_tenant_and_mode(
    world: Any, connect: Any, scheme: Any
) -> None:
    with_secrets(world)
    client = await connect()
    response = await client.post("/api/events/zuora", json=TOLD, headers=scheme(SECRET))
    assert response.status == 202
    assert sent(world)["mode"] == "test"
    headers = dict(world.orders.records[-1].headers)
    assert (headers["waybill-tenant"], headers["waybill-actor"]) == (b"acme", b"partner:zuora")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic(""),
        basic(SECRET[:-1]),
        basic(SECRET + "x"),
        {"Authorization": "Basic !!"},
        {"Authorization": f"Digest {SECRET}"},
    ],
)
async def test_another_secret_opens_nothing(
    world: Any, connect: Any, headers: dict[str, str]
) -> None:
    with_secrets(world)
    client = await connect()
    response = await client.post("/api/events/zuora", json=TOLD, headers=headers)
    assert response.status == 401


async def test_a_short_secret_opens_nothing(world: Any, connect: Any) -> None:
    with_secrets(world)
    world.partners = PartnerSecrets(world.partners._connections, SecretValues({"TOLD": "short"}))
    client = await connect()
    response = await client.post("/api/events/zuora", json=TOLD, headers=basic("short"))
    assert response.status == 401


async def test_zuoras_secret_opens_nothing_else(world: Any, connect: Any) -> None:
    with_secrets(world)
    client = await connect()
    for method, path in (("GET", "/api/orders"), ("POST", "/api/order")):
        response = await client.request(method, path, headers=basic(SECRET))
        assert response.status == 401


async def test_who_comes_with_a_key_says_the_mode(world: Any, client: Any) -> None:
    await client.post("/api/events/zuora?mode=test", json=TOLD)
    assert sent(world)["mode"] == "test"
    response = await client.post("/api/events/zuora?mode=tset", json=TOLD)
    assert (await response.json())["code"] == "bad_query"


async def test_a_synchronisation_waits_for_its_end(world: Any, client: Any) -> None:
    async def work(record: Any) -> None:
        prepared = world.accept(orjson.loads(record.value))
        done = [StepSucceeded(step=s, attempt=1, output={}) for s in ("salesforceV3", "zuora")]
        world.go_on(prepared, *done, MainPhaseCompleted(expected=3))

    world.orders.then = work
    response = await client.post(SYNC)
    answer = await response.json()
    limio_shapes.SyncAnswer.model_validate(answer)
    assert response.status == 200
    assert (answer["success"], answer["id"], answer["status"]) == (True, "SUB-1", "post_processing")
    assert response.headers["Location"] == f"/api/orders/{answer['order']}"
    assert sent(world)["notification"] == {"type": "Synchronise", "subscriptionID": "SUB-1"}


async def test_a_synchronisation_that_fails_says_why(world: Any, client: Any) -> None:
    failure = Failure(
        kind=ErrorKind.PERMANENT, code="gone", message="gone", buyer_message="Not there."
    )

    async def work(record: Any) -> None:
        prepared = world.accept(orjson.loads(record.value))
        failed_order = OrderFailed(
            expected=2, step="salesforceV3", plugin="salesforceV3", failure=failure
        )
        failed = StepFailed(step="salesforceV3", attempt=1, failure=failure)
        world.go_on(prepared, failed, failed_order)

    world.orders.then = work
    response = await client.post(SYNC)
    answer = await response.json()
    limio_shapes.SyncAnswer.model_validate(answer)
    assert (response.status, answer["success"], answer["status"]) == (200, False, "failed")
    assert answer["error"] == {"code": "gone", "buyer_message": "Not there."}


async def test_a_synchronisation_that_takes_long_can_be_followed(client: Any) -> None:
    response = await client.post(SYNC, headers={"Prefer": "wait=0", "Idempotency-Key": "s-1"})
    answer = await response.json()
    limio_shapes.SyncAnswer.model_validate(answer)
    assert (response.status, answer["success"]) == (202, None)
    again = await client.post(SYNC, headers={"Prefer": "wait=0", "Idempotency-Key": "s-1"})
    assert (await again.json())["order"] == answer["order"]
    other = await client.post(SYNC, headers={"Prefer": "wait=0"})
    assert (await other.json())["order"] != answer["order"]
