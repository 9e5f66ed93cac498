"""Salesforce's stand-in and the partners without a vendor, over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from waybill.sandbox.testing import CREDENTIALS, Sandbox, running_sandbox

DATA = "/salesforce/services/data/v62.0"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as running:
        yield running


# Salesforce


async def test_salesforce_without_a_session_is_401(sandbox: Sandbox):
    status, errors = await sandbox.call("GET", f"{DATA}/query?q=x", Authorization="Bearer no")
    assert (status, errors[0]["errorCode"]) == (401, "INVALID_SESSION_ID")


async def test_the_instance_url_is_the_sandboxs_own(sandbox: Sandbox):
    async with sandbox.http.post("/salesforce/services/oauth2/token", data=CREDENTIALS) as reply:
        token = await reply.json()
        assert token["instance_url"] == f"{reply.url.origin()}/salesforce"
    assert "expires_in" not in token


async def test_an_upsert_says_whether_it_created(sandbox: Sandbox):
    path = f"{DATA}/sobjects/Account/Ext__c/c%2F1"
    status, made = await sandbox.call("PATCH", path, {"Name": "Ada"})
    assert (status, made["created"], made["errors"]) == (201, True, [])
    status, again = await sandbox.call("PATCH", path, {"Name": "Ada"})
    assert (status, again["created"], again["id"]) == (200, False, made["id"])
    assert await sandbox.effects(partner="salesforce") == [made["id"]]
    status, record = await sandbox.call("GET", f"{DATA}/sobjects/Account/{made['id']}")
    assert (status, record["Ext__c"]) == (200, "c/1")


async def test_an_update_by_id_is_204(sandbox: Sandbox):
    path = f"{DATA}/sobjects/Account/0015400000k3Y70AAE"
    assert (await sandbox.call("PATCH", path, {"Name": "Ada"}))[0] == 204
    status, errors = await sandbox.call("PATCH", f"{DATA}/sobjects/Account/nobody", {"Name": "A"})
    assert (status, errors[0]["errorCode"]) == (404, "NOT_FOUND")


def composite(contact: dict[str, Any]) -> dict[str, Any]:
    data = "/services/data/v62.0/sobjects"
    return {
        "allOrNone": True,
        "collateSubrequests": False,
        "compositeRequest": [
            {
                "method": "PATCH",
                "url": f"{data}/Account/Ext__c/c-1",
                "referenceId": "account",
                "body": {"Name": "Ada Byron"},
            },
            {
                "method": "PATCH",
                "url": f"{data}/Contact/Ext__c/c-1",
                "referenceId": "contact",
                "body": {"AccountId": "@{account.id}", **contact},
            },
        ],
    }


async def test_a_composite_hands_ids_on(sandbox: Sandbox):
    status, made = await sandbox.call("POST", f"{DATA}/composite", composite({"LastName": "B"}))
    account, contact = (part["body"] for part in made["compositeResponse"])
    assert (status, account["id"][:3], contact["id"][:3]) == (200, "001", "003")
    query = "SELECT Id, AccountId FROM Contact WHERE Ext__c='c-1' AND LastName='B' LIMIT 1"
    _, found = await sandbox.call("GET", f"{DATA}/query?q={query}")
    assert (found["totalSize"], found["done"]) == (1, True)
    assert found["records"][0]["AccountId"] == account["id"]


async def test_a_failed_part_takes_the_whole_composite_back(sandbox: Sandbox):
    status, made = await sandbox.call("POST", f"{DATA}/composite", composite({}))
    halted, failed = made["compositeResponse"]
    assert (status, halted["httpStatusCode"], failed["httpStatusCode"]) == (200, 400, 400)
    assert halted["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert failed["body"][0]["errorCode"] == "REQUIRED_FIELD_MISSING"
    assert await sandbox.effects() == []
    assert (await sandbox.call("GET", f"{DATA}/sobjects/Account/Ext__c/c-1"))[0] == 404


async def test_an_event_is_enqueued_each_time_under_the_id_it_carries(sandbox: Sandbox):
    event = {"Event_Id__c": "o-1:done", "Order_Id__c": "o-1"}
    for _ in range(2):
        status, made = await sandbox.call("POST", f"{DATA}/sobjects/Order_Event__e", event)
        assert (status, made["success"]) == (201, True)
        assert made["errors"][0]["statusCode"] == "OPERATION_ENQUEUED"
    assert len(await sandbox.effects(key="o-1:done", order="o-1")) == 2


@pytest.mark.parametrize("event", [{}, {"OrderId": "o-1"}, {"Payload__c": {"a": 1}}])
async def test_an_event_takes_flat_custom_fields_alone(sandbox: Sandbox, event: Any):
    assert (await sandbox.call("POST", f"{DATA}/sobjects/Order_Event__e", event))[0] == 400


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT Id", "MALFORMED_QUERY"),
        ("SELECT Id FROM Wish", "INVALID_TYPE"),
        ("SELECT Nickname FROM Account", "INVALID_FIELD"),
    ],
)
async def test_a_query_that_is_not_understood_is_refused(sandbox: Sandbox, query: str, code: str):
    status, errors = await sandbox.call("GET", f"{DATA}/query?q={query}")
    assert (status, errors[0]["errorCode"]) == (400, code)


# The partners without a vendor


async def test_a_callout_answers_the_same_for_the_same_key(sandbox: Sandbox):
    first = await sandbox.call("POST", "/callout/users", {"a": 1}, Idempotency_Key="k")
    assert await sandbox.call("POST", "/callout/users", {"a": 2}, Idempotency_Key="k") == first
    assert first[1].keys() == {"success", "id", "userId", "accountReference"}
    assert await sandbox.effects(key="k") == [first[1]["id"]]


async def test_below_keyless_a_repetition_is_not_recognised(sandbox: Sandbox):
    path, body = "/callout/keyless/x", {"a": 1}
    for _ in range(2):
        status, _answer = await sandbox.call("POST", path, body, Idempotency_Key="k")
        assert status == 200
    assert len(await sandbox.effects(partner="callout", key="k")) == 2


async def test_a_callout_that_is_no_json_object_is_refused(sandbox: Sandbox):
    assert (await sandbox.call("POST", "/callout/users", [1]))[0] == 400


@pytest.mark.parametrize("method", ["PUT", "POST"])
async def test_there_is_one_grant_per_subscription(sandbox: Sandbox, method: str):
    grant = {"tracking": {"subscription": "S-1"}, "entitlements": ["digital"]}
    path = "/entitlements/grants"
    assert (await sandbox.call(method, path, grant))[0] == 201
    assert (await sandbox.call(method, path, grant))[0] == 200
    assert len(await sandbox.effects(partner="entitlements")) == 1
    assert await sandbox.call("GET", f"{path}/S-1") == (200, grant)
    assert (await sandbox.call(method, path, {}))[0] == 422


async def test_a_webhook_is_kept_byte_for_byte_with_its_headers(sandbox: Sandbox):
    headers = {"webhook-id": "e-1", "webhook-signature": "v1,abc"}
    async with sandbox.http.post("/webhooks/shop", data=b'{ "a":1}', headers=headers) as reply:
        assert reply.status == 200
    _, received = await sandbox.call("GET", "/webhooks/shop")
    assert received["items"][0]["body"] == '{ "a":1}'
    assert received["items"][0]["headers"]["webhook-signature"] == "v1,abc"
    assert await sandbox.effects(key="e-1") == ["e-1"]


async def test_a_webhook_that_failed_is_taken_when_it_comes_again(sandbox: Sandbox):
    fault = {"partner": "webhooks", "mode": "status", "status": 410, "count": 1}
    assert (await sandbox.call("POST", "/_faults", fault))[0] in {200, 201}
    for status in (410, 200):
        async with sandbox.http.post("/webhooks/s", data=b"{}", headers={"webhook-id": "e-2"}) as r:
            assert r.status == status


async def test_livez_is_a_sign_of_life(sandbox: Sandbox):
    assert await sandbox.call("GET", "/livez") == (200, {"status": "ok"})
