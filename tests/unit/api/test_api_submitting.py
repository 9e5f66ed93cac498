"""Submitting an order over HTTP."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from schemas.events import MainPhaseCompleted, OrderFailed, StepFailed, StepSucceeded
from schemas.steps import ErrorKind, Failure
from waybill.api import shapes
from waybill.api.app import API

DECLINED = Failure(
    kind=ErrorKind.DECLINED, code="card_declined", message="secret words", buyer_message="Sorry."
)
DOCUMENT = {"external_id": "E-1", "orderItems": [{"name": "Quarterly"}]}


async def problem(response: Any, status: int, code: str) -> dict[str, Any]:
    assert response.status == status, await response.text()
    assert response.content_type == "application/problem+json"
    document = await response.json()
    shapes.ProblemDocument.model_validate(document)
    assert (document["status"], document["code"]) == (status, code)
    assert document["remedy"]
    return dict(document)


async def test_an_order_is_answered_with_its_ids_once_kafka_has_it(world: Any, client: Any) -> None:
    response = await client.post("/api/order", json=DOCUMENT)
    assert response.status == 202
    answer = await response.json()
    prepared = world.prepared(DOCUMENT)
    assert answer == {
        "id": prepared.order_id,
        "order_reference": answer["order_reference"],
        "status": "submitted",
        "external_id": "E-1",
        "subscriptionReference": prepared.subscription_reference,
        "owner": prepared.owner,
        "token": f"o{prepared.order_id}",
    }
    shapes.OrderAnswer.model_validate(answer)
    assert response.headers["Location"] == f"/api/orders/{prepared.order_id}"


async def test_the_record_is_the_body_as_it_came_keyed_by_its_lane(world: Any, client: Any) -> None:
    body = b'{ "external_id":  "E-1" }'
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await client.post("/api/order", data=body, headers={"traceparent": trace})
    [record] = world.orders.records
    assert record.value == body
    assert record.key.decode() == world.prepared({"external_id": "E-1"}).lane
    assert dict(record.headers) == {
        "waybill-tenant": b"default",
        "waybill-actor": b"local",
        "traceparent": trace.encode(),
        "waybill-config-version": b"7",
    }


async def test_an_order_without_external_id_is_known_by_its_idempotency_key(
    world: Any, client: Any
) -> None:
    key = {"Idempotency-Key": '"k-1"'}
    first = await (await client.post("/api/order", json={}, headers=key)).json()
    again = await (await client.post("/api/order", json={}, headers=key)).json()
    assert first == again
    assert dict(world.orders.records[0].headers)["waybill-identity"] == b"k-1"


async def test_an_order_without_any_identity_gets_one(world: Any, client: Any) -> None:
    first = await (await client.post("/api/order", json={})).json()
    other = await (await client.post("/api/order", json={})).json()
    assert first["id"] != other["id"]
    assert dict(world.orders.records[0].headers)["waybill-identity"].startswith(b"api-")


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        (b"{", (400, "malformed", None)),
        (b"", (400, "empty", None)),
        (b"[]", (400, "malformed", None)),
        (b"\x00\x00\x00\x03\xe7x", (400, "unknown_schema", None)),
        (b'{"order_type": "nwe"}', (422, "unknown_order_type", "/order_type")),
        (b'{"orderItems": {}}', (422, "malformed", "/orderItems")),
        (b'{"external_id": 7}', (422, "malformed", "/external_id")),
        (b'{"forSubscription": ["A", "B"]}', (422, "several_subscriptions", "/forSubscription")),
    ],
)
async def test_what_is_wrong_with_an_order_is_told_and_nothing_is_produced(
    world: Any, client: Any, body: bytes, refused: tuple[int, str, str | None]
) -> None:
    status, code, field = refused
    document = await problem(await client.post("/api/order", data=body), status, code)
    assert document["field"] == field
    assert world.orders.records == []


async def test_a_tenant_without_configuration_is_told_so(client: Any) -> None:
    response = await client.post("/api/order", json={}, headers={"waybill-tenant": "nobody"})
    await problem(response, 422, "no_configuration")


@pytest.mark.parametrize("over", [0, 1])
async def test_an_order_may_have_one_mebibyte_and_no_byte_more(client: Any, over: int) -> None:
    empty = orjson.dumps({"external_id": "E", "note": ""})
    body = orjson.dumps({"external_id": "E", "note": "x" * ((1 << 20) - len(empty) + over)})
    response = await client.post("/api/order", data=body)
    if over:
        document = await problem(response, 413, "oversize")
        assert "1048576" in document["detail"]
    else:
        assert response.status == 202


async def test_an_oversize_body_without_length_is_refused_too(client: Any) -> None:
    async def body() -> Any:
        for _ in range(40):
            yield b"x" * 32768

    await problem(await client.post("/api/order", data=body()), 413, "oversize")


async def test_the_same_order_again_gets_the_same_answer_and_produces_nothing(
    world: Any, client: Any
) -> None:
    first = await (await client.post("/api/order", json=DOCUMENT)).json()
    world.accept(DOCUMENT)
    again = await client.post("/api/order", json=DOCUMENT)
    assert (again.status, await again.json()) == (202, first)
    assert len(world.orders.records) == 1


async def test_another_body_under_the_same_external_id_is_refused(world: Any, client: Any) -> None:
    world.accept(DOCUMENT)
    response = await client.post("/api/order", json={**DOCUMENT, "country": "FR"})
    document = await problem(response, 409, "external_id_conflict")
    assert document["field"] == "/external_id"
    assert world.orders.records == []


async def test_the_same_external_id_in_another_lane_is_refused(world: Any, client: Any) -> None:
    world.accept(DOCUMENT)
    response = await client.post("/api/order", json={**DOCUMENT, "forSubscription": "SUB-9"})
    await problem(response, 409, "external_id_conflict")
    assert world.orders.records == []


async def test_another_body_under_the_same_idempotency_key_is_refused(
    world: Any, client: Any
) -> None:
    world.accept({"country": "GB"})
    response = await client.post(
        "/api/order", json={"country": "FR"}, headers={"Idempotency-Key": "i"}
    )
    document = await problem(response, 409, "external_id_conflict")
    assert document["field"] == "Idempotency-Key"


async def test_without_kafka_nothing_is_taken_and_the_caller_may_repeat(
    world: Any, client: Any
) -> None:
    world.orders.reachable = False
    response = await client.post("/api/order", json={})
    await problem(response, 503, "kafka_unavailable")
    assert response.headers["Retry-After"]
    world.orders.reachable = True
    key = {"Idempotency-Key": response.headers["Idempotency-Key"]}
    assert (await client.post("/api/order", json={}, headers=key)).status == 202


async def test_an_outage_of_the_views_stops_no_order(world: Any, client: Any) -> None:
    with world.store.durable.begin() as connection:
        connection.exec_driver_sql("DROP TABLE v1_orders")
    assert (await client.post("/api/order", json=DOCUMENT)).status == 202
    assert len(world.orders.records) == 1


async def test_who_processes_immediately_gets_the_end_of_the_main_phase(
    world: Any, client: Any
) -> None:
    document = {**DOCUMENT, "process_immediately": True}

    async def work(_record: Any) -> None:
        prepared = world.accept(document)
        done = (
            StepSucceeded(step="salesforceV3", attempt=1, output={}),
            StepSucceeded(step="zuora", attempt=1, output={}),
        )
        world.go_on(prepared, *done, MainPhaseCompleted(expected=3))

    world.orders.then = work
    response = await client.post("/api/order", json=document)
    answer = await response.json()
    assert (response.status, answer["status"]) == (200, "post_processing")
    assert "error" not in answer


async def test_a_failed_order_is_answered_with_words_for_the_buyer(world: Any, client: Any) -> None:
    async def work(_record: Any) -> None:
        prepared = world.accept(DOCUMENT)
        world.go_on(
            prepared,
            StepFailed(step="salesforceV3", attempt=1, failure=DECLINED),
            OrderFailed(expected=2, step="salesforceV3", plugin="salesforceV3", failure=DECLINED),
        )

    world.orders.then = work
    response = await client.post("/api/order", json=DOCUMENT, headers={"Prefer": "wait=10"})
    answer = await response.json()
    assert (response.status, answer["status"]) == (200, "failed")
    assert answer["error"] == {"code": "card_declined", "buyer_message": "Sorry."}
    shapes.OrderAnswer.model_validate(answer)


async def test_an_order_that_takes_longer_than_asked_is_told_where_to_look(client: Any) -> None:
    document = {**DOCUMENT, "process_immediately": True}
    began = datetime.now(UTC)
    response = await client.post("/api/order", json=document, headers={"Prefer": "wait=1"})
    assert (datetime.now(UTC) - began).total_seconds() < 2
    assert response.status == 202
    assert (await response.json())["status"] == "submitted"
    assert response.headers["Location"].startswith("/api/orders/order-")


async def test_the_loser_of_a_race_is_not_told_how_the_winner_went(world: Any, client: Any) -> None:
    async def lose(_record: Any) -> None:
        prepared = world.accept({**DOCUMENT, "country": "FR"})
        failed = StepFailed(step="salesforceV3", attempt=1, failure=DECLINED)
        end = OrderFailed(expected=2, step="salesforceV3", plugin="x", failure=DECLINED)
        world.go_on(prepared, failed, end)

    world.orders.then = lose
    response = await client.post("/api/order", json=DOCUMENT, headers={"Prefer": "wait=5"})
    await problem(response, 409, "external_id_conflict")


async def test_many_who_wait_cost_one_look_at_a_time(client: Any) -> None:
    looks = 0

    async def wait(number: int) -> int:
        document = {"external_id": f"W-{number}"}
        response = await client.post("/api/order", json=document, headers={"Prefer": "wait=1"})
        return int(response.status)

    api = client.app[API]
    ask = api.reader.ask

    async def counted(question: Any) -> Any:
        nonlocal looks
        looks += 1
        return await ask(question)

    api.reader.ask = counted
    statuses = await asyncio.gather(*(wait(number) for number in range(50)))
    assert set(statuses) == {202}
    assert looks < 50 + 150  # one before each is produced, then one per tick for all
