"""Reading orders over HTTP."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from schemas.events import OrderFailed, StepFailed, StepSucceeded
from schemas.steps import Body, Callout, ErrorKind, Failure
from waybill.api import shapes
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.clock import random_bytes

FAILURE = Failure(
    kind=ErrorKind.PERMANENT, code="refused", message="their words", buyer_message="Sorry."
)
DOCUMENT = {"external_id": "E-1", "orderItems": [{"name": "Quarterly"}]}


def failed_order(world: Any, tenant: str = "default") -> Any:
    prepared = world.accept(DOCUMENT, tenant)
    callout = Callout(
        call="upsert",
        attempt=1,
        method="POST",
        url="https://partner.example/x",
        status=400,
        started_at=datetime(2026, 3, 1, 10, tzinfo=UTC),
        duration_ms=12.5,
        request=Body(text="{}", length=2, sha256="0" * 64),
        response=Body(text='"their words"', length=13, sha256="1" * 64),
    )
    world.go_on(
        prepared,
        StepFailed(step="salesforceV3", attempt=1, failure=FAILURE, callouts=(callout,)),
        OrderFailed(expected=2, step="salesforceV3", plugin="salesforceV3", failure=FAILURE),
    )
    return prepared


async def code(response: Any) -> tuple[int, str]:
    assert response.content_type == "application/problem+json"
    return response.status, (await response.json())["code"]


async def test_an_order_is_shown_with_its_steps(world: Any, client: Any) -> None:
    prepared = failed_order(world)
    response = await client.get(f"/api/orders/{prepared.order_id}")
    order = shapes.OrderView.model_validate(await response.json())
    assert order.status == "failed"
    assert [step.status for step in order.steps] == ["failed", "pending"]
    assert order.error is not None
    assert order.error.message == "their words"


@pytest.mark.parametrize("what", ["", "/timeline", "/process-events"])
@pytest.mark.parametrize("order_id", ["order-" + "0" * 32, "nonsense", "%00", "a%2Fb"])
async def test_what_is_not_there_is_not_found(client: Any, what: str, order_id: str) -> None:
    assert await code(await client.get(f"/api/orders/{order_id}{what}")) == (404, "not_found")


async def test_timeline_and_process_events_have_their_shapes(world: Any, client: Any) -> None:
    prepared = failed_order(world)
    at = f"/api/orders/{prepared.order_id}"
    timeline = shapes.Timeline.model_validate(await (await client.get(f"{at}/timeline")).json())
    assert [entry.type for entry in timeline.items] == [
        "OrderAccepted",
        "StepFailed",
        "OrderFailed",
    ]
    record = await (await client.get(f"{at}/process-events")).json()
    [run] = shapes.ProcessEvents.model_validate(record).items
    assert run.callouts[0].status == 400
    assert run.errors[0].message == "their words"


async def test_lists_go_on_by_cursor(world: Any, client: Any) -> None:
    for number in range(5):
        world.accept({"external_id": f"L-{number}"})
    seen, cursor = [], None
    for _ in range(3):
        params = {"limit": "2", **({"cursor": cursor} if cursor else {})}
        page = await (await client.get("/api/orders", params=params)).json()
        shapes.OrdersPage.model_validate(page)
        seen += [order["external_id"] for order in page["items"]]
        cursor = page["next"]
    assert sorted(seen) == [f"L-{number}" for number in range(5)]
    assert cursor is None


async def test_lists_are_filtered(world: Any, client: Any) -> None:
    failed_order(world)
    world.accept({"external_id": "E-2"})

    async def found(**params: str) -> list[str]:
        page = await (await client.get("/api/orders", params=params)).json()
        return [order["external_id"] for order in page["items"]]

    assert await found(status="failed") == ["E-1"]
    assert await found(external_id="E-2") == ["E-2"]
    assert await found(stage="zuora") == []
    assert await found(q="E-") == ["E-2", "E-1"]
    assert await found(to="2026-03-01T10:00:00Z") == []
    assert len(await found(**{"from": "2026-03-01T11:00:00+01:00"})) == 2


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"statsu": "failed"}, "statsu"),
        ({"status": "done"}, "status"),
        ({"limit": "1000"}, "limit"),
        ({"from": "2026-03-01T10:00:00"}, "from"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"q": "\x00"}, None),
    ],
)
async def test_a_query_that_cannot_be_used_names_its_parameter(
    client: Any, params: dict[str, str], field: str | None
) -> None:
    response = await client.get("/api/orders", params=params)
    document = await response.json()
    assert (response.status, document["code"], document["field"]) == (400, "bad_query", field)


async def test_every_answer_says_how_far_the_views_are(world: Any, client: Any) -> None:
    failed_order(world)
    for path in ("/api/orders", "/api/orders/nonsense", "/livez", "/nowhere"):
        await client.get("/api/orders")
        assert (await client.get(path)).headers["Waybill-Applied"] == "3:2,4:-1"


async def test_a_token_waits_until_the_view_holds_it(world: Any, client: Any) -> None:
    prepared = world.prepared(DOCUMENT)
    at = f"/api/orders/{prepared.order_id}?min_offset=o{prepared.order_id}"
    reading = asyncio.create_task(client.get(at))
    await asyncio.sleep(0.1)
    assert not reading.done()
    await asyncio.to_thread(world.accept, DOCUMENT)
    assert (await reading).status == 200
    assert (await client.get("/api/orders?min_offset=e3:0")).status == 200


async def test_a_token_that_the_view_does_not_reach_is_answered_after_5_s(
    world: Any, client: Any
) -> None:
    world.accept(DOCUMENT, "other")
    token = f"o{world.prepared(DOCUMENT, 'other').order_id}"
    ahead, foreign = await asyncio.gather(
        client.get("/api/orders?min_offset=e3:99"), client.get(f"/api/orders?min_offset={token}")
    )
    assert await code(ahead) == (503, "view_behind")
    assert await code(foreign) == (503, "view_behind")
    assert ahead.headers["Retry-After"]


@pytest.mark.parametrize("token", ["", "x", "c 12", "e3", "e-1:2", "oorder-1"])
async def test_a_token_of_another_kind_is_refused(client: Any, token: str) -> None:
    response = await client.get("/api/orders", params={"min_offset": token})
    assert await code(response) == (400, "bad_token")


async def test_who_may_not_operate_sees_no_words_of_partners(world: Any, connect: Any) -> None:
    prepared = failed_order(world, "acme")
    text, entry = new_api_key("acme", [Scope.READ], random_bytes)
    world.keys = [ApiKey.model_validate(entry)]
    client = await connect()
    headers = {"Authorization": f"Bearer {text}"}
    at = f"/api/orders/{prepared.order_id}"
    order = await (await client.get(at, headers=headers)).json()
    assert order["error"] == {"code": "refused", "buyer_message": "Sorry."}
    shapes.OrderView.model_validate(order)
    for path, shape in (
        (f"{at}/timeline", shapes.Timeline),
        (f"{at}/process-events", shapes.ProcessEvents),
        ("/api/orders", shapes.OrdersPage),
    ):
        response = await client.get(path, headers=headers)
        assert "their words" not in await response.text()
        shape.model_validate(await response.json())


async def test_the_configuration_in_use_is_shown(client: Any) -> None:
    response = await client.get("/api/processing-config")
    assert (await response.json())["version"] == 7
    other = await client.get("/api/processing-config", headers={"waybill-tenant": "nobody"})
    assert await code(other) == (404, "not_found")


async def event(stream: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    while True:
        line = (await asyncio.wait_for(stream.content.readline(), 5)).decode().rstrip("\n")
        if not line and found:
            return found
        name, _, value = line.partition(": ")
        found[name] = value


async def test_the_feed_follows_the_tenants_timeline_and_goes_on_where_it_was_left(
    world: Any, client: Any
) -> None:
    world.accept({"external_id": "before"})
    stream = await client.get("/api/events")
    assert stream.content_type == "text/event-stream"
    assert (await event(stream))["id"] == "3:0,4:-1"
    world.accept(DOCUMENT, "other")
    prepared = await asyncio.to_thread(world.accept, DOCUMENT)
    first = await event(stream)
    stream.close()
    assert (first["event"], first["id"]) == ("OrderAccepted", "3:2,4:-1")
    entry = shapes.FeedEntry.model_validate(orjson.loads(first["data"]))
    assert (entry.order, entry.sequence) == (prepared.order_id, 1)
    world.go_on(prepared, StepSucceeded(step="salesforceV3", attempt=1, output={"id": "1"}))
    again = await client.get("/api/events", headers={"Last-Event-ID": first["id"]})
    assert (await event(again))["id"] == "3:2,4:-1"
    second = await event(again)
    again.close()
    assert (second["event"], second["id"]) == ("StepSucceeded", "3:3,4:-1")


async def test_a_place_in_the_feed_that_is_none_is_refused(client: Any) -> None:
    response = await client.get("/api/events", headers={"Last-Event-ID": "yesterday"})
    assert await code(response) == (400, "bad_header")
