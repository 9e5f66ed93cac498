"""Previewing an order over HTTP: one answer out of what the plugins say, and nothing written."""

from typing import Any

import pytest

from schemas.steps import ErrorKind, Failure, WaybillStep
from streams.agents.previewing import Foreseen, UnforeseenError
from waybill.api import limio_shapes, shapes
from waybill.api.auth import ApiKey, Scope, new_api_key
from waybill.clock import random_bytes

CRM = WaybillStep(id="salesforceV3", plugin="salesforceV3", service="salesforce")
ZUORA = WaybillStep(id="zuora", plugin="zuora", service="zuora")
ORDER = {"order_type": "change_offer", "forSubscription": "SUB-1", "orderDate": "2026-03-20"}
MEMBERS = {
    "effectiveDate": "2026-04-01",
    "currency": "GBP",
    "futureCharges": [{"date": "2026-04-01", "amount": "55.00", "taxAmount": "5.00"}],
    "credits": [{"date": "2026-04-01", "amount": "12.50", "description": "Monthly"}],
    "warnings": ["moved to the end of the term"],
    "termEndDate": "2027-04-01",
}


async def test_what_plugins_say_becomes_one_answer_and_nothing_is_written(
    world: Any, client: Any
) -> None:
    world.foreseen = [Foreseen(CRM, None), Foreseen(ZUORA, MEMBERS)]
    response = await client.post("/api/order/preview", json=ORDER)
    answer = await response.json()
    assert response.status == 200
    limio_shapes.PreviewAnswer.model_validate(answer)
    assert answer == {
        "order_type": "change_offer",
        "mode": "production",
        "subscriptionReference": "SUB-1",
        "effectiveDate": "2026-04-01",
        "currency": "GBP",
        "futureCharges": [
            {"date": "2026-04-01", "amount": "55.00", "taxAmount": "5.00", "step": "zuora"}
        ],
        "credits": [
            {"date": "2026-04-01", "amount": "12.50", "description": "Monthly", "step": "zuora"}
        ],
        "warnings": ["moved to the end of the term"],
        "steps": [
            {"id": "salesforceV3", "plugin": "salesforceV3", "previewed": False, "more": {}},
            {
                "id": "zuora",
                "plugin": "zuora",
                "previewed": True,
                "more": {"termEndDate": "2027-04-01"},
            },
        ],
    }
    assert world.orders.records == []


async def test_a_plugin_that_says_little_is_enough(world: Any, client: Any) -> None:
    world.foreseen = [Foreseen(ZUORA, {"credits": None})]
    answer = await (await client.post("/api/order/preview", json=ORDER)).json()
    limio_shapes.PreviewAnswer.model_validate(answer)
    assert (answer["effectiveDate"], answer["currency"]) == ("2026-03-20", None)
    assert (answer["futureCharges"], answer["credits"], answer["warnings"]) == ([], [], [])


async def test_a_total_that_its_items_do_not_come_to_is_warned_of(world: Any, client: Any) -> None:
    world.foreseen = [Foreseen(ZUORA, MEMBERS)]
    price = {"amount": "55.00", "currency": "GBP"}
    order = {**ORDER, "orderItems": [{"price": price}], "total": {"amount": 45}}
    answer = await (await client.post("/api/order/preview", json=order)).json()
    assert answer["warnings"] == [
        "the items come to 55.00 GBP, the total says 45.00 GBP",
        "moved to the end of the term",
    ]


@pytest.mark.parametrize(
    ("changes", "code", "field"),
    [
        ({"forSubscription": None}, "subscription_required", "/forSubscription"),
        ({"order_type": "refund"}, "amount_required", "/total/amount"),
        (
            {"total": {"currency": "GBP"}, "orderItems": [{"price": {"currency": "EUR"}}]},
            "mixed_currencies",
            "/orderItems/0/price/currency",
        ),
    ],
)
async def test_what_is_wrong_with_a_change_or_its_money_is_named(
    client: Any, changes: dict[str, Any], code: str, field: str
) -> None:
    for path in ("/api/order/preview", "/api/order"):
        response = await client.post(path, json={**ORDER, **changes})
        problem = await response.json()
        assert (response.status, problem["code"], problem["field"]) == (422, code, field)
        assert problem["title"] != "The order is not taken", "codes have titles of their own"


