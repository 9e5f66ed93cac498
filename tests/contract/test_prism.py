"""What the connectors send to Zuora and Salesforce, checked by Prism against strict documents.

These are the shipped examples and the seed's order; the journeys have theirs checked in
tests/journeys.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from plugins.api import Connector, Outcome, Reply, Request, Step
from plugins.connectors.platform_events import PlatformEventsOptions, platform_events
from plugins.connectors.salesforce_v3 import SalesforceOptions, salesforce_v3
from plugins.connectors.zuora import zuora
from plugins.connectors.zuora.options import ZuoraOptions
from tests.prism import KEY, SHARED, missing, violations

ROOT = Path(__file__).parents[2]
ORDERS = sorted([ROOT / "examples" / "order-new.json", *(ROOT / "examples/orders").glob("*.json")])
SEED = SHARED / "data" / "order-new.json"

ACCEPTED = {
    "id": "order-0f5c2d7e9b1a4c3f8e6d5a4b3c2d1e0f",
    "order_type": "new",
    "order_reference": "7Q2KX5M9ADLP",
    "subscriptionReference": "SUBK3V7Q2WXA",
    "owner": "id-41",
    "effective_date": "2026-11-20",
}
PLAN, FEE = "8ad09be48db5aba7018db604776d4854", "8ad09be48db5aba7018db60477724859"
ZUORA_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {
        "collectPayment": True,
        "apm": True,
        "paymentGateway": "Adyen UK",
        "paymentTerm": "Due Upon Receipt",
        "customFields": ["Source__c", "InitiatedSource__c", "lmo_offer__c"],
    },
    {"runBilling": False, "invoiceSeparately": False},
    {"accountNumber": "W-HARBOUR000001", "collectPayment": True},
)
SALESFORCE_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"includeBillingDetails": True, "allowDuplicates": True},
)
EVENT_OPTIONS: tuple[dict[str, Any], ...] = ({}, {"sendWholeOrder": True})


pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def _violations(client: httpx.Client, request: Request) -> str | None:
    """What Prism says against the request, as the transport would send it."""
    key = {"Idempotency-Key": KEY} if request.call else {}
    return violations(
        client,
        request.method,
        request.path,
        query=request.query,
        body=request.body,
        headers={**key, **(request.headers or {})},
    )


def _asked(connector: Connector, step: Step[Any], *, looking_up: bool = False) -> list[Request]:
    """All requests of the conversation. Its partner is scripted: Prism remembers nothing."""
    look_up = connector.look_up
    talk = look_up(step) if looking_up and look_up is not None else connector.perform(step)
    asked: list[Request] = []
    outcome: Outcome | None = None
    try:
        request = next(talk)
        while True:
            asked.append(request)
            request = talk.send(_reply(request))
    except StopIteration as end:
        outcome = end.value
    assert type(outcome).__name__ == "Done", outcome
    return asked


def _reply(request: Request) -> Reply:
    match request.path.split("/"):
        case ["", "object-query", *_]:
            return Reply(200, {"data": _plans((request.query or {})["filter[]"])})
        case ["", "v1", "orders", *_]:
            return Reply(200, _ordered(request.body or {}))
        case ["", "v1", "accounts", *_]:
            return Reply(200, {"success": True, "basicInfo": {"id": "8ad1"}})
        case [*_, "composite"]:
            parts = [
                {"referenceId": name, "httpStatusCode": 201, "body": {"id": "001"}}
                for name in ("account", "contact")
            ]
            return Reply(200, {"compositeResponse": parts})
        case _:
            return Reply(201, {"id": "e01", "success": True, "errors": []})


def _plans(wanted: str) -> list[dict[str, Any]]:
    names = wanted.split(":", 1)[1].strip("[]").split(",")
    kind = {"chargeType": "Recurring"}
    return [
        {
            "id": PLAN,
            "name": name,
            "productRatePlanCharges": [
                {
                    "id": FEE,
                    "name": "Fee",
                    "chargeModel": "Per Unit Pricing" if "Seats" in name else "Flat Fee Pricing",
                    **kind,
                }
            ],
        }
        for name in names
    ]


def _ordered(body: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {"orderNumber": ACCEPTED["order_reference"], "status": "Completed"}
    account = body.get("existingAccountNumber") or f"W-{ACCEPTED['order_reference']}"
    order = {**numbers, "existingAccountNumber": account, "subscriptions": []}
    return {"success": True, **numbers, "accountNumber": account, "order": order}


def _order(path: Path) -> dict[str, Any]:
    """As a step sees it; one of them with a quantity, so that prices per unit are sent too."""
    order = {**json.loads(path.read_bytes()), **ACCEPTED}
    if path.stem == "invoice-evergreen":
        order["orderItems"][0]["quantity"] = 5
    return order


def _step(name: str, path: Path, options: Any) -> Step[Any]:
    context = {"salesforceV3": {"crmId": "001xx000003DGb2AAG", "contactId": "003xx000004TMM2AAO"}}
    return Step(id=name, order=_order(path), options=options, context=context)


def _names(path: Path) -> str:
    return path.stem if path != SEED else "seed"


every_order = pytest.mark.parametrize("path", [*ORDERS, SEED], ids=_names)


@every_order
@pytest.mark.parametrize(
    "given", ZUORA_OPTIONS, ids=["default", "collecting", "unbilled", "existing account"]
)
def test_zuora_takes_what_a_new_order_sends(
    prisms: Mapping[str, httpx.Client], path: Path, given: dict[str, Any]
) -> None:
    step = _step("zuora", path, ZuoraOptions.model_validate(given))
    asked = _asked(zuora, step)
    assert (asked[0].method, asked[-1].method) == ("GET", "POST")
    assert {_violations(prisms["zuora"], request) for request in asked} == {None}


def test_zuora_takes_what_the_look_up_sends(prisms: Mapping[str, httpx.Client]) -> None:
    step = _step("zuora", ORDERS[0], ZuoraOptions())
    asked = _asked(zuora, step, looking_up=True)
    assert [_violations(prisms["zuora"], request) for request in asked] == [None, None]


@every_order
@pytest.mark.parametrize("given", SALESFORCE_OPTIONS, ids=["default", "with billing details"])
def test_salesforce_takes_account_and_contact(
    prisms: Mapping[str, httpx.Client], path: Path, given: dict[str, Any]
) -> None:
    """The composite, and each of its parts as a request of its own: it leaves bodies open."""
    step = _step("salesforceV3", path, SalesforceOptions.model_validate(given))
    [composite] = _asked(salesforce_v3, step)
    assert composite.body is not None
    parts = [
        Request(part["method"], part["url"], body=part.get("body"))
        for part in composite.body["compositeRequest"]
    ]
    asked = [composite, *parts]
    assert [_violations(prisms["salesforce"], request) for request in asked] == [None] * 3


@every_order
@pytest.mark.parametrize("given", EVENT_OPTIONS, ids=["default", "whole order"])
def test_salesforce_takes_the_platform_event(
    prisms: Mapping[str, httpx.Client], path: Path, given: dict[str, Any]
) -> None:
    step = _step("platformEvents", path, PlatformEventsOptions.model_validate(given))
    [event] = _asked(platform_events, step)
    assert _violations(prisms["salesforce"], event) is None


@pytest.mark.parametrize(
    ("partner", "request_"),
    [
        ("zuora", Request.post("/v1/orders", {"orderDate": "2026-11-20", "odd": 1}, call="c")),
        ("salesforce", Request.post("/services/data/v62.0/sobjects/E__e", {"odd": 1}, call="c")),
    ],
    ids=["zuora", "salesforce"],
)
def test_prism_refuses_what_is_wrong(
    prisms: Mapping[str, httpx.Client], partner: str, request_: Request
) -> None:
    """Or all of the above would say nothing."""
    said = _violations(prisms[partner], request_)
    assert said is not None
    assert "odd" in said
