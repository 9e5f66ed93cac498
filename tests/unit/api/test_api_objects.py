"""Limio's objects: orders, events and process events in one envelope."""

from typing import Any

import pytest

from schemas.events import MainPhaseCompleted, OrderCompleted, StepFailed, StepSucceeded
from schemas.steps import ErrorKind, Failure
from waybill.api import limio_shapes
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.clock import random_bytes

ORDER = {
    "external_id": "E-1",
    "country": "GB",
    "customerDetails": {"email": "ada@example.org"},
    "orderItems": [{"name": "Quarterly"}],
    "total": {"currency": "GBP", "amount": "25.00"},
    "note": "for operators",
}
FAILURE = Failure(
    kind=ErrorKind.TRANSIENT, code="timeout", message="secret words", buyer_message="Sorry."
)


async def read(client: Any, path: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
    response = await client.get(f"/api/objects/limio/{path}", headers=headers)
    assert response.status == 200, await response.text()
    return dict(await response.json())


def digits(prepared: Any) -> str:
    return str(prepared.order_id).removeprefix("order-")


@pytest.mark.parametrize("path_type", ["orders", "order"])
async def test_an_order_is_an_object_with_what_was_bought(
    world: Any, client: Any, path_type: str
) -> None:
    prepared = world.accept(ORDER)
    found = await read(client, f"{path_type}/{prepared.order_id}")
    limio_shapes.LimioObject.model_validate(found)
    assert found["id"] == prepared.order_id
    assert (found["record_type"], found["service"], found["ref"]) == ("order", "limio", None)
    assert (found["status"], found["owner"], found["name"]) == (
        "submitted",
        prepared.owner,
        "order.new",
    )
    data = found["data"]
    assert data["orderItems"] == ORDER["orderItems"]
    assert data["total"] == ORDER["total"]
    assert data["subscriptionReference"] == prepared.subscription_reference
    assert data["note"] == "for operators"
    assert "customerDetails" not in data


async def test_who_does_not_operate_sees_no_member_that_is_not_known(
    world: Any, connect: Any
) -> None:
    prepared = world.accept(ORDER)
    world.go_on(prepared, StepFailed(step="salesforceV3", attempt=1, failure=FAILURE))
    text, entry = new_api_key("default", [Scope.READ], random_bytes)
    world.keys = [ApiKey.model_validate(entry)]
    client, key = await connect(), {"Authorization": f"Bearer {text}"}
    data = (await read(client, f"orders/{prepared.order_id}", key))["data"]
    assert "note" not in data
    assert data["orderItems"] == ORDER["orderItems"]
    process = await read(client, f"process/process_event-{digits(prepared)}", key)
    assert "secret words" not in str(process)
    assert process["data"]["errors"] == [
        {"name": "salesforceV3", "message": None, "code": "timeout"}
    ]


async def test_the_event_tells_of_the_order_and_its_subscription(world: Any, client: Any) -> None:
    prepared = world.accept({**ORDER, "order_type": "change_offer", "forSubscription": "SUB-1"})
    found = await read(client, f"events/event-{digits(prepared)}")
    limio_shapes.LimioObject.model_validate(found)
    assert (found["record_type"], found["ref"]) == ("event", prepared.order_id)
    data = found["data"]
    assert (data["type"], data["message"]) == ("order.change_offer", "Order Received")
    assert data["event"]["subscriptions"] == [{"id": "SUB-1"}]
    assert data["event"]["order_type"] == "change_offer"
    assert data["event"]["orderState"] == "submitted"


async def test_the_process_event_holds_callouts_errors_and_logs(world: Any, client: Any) -> None:
    prepared = world.accept(ORDER)
    world.go_on(prepared, StepSucceeded(step="salesforceV3", attempt=1, output={}))
    path = f"process/process_event-{digits(prepared)}"
    found = await read(client, path)
    limio_shapes.LimioObject.model_validate(found)
    assert found["record_type"] == "process_event"
    assert found["data"]["order"] == prepared.order_id
    assert set(found["data"]) == {"order", "run", "callouts", "errors", "logs"}
    own = await client.get(f"/api/orders/{prepared.order_id}/process-events")
    assert (await own.json())["items"][0]["id"] == found["id"]


@pytest.mark.parametrize(
    ("path_type", "prefix"),
    [("orders", "order"), ("events", "event"), ("process", "process_event")],
)
async def test_lists_are_summaries_in_pages(
    world: Any, client: Any, path_type: str, prefix: str
) -> None:
    orders = [world.accept({"external_id": f"E-{number}"}) for number in range(3)]
    first = await read(client, f"{path_type}?limit=2")
    limio_shapes.ObjectsPage.model_validate(first)
    last = await read(client, f"{path_type}?limit=2&queryMore={first['queryMore']}")
    items = [*first["items"], *last["items"]]
    assert [item["id"] for item in items] == [f"{prefix}-{digits(one)}" for one in reversed(orders)]
    assert last["queryMore"] is None
    assert not any("data" in item for item in items)


async def test_lists_can_be_narrowed(world: Any, client: Any) -> None:
    world.accept({"external_id": "E-1"})
    other = world.accept({"external_id": "E-2", "order_type": "renew", "forSubscription": "S"})
    for query in ("order_type=renew", "external_id=E-2"):
        found = await read(client, f"orders?{query}")
        assert [item["id"] for item in found["items"]] == [other.order_id]
    assert (await read(client, "orders?from=2026-03-01T11:00:00Z"))["items"] == []


@pytest.mark.parametrize(
    ("of", "others"),
    [
        ("order", ["event", "process_event"]),
        ("event", ["order", "process_event"]),
        ("process_event", ["order", "event"]),
    ],
)
async def test_each_object_leads_to_the_others_of_its_order(
    world: Any, client: Any, of: str, others: list[str]
) -> None:
    prepared = world.accept(ORDER)
    found = await read(client, f"{of}/{of}-{digits(prepared)}/related")
    limio_shapes.RelatedObjects.model_validate(found)
    assert [item["id"] for item in found["items"]] == [
        f"{one}-{digits(prepared)}" for one in others
    ]


async def test_what_is_not_there_or_not_kept_here_is_not_found(world: Any, client: Any) -> None:
    mine, theirs = world.accept(ORDER), world.accept(ORDER, "other")
    for path in (
        "limio/address",
        "limio/customers/nobody",
        "limio/subscriptions/nobody",
        "limio/subscriptions/nobody/related",
        "limio/customers/nobody/related",
        "zuora/orders",
        f"limio/orders/order-{'0' * 32}",
        f"limio/orders/{theirs.order_id}",
        f"limio/orders/{mine.order_id}x",
        f"limio/orders/event-{digits(mine)}",
        f"limio/orders/order-{digits(mine)}-1",
        f"limio/process/process_event-{digits(mine)}-2",
        f"limio/events/event-{digits(mine)}-1/related",
    ):
        response = await client.get(f"/api/objects/{path}")
        assert (response.status, (await response.json())["code"]) == (404, "not_found"), path


async def test_a_cursor_that_is_none_of_ours_is_refused(client: Any) -> None:
    response = await client.get("/api/objects/limio/orders?queryMore=x")
    problem = await response.json()
    assert (response.status, problem["code"], problem["field"]) == (400, "bad_query", "queryMore")


def opened(world: Any, name: str, owner: str) -> Any:
    """A subscription whose order is completed."""
    prepared = world.accept({**ORDER, "external_id": name, "owner": owner})
    world.go_on(
        prepared,
        StepSucceeded(step="salesforceV3", attempt=1, output={"crmId": f"CRM-{owner}"}),
        StepSucceeded(step="zuora", attempt=1, output={"accountNumber": f"A-{owner}"}),
        MainPhaseCompleted(expected=3),
        OrderCompleted(expected=4, completion="order complete"),
    )
    return prepared


async def test_a_subscription_is_an_object_with_its_offers(world: Any, client: Any) -> None:
    prepared = opened(world, "E-1", "id-1")
    reference = prepared.subscription_reference
    found = await read(client, f"subscriptions/{reference}")
    limio_shapes.LimioObject.model_validate(found)
    assert (found["record_type"], found["status"], found["ref"]) == (
        *("subscription", "active", prepared.order_id),
    )
    data = found["data"]
    assert (data["name"], data["start"], data["numbers"]["zuora"]) == (
        *("Quarterly", "2026-03-01", {"accountNumber": "A-id-1"}),
    )
    assert [(one["data"]["offer"]["name"], one["data"]["end"]) for one in data["offers"]] == [
        ("Quarterly", None)
    ]
    related = await read(client, f"subscription/{reference}/related")
    limio_shapes.RelatedObjects.model_validate(related)
    assert [(one["record_type"], one["id"]) for one in related["items"]] == [
        ("customer", "id-1"),
        ("order", prepared.order_id),
    ]


async def test_a_customer_is_what_its_subscriptions_tell(world: Any, client: Any) -> None:
    one, other = (opened(world, name, "id-1") for name in ("E-1", "E-2"))
    opened(world, "E-3", "id-2")
    found = await read(client, "customers/id-1")
    limio_shapes.LimioObject.model_validate(found)
    assert found["data"] == {
        "numbers": {"crmId": "CRM-id-1", "accountNumber": "A-id-1"},
        "subscriptions": [other.subscription_reference, one.subscription_reference],
        "orders": 2,
    }
    related = await read(client, "customer/id-1/related")
    assert [item["id"] for item in related["items"]] == found["data"]["subscriptions"]
    first = await read(client, "customers?limit=1")
    last = await read(client, f"customers?limit=1&queryMore={first['queryMore']}")
    limio_shapes.ObjectsPage.model_validate(last)
    assert [item["id"] for item in (*first["items"], *last["items"])] == ["id-1", "id-2"]
    assert last["queryMore"] is None


async def test_subscriptions_are_listed_by_status_and_time(world: Any, client: Any) -> None:
    references = [opened(world, f"E-{n}", "id-1").subscription_reference for n in range(2)]
    page = await read(client, "subscriptions?status=active&limit=1")
    more = await read(client, f"subscriptions?limit=1&queryMore={page['queryMore']}")
    assert [one["id"] for one in (*page["items"], *more["items"])] == references[::-1]
    assert (await read(client, "subscriptions?to=2026-03-01T10:00:00Z"))["items"] == []
    for query in (
        "subscriptions?order_type=new",
        "customers?status=active",
        "customers?queryMore=x",
    ):
        response = await client.get(f"/api/objects/limio/{query}")
        assert (response.status, (await response.json())["code"]) == (400, "bad_query")
