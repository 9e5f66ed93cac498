"""What a command would do, over REST: told as the worker would do it, and nothing is written."""

from typing import Any

import pytest

from schemas.events import OrderPaused
from tests.unit.api.test_api_bulk import RETRY, asked
from tests.unit.api.test_api_commands import failed_order, received
from waybill.api.operating_shapes import BulkPreview, CommandPreview


async def previewed(client: Any, order: Any, body: Any) -> tuple[int, Any]:
    url = f"/api/orders/{order.order_id}/commands/preview"
    response = await client.post(url, json=body)
    return response.status, await response.json()


async def test_what_would_happen_is_told_and_nothing_is_written(world: Any, client: Any) -> None:
    order = failed_order(world)
    status, answer = await previewed(client, order, {"command": "retry", "reason": None})
    told = CommandPreview.model_validate(answer)
    assert (status, told.order, told.refused, told.step) == (200, order.order_id, None, None)
    assert told.consequences[:2] == [
        "Run 2 begins with step salesforceV3; what succeeded before keeps its results.",
        "Step salesforceV3 runs: salesforceV3 is called.",
    ]
    assert told.steps == ["salesforceV3", "zuora"]
    whole = {"command": "skip", "step": "salesforceV3", "reason": "because", "id": "c-1"}
    status, answer = await previewed(client, order, whole)
    assert (status, answer["step"]) == (200, "salesforceV3")
    assert any("zuora is called" in said for said in answer["consequences"])
    assert world.orders.records == []
    assert (await client.get("/api/commands/c-1")).status == 404


async def test_what_the_order_would_reject_is_told_with_its_code(world: Any, client: Any) -> None:
    order = failed_order(world)
    status, answer = await previewed(client, order, {"command": "resume"})
    assert (status, answer["code"], answer["consequences"]) == (200, "not_paused", [])
    assert answer["refused"] == "the order is not paused"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"command": "retri"}, "unknown_command"),
        ({"command": "pause", "step": "zuora"}, "malformed_member"),
        ({"command": "retry", "order": "another"}, "malformed_member"),
        ({"command": "hold_stage"}, "malformed_member"),
        ({"command": "amend", "changes": {"order_type": "cancel"}}, "unchangeable"),
    ],
)
async def test_what_would_not_be_sent_is_a_problem_as_when_it_is_sent(
    world: Any, client: Any, body: Any, code: str
) -> None:
    order = failed_order(world)
    status, problem = await previewed(client, order, body)
    url = f"/api/orders/{order.order_id}/commands"
    sent = await client.post(url, json={**body, "reason": "because"})
    assert (status, problem["code"]) == (sent.status, (await sent.json())["code"])
    assert status == 422, (problem, code)


async def test_an_order_of_somebody_else_is_not_there(world: Any, client: Any) -> None:
    theirs = world.accept({"external_id": "E-1"}, "acme")
    assert (await previewed(client, theirs, {"command": "retry"}))[0] == 404


async def test_a_preview_of_many_tells_of_the_first_ones(world: Any, client: Any) -> None:
    orders = [failed_order(world, f"E-{n}") for n in range(10)]
    world.go_on(orders[-1], received("p-1", kind="pause"), OrderPaused(expected=4, command="p-1"))
    _, answer = await asked(client, {**RETRY, "filter": {"q": "E-"}, "preview": True})
    some = BulkPreview.model_validate(answer).some
    told = [one for one in some if one.consequences is not None]
    assert len(told) == 8
    assert {one.id for one in told} == {one.id for one in some[:8]}
    assert all(one.consequences for one in told if one.refused is None)
    _, answer = await asked(client, {**RETRY, "command": "resume", "preview": True})
    refused = {one["code"] for one in answer["some"] if one["consequences"] is not None}
    assert refused == {"not_paused"}
    assert world.orders.records == []
