"""Plans and matrices by REST: over real orders of a real store, with sealed parts."""

import json
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from waybill.api import build_api
from waybill.api import planning_shapes as shapes
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.clock import random_bytes

AT = "/api/processing-config"
DRAFT: dict[str, Any] = {
    "sequence": [
        {"name": "salesforceV3"},
        {"name": "zuora", "when": "order.customerDetails.country == 'UK'"},
    ],
}
LINES = {"Accept": "application/x-ndjson"}


def sells(world: Any, count: int, **members: Any) -> list[str]:
    """So many orders; the ids of them."""
    return [
        world.accept(
            {
                "external_id": f"E-{members}-{number}",
                "customerDetails": {"email": f"{number}@example.com", "country": "UK"},
                **members,
            }
        ).order_id
        for number in range(count)
    ]


async def plan(client: Any, document: Any, **query: Any) -> Any:
    text = document if isinstance(document, str) else json.dumps(document)
    return await client.post(f"{AT}/plan", data=text, params=query)


async def test_a_draft_is_tried_on_the_last_orders_of_the_tenant_only(
    world_on_each: Any,
) -> None:
    world = world_on_each
    sells(world, 3)
    [abroad] = sells(world, 1, customerDetails={"email": "x@example.com", "country": "FR"})
    world.accept({"external_id": "other"}, "acme")
    async with TestClient(TestServer(build_api(world.services()))) as client:
        response = await plan(client, DRAFT)
        assert response.status == 200, await response.text()
        told = await response.json()
        found = shapes.ConfigPlan.model_validate(told)
        last = shapes.ConfigPlan.model_validate(await (await plan(client, DRAFT, last=2)).json())
    assert (found.version, found.orders, found.settings, found.route) == (7, 4, 3, 1)
    change = next(one for one in found.changes if one.kind == "route")
    assert (change.examples, change.removed) == ([abroad], ["zuora"])
    [use] = found.expressions
    assert (use.yes, use.no) == (3, 1)
    assert (last.orders, last.route) == (2, 1)
    assert "FR" not in json.dumps({**told, "expressions": []})


async def test_what_the_orders_say_of_the_draft_is_a_finding_at_its_line(
    world: Any, client: Any
) -> None:
    sells(world, 2)
    text = '{"sequence": [\n {"name": "zuora",\n  "when": "order.nothing"}],\n "overrides": [\n'
    text += '  {"order_type": "renew", "exclude": "zuora"}]}'
    found = shapes.ConfigPlan.model_validate(await (await plan(client, text)).json())
    told = {one.code: (one.line, one.path) for one in found.findings}
    assert told["never_matches"] == (3, "/sequence/0/when")
    assert told["override_unused"] == (5, "/overrides/0")
    assert "connection_missing" in told


async def test_its_progress_is_told_line_by_line(world: Any, client: Any) -> None:
    sells(world, 3)
    response = await client.post(f"{AT}/plan", data=json.dumps(DRAFT), headers=LINES)
    lines = [json.loads(line) for line in (await response.text()).splitlines()]
    assert response.content_type == "application/x-ndjson"
    assert lines[0] == {"done": 3, "of": 1000}
    assert shapes.ConfigPlan.model_validate(lines[-1]["plan"]).orders == 3


async def test_drafts_with_errors_are_refused_with_all_of_them(client: Any) -> None:
    response = await plan(client, {"sequence": [{"name": "zuroa"}]})
    told = await response.json()
    assert (response.status, told["code"]) == (422, "bad_configuration")
    assert told["findings"][0]["path"] == "/sequence/0/name"
    for last in (0, 10_001, "x"):
        assert (await plan(client, DRAFT, last=last)).status == 400


async def test_without_orders_there_is_nothing_to_say(client: Any) -> None:
    found = shapes.ConfigPlan.model_validate(await (await plan(client, DRAFT)).json())
    assert (found.orders, found.changes) == (0, [])
    assert {one.code for one in found.findings} == {"connection_missing"}


async def test_nothing_is_written_and_only_those_may_who_configure(
    world: Any, connect: Any
) -> None:
    key, reader = new_api_key("default", [Scope.READ], random_bytes)
    world.keys = [ApiKey.model_validate(reader)]
    client = await connect()
    headers = {"Authorization": f"Bearer {key}"}
    assert (await client.post(f"{AT}/plan", data="{}", headers=headers)).status == 403
    assert (await client.get(f"{AT}/matrix", headers=headers)).status == 200
    assert world.orders.records == []


async def test_the_matrix_of_a_version_and_of_one_kind_of_order(client: Any) -> None:
    found = shapes.ConfigMatrix.model_validate(await (await client.get(f"{AT}/matrix")).json())
    assert (found.version, len(found.cells)) == (7, len(found.axes["order_type"]))
    query = {"version": 7, "order_type": "submitted", "offer_type": "gift"}
    found = shapes.ConfigMatrix.model_validate(
        await (await client.get(f"{AT}/matrix", params=query)).json()
    )
    [cell] = found.cells
    assert (cell.order_type, cell.offer_type) == ("new", "gift")
    assert [one.id for one in cell.steps] == ["salesforceV3", "zuora"]
    assert (await client.get(f"{AT}/matrix", params={"version": 3})).status == 404
