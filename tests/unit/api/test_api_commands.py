"""Commands to one order over REST: checked, produced once, answered from the view."""

import asyncio
from typing import Any

import orjson
import pytest

from schemas.commands import CommandKind
from schemas.events import CommandReceived, CommandRejected, OrderFailed, OrderReopened, StepFailed
from schemas.order_commands import read_command
from tests.facts import reason
from waybill.api.operating_shapes import CommandsPage, CommandView

WHY = {"reason": "Zuora is back"}


def failed_order(world: Any, external_id: str = "E-1", **more: Any) -> Any:
    prepared = world.accept({"external_id": external_id, **more})
    world.go_on(
        prepared,
        StepFailed(step="salesforceV3", attempt=1, failure=reason()),
        OrderFailed(expected=2, step="salesforceV3", plugin="salesforceV3", failure=reason()),
    )
    return prepared


def received(command: str, **more: Any) -> CommandReceived:
    return CommandReceived(
        command=command, **{"kind": CommandKind.RETRY, "reason": "Zuora is back", **more}
    )


async def posted(client: Any, order: Any, body: Any, **headers: str) -> tuple[int, Any]:
    url = f"/api/orders/{order.order_id}/commands"
    response = await client.post(url, json=body, headers=headers)
    return response.status, await response.json()


async def test_a_command_goes_to_its_topic_with_who_asks(world: Any, client: Any) -> None:
    order = failed_order(world)
    body = {"command": "retry", "step": "salesforceV3", "config": "pinned", "id": "mine", **WHY}
    status, answer = await posted(client, order, body)
    assert (status, answer["status"], answer["token"]) == (202, "sent", "cmine")
    CommandView.model_validate(answer)
    [record] = world.orders.records
    assert record.topic == "order-commands"
    assert record.key == order.order_id.encode()
    assert dict(record.headers)["waybill-tenant"] == b"default"
    assert dict(record.headers)["waybill-actor"] == b"local"
    command = read_command(record.value)
    assert (command.id, command.order, command.lane) == ("mine", order.order_id, order.lane)
    assert (command.command, command.step, command.reason) == (
        CommandKind.RETRY,
        "salesforceV3",
        WHY["reason"],
    )


async def test_an_idempotency_key_names_the_command(world: Any, client: Any) -> None:
    order = failed_order(world)
    body = {"command": "cancel", **WHY}
    _, answer = await posted(client, order, body, **{"Idempotency-Key": '"k-1"'})
    assert answer["id"] == "k-1"
    status, problem = await posted(client, order, body, **{"Idempotency-Key": "k 1"})
    assert (status, problem["code"]) == (400, "bad_header")
    _, one = await posted(client, order, body)
    _, other = await posted(client, order, body)
    assert one["id"] != other["id"]


async def test_the_same_command_is_sent_once_and_answered_as_before(
    world: Any, client: Any
) -> None:
    order = failed_order(world)
    body = {"command": "retry", "id": "c-1", **WHY}
    world.go_on(order, received("c-1"))
    status, answer = await posted(client, order, body)
    assert (status, answer["status"]) == (202, "pending")
    world.go_on(order, OrderReopened(expected=4, step="salesforceV3", command="c-1"))
    status, answer = await posted(client, order, body)
    assert (status, answer["status"], answer["actor"]) == (200, "applied", "worker")
    assert world.orders.records == []
    status, problem = await posted(client, order, {**body, "command": "cancel"})
    assert (status, problem["code"]) == (409, "command_id_conflict")


async def test_who_waits_gets_the_answer(world: Any, client: Any) -> None:
    order = failed_order(world)
    body = {"command": "skip", "id": "c-2", **WHY}
    waiting = asyncio.create_task(posted(client, order, body, Prefer="wait=20"))
    while not world.orders.records:  # noqa: ASYNC110 (another's doing)
        await asyncio.sleep(0.01)
    world.go_on(order, received("c-2", kind=CommandKind.SKIP))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    world.go_on(
        order,
        CommandRejected(expected=4, command="c-2", code="no_such_step", reason="there is none"),
    )
    status, answer = await waiting
    assert (status, answer["status"]) == (200, "rejected")
    assert (answer["code"], answer["answer"]) == ("no_such_step", "there is none")
    assert answer["decided"]["token"] == "e3:4"


