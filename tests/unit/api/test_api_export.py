"""The export: all orders as lines, in pages that nobody sees, cut off where it cannot go on."""

from typing import Any

import aiohttp
import orjson
import pytest
from sqlalchemy.exc import OperationalError

from projections.export_columns import EXPORTED
from schemas.events import OrderFailed, StepFailed
from schemas.steps import ErrorKind, Failure
from waybill.api import exporting
from waybill.api.app import API
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.clock import random_bytes

FAILURE = Failure(kind=ErrorKind.PERMANENT, code="refused", message="no", buyer_message="Sorry")


def five_orders(world: Any) -> None:
    for number in range(5):
        world.accept({"external_id": f"X-{number}", "orderItems": [{"name": f"Nº {number}"}]})
    failed = world.accept({"external_id": "X-F"})
    world.go_on(
        failed,
        StepFailed(step="zuora", attempt=1, failure=FAILURE),
        StepFailed(step="salesforceV3", attempt=1, failure=FAILURE),
        OrderFailed(expected=2, step="salesforceV3", plugin="salesforceV3", failure=FAILURE),
    )


async def lines(client: Any, **params: str) -> list[dict[str, Any]]:
    response = await client.get("/api/orders/export", params=params)
    assert response.status == 200
    assert response.content_type == "application/x-ndjson"
    return [orjson.loads(line) for line in (await response.read()).splitlines()]


async def test_every_order_is_a_line_with_all_columns(
    world: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    five_orders(world)
    rows = await lines(client)
    page = await (await client.get("/api/orders?limit=200")).json()
    assert [row["id"] for row in rows] == [order["id"] for order in page["items"]]
    for row, order in zip(rows, page["items"], strict=True):
        assert list(row) == [one.name for one in EXPORTED]
        same = row.keys() & order.keys()
        assert {name: row[name] for name in same} == {name: order[name] for name in same}
        assert row["subscription"] == order["subscriptionReference"]
    assert [row["external_id"] for row in await lines(client, status="failed")] == ["X-F"]
    assert len(await lines(client, q="x")) == 6


async def test_a_bad_filter_is_told_before_anything_is_sent(client: Any) -> None:
    response = await client.get("/api/orders/export?statu=failed")
    assert (response.status, (await response.json())["field"]) == (400, "statu")


async def test_a_store_that_goes_away_leaves_no_whole_answer(
    world: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "AT_ONCE", 2)
    five_orders(world)
    reading = client.server.app[API].services.reading
    exported = reading.exported

    def once(tenant: str, filters: Any, cursor: str | None, limit: int) -> Any:
        if cursor is not None:
            raise OperationalError("gone", {}, Exception("gone"))
        return exported(tenant, filters, cursor, limit)

    monkeypatch.setattr(reading, "exported", once)
    with pytest.raises(aiohttp.ClientError):
        await lines(client)


async def test_who_may_not_operate_learns_no_steps_of_failures(world: Any, connect: Any) -> None:
    five_orders(world)
    token, entry = new_api_key("default", [Scope.READ], random_bytes)
    world.keys = [ApiKey.model_validate(entry)]
    client = await connect()
    response = await client.get(
        "/api/orders/export?status=failed", headers={"Authorization": f"Bearer {token}"}
    )
    row = orjson.loads(await response.read())
    assert (row["error_code"], row["error_step"], row["error_plugin"]) == ("refused", None, None)
