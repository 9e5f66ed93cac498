"""Orders as they were: at an offset, at a moment; and what each answer stands on."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest

from projections.listing import OrderFilters
from schemas.commands import CommandKind
from schemas.events import CommandReceived, OrderPaused, StepDeferred, StepSucceeded
from waybill.api import shapes
from waybill.api.app import API

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
PARTITION = 3
DOCUMENT = {"external_id": "P-1", "orderItems": [{"name": "Quarterly"}]}


def paused_order(world: Any) -> Any:
    prepared = world.accept(DOCUMENT)
    world.go_on(
        prepared,
        StepSucceeded(step="salesforceV3", attempt=1, output={"accountId": "A-1"}),
        CommandReceived(command="c-1", kind=CommandKind.PAUSE, reason="the shop asked"),
        StepDeferred(step="zuora", attempt=1, reason="command"),
        OrderPaused(expected=4, command="c-1"),
    )
    return prepared


async def test_an_order_is_shown_as_it_was_after_each_of_its_events(
    world: Any, client: Any
) -> None:
    prepared = paused_order(world)
    at = f"/api/orders/{prepared.order_id}"
    seen = []
    for offset in range(5):
        order = await (await client.get(at, params={"as_of": f"e{PARTITION}:{offset}"})).json()
        shapes.OrderView.model_validate(order)
        seen.append((order["status"], order["as_of"]))
        timeline = await (
            await client.get(f"{at}/timeline", params={"as_of": f"{PARTITION}:{offset},4:-1"})
        ).json()
        assert len(timeline["items"]) == offset + 1
    assert seen == [
        ("submitted", f"e{PARTITION}:0"),
        ("processing", f"e{PARTITION}:1"),
        ("processing", f"e{PARTITION}:2"),
        ("processing", f"e{PARTITION}:3"),
        ("paused", f"e{PARTITION}:4"),
    ]
    now = await (await client.get(at)).json()
    assert order["next_action"] == now["next_action"]
    assert "the shop asked" in now["next_action"]
    assert {**order, "as_of": 0} == {
        **{k: v for k, v in now.items() if k != "commands"},
        "as_of": 0,
    }


async def test_a_moment_is_as_good_as_an_offset(world: Any, client: Any) -> None:
    prepared = paused_order(world)
    at = f"/api/orders/{prepared.order_id}"
    later, before = (NOW + timedelta(days=1)).isoformat(), (NOW - timedelta(days=1)).isoformat()
    shown = await (await client.get(f"{at}?as_of={quote(later)}")).json()
    assert shown["status"] == "paused"
    for what in ("", "/timeline", "/process-events"):
        response = await client.get(f"{at}{what}?as_of={quote(before)}")
        assert (response.status, (await response.json())["code"]) == (404, "not_found")


@pytest.mark.parametrize("given", ["", "yesterday", "e9:1", "0:1", "2026-03-01T10:00:00", "e3"])
async def test_an_as_of_that_says_nothing_is_refused(world: Any, client: Any, given: str) -> None:
    prepared = paused_order(world)
    world.offsets[9] = world.offsets[0] = 5
    with world.store.writer.begin() as connection:
        connection.exec_driver_sql("INSERT INTO applied_offsets VALUES (1, 9, 5), (1, 0, 5)")
    response = await client.get(f"/api/orders/{prepared.order_id}", params={"as_of": given})
    document = await response.json()
    assert (response.status, document["code"], document["field"]) == (400, "bad_query", "as_of")


async def test_what_an_answer_said_is_waited_for_by_the_next(world: Any, client: Any) -> None:
    world.accept(DOCUMENT)
    told = (await client.get("/api/orders")).headers["Waybill-Applied"]
    assert (await client.get("/api/orders", params={"min_offset": told})).status == 200
    reading = asyncio.create_task(client.get("/api/orders?min_offset=3:1,4:-1"))
    await asyncio.sleep(0.1)
    assert not reading.done()
    world.accept({"external_id": "P-2"})
    page = await (await reading).json()
    assert len(page["items"]) == 2


async def test_an_answer_tells_what_its_first_look_stood_on(world: Any, client: Any) -> None:
    world.accept(DOCUMENT)
    reader = client.server.app[API].reader

    async def request() -> Any:
        reader.begin()
        found = await reader.ask(lambda reading: reading.orders("default", OrderFilters(), None, 9))
        world.accept({"external_id": "P-2"})
        await asyncio.create_task(reader.ask(lambda _: None))
        await reader.ask(lambda _: None)
        return len(found["items"]), reader.answered

    assert await asyncio.create_task(request()) == (1, {3: 0, 4: -1})
    assert reader.applied == {3: 1, 4: -1}
