"""Commands to many orders over REST, what needs a person, and stages."""

import asyncio
from typing import Any

import pytest

from schemas.events import OrderReopened
from schemas.order_commands import read_command
from tests.unit.api.test_api_commands import WHY, failed_order, received
from waybill.api.operating_shapes import (
    AttentionPage,
    BulkPreview,
    BulkProgress,
    StagesPage,
)

RETRY = {"command": "retry", "filter": {"status": "failed"}, **WHY}


async def asked(client: Any, body: Any, **headers: str) -> tuple[int, Any]:
    response = await client.post("/api/commands", json=body, headers=headers)
    return response.status, await response.json()


async def progress(client: Any, bulk: str) -> BulkProgress:
    response = await client.get(f"/api/commands/bulk/{bulk}")
    return BulkProgress.model_validate(await response.json())


async def sent(world: Any, client: Any, bulk: str) -> list[Any]:
    while (await progress(client, bulk)).status == "sending":  # noqa: ASYNC110 (another's doing)
        await asyncio.sleep(0.01)
    return [read_command(record.value) for record in world.orders.records]


async def test_a_preview_says_how_many_and_which_and_does_nothing(world: Any, client: Any) -> None:
    orders = [failed_order(world, f"E-{n}") for n in range(25)]
    world.accept({"external_id": "well"})
    status, answer = await asked(client, {**RETRY, "preview": True})
    preview = BulkPreview.model_validate(answer)
    assert (status, preview.matched, len(preview.some)) == (200, 25, 20)
    [group] = preview.groups
    assert group.model_dump() == {
        "status": "failed",
        "plugin": "salesforceV3",
        "code": "declined",
        "orders": 25,
    }
    assert {one.id for one in preview.some} <= {order.order_id for order in orders}
    assert "salesforceV3" in preview.some[0].next_action
    assert world.orders.records == []


async def test_a_bulk_asks_each_order_under_an_id_that_follows_from_both(
    world: Any, client: Any
) -> None:
    orders = {failed_order(world, f"E-{n}").order_id for n in range(12)}
    status, begun = await asked(client, {**RETRY, "id": "b-1"})
    assert (status, BulkProgress.model_validate(begun).matched) == (202, 12)
    commands = await sent(world, client, "b-1")
    assert {command.order for command in commands} == orders
    assert {command.id for command in commands} == {f"b-1/{order}" for order in orders}
    assert (await progress(client, "b-1")).status == "deciding"


async def test_progress_counts_the_answers(world: Any, client: Any) -> None:
    first, second = (failed_order(world, f"E-{n}") for n in range(2))
    await asked(client, {**RETRY, "id": "b-2"})
    await sent(world, client, "b-2")
    world.go_on(first, received(f"b-2/{first.order_id}"))
    world.go_on(
        first,
        OrderReopened(expected=4, step="salesforceV3", command=f"b-2/{first.order_id}"),
    )
    found = await progress(client, "b-2")
    assert (found.sent, found.applied, found.pending, found.status) == (2, 1, 1, "deciding")
    assert found.rate_per_s is not None
    world.go_on(second, received(f"b-2/{second.order_id}"))
    world.go_on(
        second,
        OrderReopened(expected=4, step="salesforceV3", command=f"b-2/{second.order_id}"),
    )
    by_query = await (await client.get("/api/commands?bulk=b-2")).json()
    assert (by_query["applied"], by_query["status"], by_query["eta_s"]) == (2, "done", 0.0)
    one = await client.get(f"/api/commands/b-2%2F{first.order_id}")
    assert (await one.json())["bulk"] == "b-2"


async def test_another_process_knows_a_bulk_by_its_answers(world: Any, connect: Any) -> None:
    order = failed_order(world)
    client = await connect()
    assert (await client.get("/api/commands/bulk/b-3")).status == 404
    world.go_on(order, received(f"b-3/{order.order_id}"))
    found = await progress(client, "b-3")
    assert (found.matched, found.pending, found.status) == (None, 1, "deciding")


async def test_the_same_bulk_goes_on_and_another_one_needs_a_name_of_its_own(
    world: Any, client: Any
) -> None:
    failed_order(world)
    for _ in range(2):
        assert (await asked(client, {**RETRY, "id": "b-4"}))[0] == 202
        commands = await sent(world, client, "b-4")
    assert len(commands) == 2
    assert len({command.id for command in commands}) == 1
    status, problem = await asked(client, {**RETRY, "id": "b-4", "command": "cancel"})
    assert (status, problem["code"]) == (409, "bulk_id_conflict")


async def test_a_bulk_keeps_its_rate(world: Any, client: Any) -> None:
    for n in range(6):
        failed_order(world, f"E-{n}")
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asked(client, {**RETRY, "id": "b-5", "rate_per_s": 10})
    assert len(await sent(world, client, "b-5")) == 6
    assert loop.time() - began >= 0.4


async def test_a_bulk_waits_for_kafka(world: Any, client: Any) -> None:
    failed_order(world)
    world.orders.reachable = False
    await asked(client, {**RETRY, "id": "b-6"})
    await asyncio.sleep(0.2)
    assert (await progress(client, "b-6")).status == "sending"
    world.orders.reachable = True
    assert len(await sent(world, client, "b-6")) == 1


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"filter": {}}, "filter_missing", "/filter"),
        ({"filter": {"statuss": "failed"}}, "malformed", "/filter/statuss"),
        ({"filter": {"status": "broken"}}, "malformed", "/filter/status"),
        ({"command": "retri"}, "malformed", "/command"),
        ({"command": "resolve"}, "malformed", "/output"),
        ({"command": "amend"}, "malformed", "/changes"),
        ({"rate_per_s": 0}, "malformed", "/rate_per_s"),
        ({"id": "a/b"}, "malformed", "/id"),
    ],
)
async def test_a_bulk_that_makes_no_sense_is_refused(
    client: Any, change: dict[str, Any], code: str, field: str
) -> None:
    status, problem = await asked(client, {**RETRY, **change})
    assert (status, problem["code"], problem["field"]) == (422, code, field)


async def test_a_bulk_finds_orders_by_their_cause(world: Any, client: Any) -> None:
    failed_order(world)
    cause = {"attention": "failed", "plugin": "salesforceV3", "code": "declined"}
    _, fitting = await asked(client, {**RETRY, "filter": cause, "preview": True})
    _, other = await asked(client, {**RETRY, "filter": {**cause, "code": "x"}, "preview": True})
    assert (fitting["matched"], other["matched"]) == (1, 0)
    answer = AttentionPage.model_validate(await (await client.get("/api/attention")).json())
    [found] = answer.items
    assert (found.kind, found.plugin, found.code, found.orders) == (
        "failed",
        "salesforceV3",
        "declined",
        1,
    )


async def test_stages_show_counts_and_who_holds_them(world: Any, client: Any) -> None:
    failed_order(world)
    held = {"actor": "ada", "reason": "maintenance", "at": "2026-03-01T10:00:00+00:00"}
    world.controls.held = {"default": {"zuora@rest.example": held}, "acme": {"zuora": held}}
    answer = StagesPage.model_validate(await (await client.get("/api/stages")).json())
    by_name = {one.name: one for one in answer.items}
    assert (by_name["salesforceV3"].attempts, by_name["salesforceV3"].failed) == (1, 1)
    [stage] = by_name["zuora"].stages
    assert stage.held is not None
    assert (stage.id, stage.held.actor, stage.live) == ("zuora@rest.example", "ada", None)
    assert answer.controls_known