async def test_who_does_not_get_an_answer_in_time_asks_later(world: Any, client: Any) -> None:
    order = failed_order(world)
    body = {"command": "retry", "id": "c-3", **WHY}
    status, answer = await posted(client, order, body, Prefer="wait=1")
    assert (status, answer["status"]) == (202, "sent")
    assert (await client.get("/api/commands/c-3")).status == 404
    asked = asyncio.create_task(client.get("/api/commands/c-3?min_offset=cc-3"))
    world.go_on(order, received("c-3"))
    await asyncio.sleep(0.1)
    assert not asked.done()
    world.go_on(order, OrderReopened(expected=4, step="salesforceV3", command="c-3"))
    found = CommandView.model_validate(await (await asked).json())
    assert (found.status, found.order) == ("applied", order.order_id)
    listed = await client.get(f"/api/orders/{order.order_id}/commands")
    assert [one.id for one in CommandsPage.model_validate(await listed.json()).items] == ["c-3"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"command": "retri", **WHY}, "unknown_command", "/command"),
        ({"command": "retry"}, "malformed", "/reason"),
        ({"command": "retry", "reason": "  "}, "malformed", "/reason"),
        ({"command": "retry", "order": "another", **WHY}, "malformed", "/order"),
        ({"command": "retry", "output": {}, **WHY}, "malformed", "/output"),
        ({"command": "resolve", **WHY}, "malformed", "/output"),
        ({"command": "amend", **WHY}, "malformed", "/changes"),
        ({"command": "retry", "id": "a b", **WHY}, "malformed", "/id"),
        ({"command": "retry", "config": "newest", **WHY}, "malformed", "/config"),
        ({"command": "hold_stage", **WHY}, "malformed", "/stage"),
        ({"command": "amend", "changes": {"mode": "test"}, **WHY}, "unchangeable", "/changes/mode"),
        ({"command": "amend", "changes": {"mode": "x"}, **WHY}, "malformed", "/changes/mode"),
        ({"command": "amend", "changes": {"country": "GB"}, **WHY}, "nothing_changed", "/changes"),
    ],
)
async def test_what_no_order_would_take_is_refused_at_once(
    world: Any, client: Any, body: Any, code: str, field: str
) -> None:
    order = failed_order(world, country="GB")
    status, problem = await posted(client, order, body)
    assert (status, problem["code"], problem["field"]) == (422, code, field)
    assert problem["remedy"]
    assert world.orders.records == []


async def test_an_amendment_is_checked_with_the_sealed_sections(world: Any, client: Any) -> None:
    order = failed_order(world, customerDetails={"email": "ada@example.org", "firstName": "Ada"})
    same = {"command": "amend", "changes": {"customerDetails": {"firstName": "Ada"}}, **WHY}
    status, problem = await posted(client, order, same)
    assert (status, problem["code"]) == (422, "nothing_changed")
    other = {"command": "amend", "changes": {"customerDetails": {"firstName": "Eda"}}, **WHY}
    assert (await posted(client, order, other))[0] == 202
    world.vault.destroy("default", order.subject)
    status, problem = await posted(client, order, other)
    assert (status, problem["code"]) == (409, "erased")


async def test_only_orders_that_are_there_are_commanded(world: Any, client: Any) -> None:
    body = {"command": "retry", **WHY}
    for order_id in ("order-" + "0" * 32, "E-1"):
        response = await client.post(f"/api/orders/{order_id}/commands", json=body)
        assert response.status == 404
    theirs = world.accept({"external_id": "E-1"}, "acme")
    assert (await posted(client, theirs, body))[0] == 404
    assert world.orders.records == []


async def test_an_order_that_was_just_submitted_is_waited_for(world: Any, client: Any) -> None:
    token = world.prepared({"external_id": "E-9"}).order_id
    url = f"/api/orders/{token}/commands?min_offset=o{token}"
    asked = asyncio.create_task(client.post(url, json={"command": "pause", **WHY}))
    await asyncio.sleep(0.1)
    world.accept({"external_id": "E-9"})
    assert (await asked).status == 202


async def test_kafka_unreachable_is_a_503_that_can_be_repeated(world: Any, client: Any) -> None:
    order = failed_order(world)
    world.orders.reachable = False
    url = f"/api/orders/{order.order_id}/commands"
    response = await client.post(url, json={"command": "retry", **WHY})
    assert (response.status, (await response.json())["code"]) == (503, "kafka_unavailable")
    assert response.headers["Retry-After"]
    named = response.headers["Idempotency-Key"]
    world.orders.reachable = True
    _, answer = await posted(
        client, order, {"command": "retry", **WHY}, **{"Idempotency-Key": named}
    )
    assert answer["id"] == named


async def test_a_body_that_is_none_is_refused(world: Any, client: Any) -> None:
    order = failed_order(world)
    url = f"/api/orders/{order.order_id}/commands"
    for body in (b"{", b"[]", b""):
        response = await client.post(url, data=body)
        assert (response.status, (await response.json())["code"]) == (400, "malformed")
    large = orjson.dumps({"command": "retry", "reason": "x" * (2 << 20)})
    assert (await client.post(url, data=large)).status == 413


async def test_stages_are_held_and_released_by_way_of_the_commands(world: Any, client: Any) -> None:
    url = "/api/stages/zuora@rest.example/commands"
    response = await client.post(url, json={"command": "hold", "id": "h-1", **WHY})
    assert response.status == 202
    assert (await response.json())["stage"] == "zuora@rest.example"
    [record] = world.orders.records
    command = read_command(record.value)
    assert (record.topic, command.command.value, command.stage) == (
        "order-commands",
        "hold_stage",
        "zuora@rest.example",
    )
    for stage in ("zuoar", "zuora@", "@rest.example"):
        wrong = await client.post(f"/api/stages/{stage}/commands", json={"command": "hold", **WHY})
        assert (wrong.status, (await wrong.json())["code"]) == (422, "unknown_stage")
    bad = await client.post(url, json={"command": "stop", **WHY})
    assert (bad.status, (await bad.json())["field"]) == (422, "/command")
