"""Subscriptions over HTTP: what a real projector made of orders, on both databases."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from schemas.commands import CommandKind, Revision
from schemas.events import (
    CommandReceived,
    MainPhaseCompleted,
    OrderAccepted,
    OrderAmended,
    OrderCompleted,
    StepDeferred,
    StepSucceeded,
)
from streams.core.intake import acceptance
from tests.unit.api.conftest import NOW, PARTITION, World
from waybill.api import build_api
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.api.subscription_shapes import (
    OneSubscription,
    SubscriptionsPage,
    SubscriptionTimeline,
)
from waybill.clock import random_bytes

QUARTERLY = {
    "name": "Quarterly",
    "quantity": 1,
    "offer": {
        "path": "/offers/Quarterly",
        "data": {"attributes": {"term__limio": {"length": 3, "type": "months"}}},
    },
}


def complete(world: World, document: dict[str, Any], tenant: str = "default", **zuora: Any) -> Any:
    prepared = world.accept(document, tenant)
    world.go_on(
        prepared,
        StepSucceeded(step="salesforceV3", attempt=1, output={"crmId": "CRM-1"}),
        StepSucceeded(step="zuora", attempt=1, output=zuora),
        MainPhaseCompleted(expected=3),
        OrderCompleted(expected=4, completion="order complete"),
    )
    return prepared


def buy(world: World, name: str, tenant: str = "default", **more: Any) -> str:
    bought = {"external_id": name, "orderItems": [QUARTERLY], **more}
    number = f"A-{name}"
    return str(complete(world, bought, tenant, accountNumber=number).subscription_reference)


def change(order_type: str, reference: str, **more: Any) -> dict[str, Any]:
    named = {"order_type": order_type, "forSubscription": reference, **more}
    return {"external_id": f"{order_type}-{reference}", **named}


@pytest.fixture
async def served(world_on_each: World) -> AsyncIterator[tuple[World, Any]]:
    async with TestClient(TestServer(build_api(world_on_each.services()))) as client:
        yield world_on_each, client


async def listed(client: Any, **query: str) -> list[str]:
    response = await client.get("/api/subscriptions", params=query)
    page = await response.json()
    assert response.status == 200, page
    SubscriptionsPage.model_validate(page)
    return [one["reference"] for one in page["items"]]


async def test_subscriptions_are_found_by_what_has_become_of_them(
    served: tuple[World, Any],
) -> None:
    world, client = served
    kept, ended, ending = (buy(world, name) for name in ("kept", "ended", "ending"))
    buy(world, "theirs", "other")
    waits = world.accept({"external_id": "waits", "owner": "id-7", "mode": "test"})
    for reference, day in ((ended, "2026-03-01"), (ending, "2026-06-01")):
        cancelled = change("cancel_subscription", reference)
        complete(world, cancelled, effectiveDate=day)
    complete(world, change("renew", kept, data={"autoRenew": True}))
    initial = waits.subscription_reference
    assert await listed(client) == [initial, ending, ended, kept]
    assert await listed(client, status="initial") == [initial]
    assert await listed(client, status="cancelled") == [ended]
    assert await listed(client, status="active") == [ending, kept]
    assert await listed(client, status="expired") == []
    assert await listed(client, owner="id-7", mode="test") == [initial]
    assert await listed(client, account="A-kept") == [kept]
    assert await listed(client, crm="CRM-1", offer="/offers/Quarterly") == [ending, ended, kept]
    assert await listed(client, q=kept[:5]) == [kept]
    assert await listed(client, to="2026-03-01T10:00:00Z") == []


async def test_pages_show_every_subscription_once(served: tuple[World, Any]) -> None:
    world, client = served
    bought = [buy(world, f"S-{number}") for number in range(5)]
    seen: list[str] = []
    cursor: dict[str, str] = {}
    for _ in range(3):
        page = await (
            await client.get("/api/subscriptions", params={"limit": "2", **cursor})
        ).json()
        seen += [one["reference"] for one in page["items"]]
        cursor = {"cursor": page["next"] or ""}
    assert seen == bought[::-1]
    response = await client.get("/api/subscriptions", params={"cursor": "nonsense"})
    problem = await response.json()
    assert (response.status, problem["code"], problem["field"]) == (400, "bad_query", "cursor")


async def test_one_subscription_tells_what_it_is_and_what_is_under_way(
    served: tuple[World, Any],
) -> None:
    world, client = served
    reference = buy(world, "one")
    moving = world.accept(change("change_offer", reference))
    response = await client.get(f"/api/subscriptions/{reference}")
    found = await response.json()
    OneSubscription.model_validate(found)
    assert (found["status"], found["orders"], found["last_type"]) == ("active", 1, "new")
    assert found["term"]["end"] == "2026-06-01"
    assert [(one["name"], one["from"], one["until"]) for one in found["items"]] == [
        ("Quarterly", "2026-03-01", None)
    ]
    assert found["numbers"] == {
        "salesforceV3": {"crmId": "CRM-1"},
        "zuora": {"accountNumber": "A-one"},
    }
    assert [one["id"] for one in found["open_orders"]] == [moving.order_id]
    orders = await (await client.get(f"/api/subscriptions/{reference}/orders")).json()
    assert [one["order_type"] for one in orders["items"]] == ["change_offer", "new"]
    for path in ("nobody", "nobody/orders", "nobody/timeline"):
        assert (await client.get(f"/api/subscriptions/{path}")).status == 404


async def test_its_timeline_is_that_of_all_its_orders(served: tuple[World, Any]) -> None:
    world, client = served
    reference = buy(world, "one")
    complete(world, change("renew", reference))
    buy(world, "other")
    path, told = f"/api/subscriptions/{reference}/timeline", []
    cursor: dict[str, str] = {}
    for _ in range(4):
        page = await (await client.get(path, params={"limit": "3", **cursor})).json()
        SubscriptionTimeline.model_validate(page)
        told += [(entry["type"], entry["sequence"]) for entry in page["items"]]
        cursor = {"cursor": page["next"] or ""}
    of_one = ["OrderCompleted", "MainPhaseCompleted", "StepSucceeded", "StepSucceeded"]
    assert [kind for kind, _ in told] == [*of_one, "OrderAccepted"] * 2
    assert [number for _, number in told] == [5, 4, 3, 2, 1] * 2


async def test_orders_of_several_partitions_make_one_subscription(
    served: tuple[World, Any],
) -> None:
    world, client = served
    reference = buy(world, "one")
    world.partition = PARTITION + 1
    cancelled = change("cancel_subscription", reference)
    complete(world, cancelled, effectiveDate="2026-02-01")
    assert await listed(client) == [reference]
    assert await listed(client, status="cancelled") == [reference]
    found = await (await client.get(f"/api/subscriptions/{reference}")).json()
    assert (found["orders"], found["last_type"]) == (2, "cancel_subscription")


async def test_what_is_sold_anew_is_found_under_its_own_number(world: World, client: Any) -> None:
    reference = buy(world, "one")
    complete(world, change("cancel_subscription", reference), effectiveDate="2026-02-01")
    renewed = {"subscriptionNumber": "S-2", "effectiveDate": "2026-03-01"}
    complete(world, change("renew", reference), **renewed)
    assert await listed(client, status="active") == ["S-2"]
    assert await listed(client, status="cancelled") == [reference]


async def test_an_amended_order_leaves_what_it_was_amended_to(world: World, client: Any) -> None:
    prepared = world.accept({"external_id": "E-1", "orderItems": [QUARTERLY]})
    amended = world.prepared({"external_id": "E-1", "orderItems": [{"name": "Yearly"}]})
    _amend(world, prepared, amended)
    found = await (await client.get(f"/api/subscriptions/{prepared.subscription_reference}")).json()
    assert [one["name"] for one in found["items"]] == ["Yearly"]


def _amend(world: World, prepared: Any, amended: Any) -> None:

    key = world.vault.made("default", [amended.subject])[amended.subject]
    fact = acceptance(amended, key, random_bytes(12), NOW).fact
    assert isinstance(fact, OrderAccepted)
    revision = Revision(
        config_version=fact.config_version,
        axes=fact.axes,
        waybill=fact.waybill,
        base=prepared.fingerprint,
        document=fact.document,
        sealed=fact.sealed,
        fingerprint=fact.fingerprint,
        changed=("orderItems",),
    )
    world.go_on(
        prepared,
        CommandReceived(command="c-1", kind=CommandKind.AMEND, reason="r", revision=revision),
        StepDeferred(step="salesforceV3", attempt=1, reason="command"),
        OrderAmended(expected=3, command="c-1"),
        StepSucceeded(step="salesforceV3", attempt=2, output={}),
        StepSucceeded(step="zuora", attempt=1, output={}),
        MainPhaseCompleted(expected=6),
        OrderCompleted(expected=7, completion="order complete"),
    )


async def test_what_partners_said_is_for_operators(world: World, connect: Any) -> None:
    reference = buy(world, "one")
    text, entry = new_api_key("default", [Scope.READ], random_bytes)
    world.keys = [ApiKey.model_validate(entry)]
    client, key = await connect(), {"Authorization": f"Bearer {text}"}
    page = await (await client.get(f"/api/subscriptions/{reference}/timeline", headers=key)).json()
    assert "CRM-1" not in str(page)