async def test_an_order_that_would_be_refused_is_refused_here_too(client: Any) -> None:
    response = await client.post("/api/order/preview", json={"order_type": "nwe"})
    assert (response.status, (await response.json())["code"]) == (422, "unknown_order_type")
    response = await client.post("/api/order/preview", data=b"{")
    assert (response.status, (await response.json())["code"]) == (400, "malformed")


async def test_where_no_plugin_can_tell_that_is_said(world: Any, client: Any) -> None:
    world.foreseen = [Foreseen(CRM, None), Foreseen(ZUORA, {})]
    response = await client.post("/api/order/preview", json=ORDER)
    problem = await response.json()
    assert (response.status, problem["code"]) == (422, "no_preview")
    assert "salesforceV3, zuora" in problem["detail"]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [
        (ErrorKind.PERMANENT, 422, "preview_refused"),
        (ErrorKind.DECLINED, 422, "preview_refused"),
        (ErrorKind.MISCONFIGURED, 422, "preview_refused"),
        (ErrorKind.TRANSIENT, 502, "partner_failed"),
        (ErrorKind.CONTENTION, 503, "partner_busy"),
        (ErrorKind.RATE_LIMITED, 503, "partner_busy"),
    ],
)
async def test_a_step_that_fails_is_a_problem_that_says_whose(
    world: Any, client: Any, kind: ErrorKind, status: int, code: str
) -> None:
    failure = Failure(kind=kind, code="no_plan", message="no plan X", buyer_message="Sorry.")
    world.foreseen = UnforeseenError(ZUORA, failure, 6.2)
    response = await client.post("/api/order/preview", json=ORDER)
    problem = await response.json()
    shapes.ProblemDocument.model_validate(problem)
    assert (response.status, problem["code"], problem["detail"]) == (status, code, "no plan X")
    assert (problem["step"], problem["plugin"]) == ("zuora", "zuora")
    assert problem["error"] == {
        "code": "no_plan",
        "buyer_message": "Sorry.",
        "message": "no plan X",
    }
    assert response.headers.get("Retry-After") == (None if status == 422 else "7")


async def test_what_is_wrong_with_us_is_not_held_against_the_order(world: Any, client: Any) -> None:
    failure = Failure(
        kind=ErrorKind.MISCONFIGURED, code="secret_missing", message="no", buyer_message="Sorry."
    )
    world.foreseen = UnforeseenError(ZUORA, failure)
    response = await client.post("/api/order/preview", json=ORDER)
    assert (response.status, (await response.json())["code"]) == (502, "partner_failed")


async def test_who_does_not_operate_reads_words_for_buyers(world: Any, connect: Any) -> None:
    key = keyed(world, Scope.SUBMIT)
    failure = Failure(
        kind=ErrorKind.PERMANENT, code="no_plan", message="no plan X", buyer_message="Sorry."
    )
    world.foreseen = UnforeseenError(ZUORA, failure)
    client = await connect()
    response = await client.post("/api/order/preview", json=ORDER, headers=key)
    problem = await response.json()
    assert problem["detail"] == "Sorry."
    assert problem["error"] == {"code": "no_plan", "buyer_message": "Sorry."}
    key = keyed(world, Scope.READ)
    client = await connect()
    assert (await client.post("/api/order/preview", json=ORDER, headers=key)).status == 403


def keyed(world: Any, scope: Scope) -> dict[str, str]:
    text, entry = new_api_key("default", [scope], random_bytes)
    world.keys = [ApiKey.model_validate(entry)]
    return {"Authorization": f"Bearer {text}"}
