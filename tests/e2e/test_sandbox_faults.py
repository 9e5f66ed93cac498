"""Keys, faults and the journal over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientError

from waybill.sandbox.testing import Sandbox, running_sandbox, zuora_order

DAY = 24 * 3600
DATA = "/salesforce/services/data/v62.0"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as running:
        yield running


async def create(sandbox: Sandbox, body: Any, key: str | None = None) -> tuple[int, Any]:
    headers = {"Idempotency_Key": key} if key else {}
    return await sandbox.call("POST", "/zuora/v1/orders", body, **headers)


def codes(answer: Any) -> list[int]:
    assert answer["success"] is False
    return [reason["code"] for reason in answer["reasons"]]


# Keys


async def test_a_repeated_key_gets_the_stored_answer_and_one_effect(sandbox: Sandbox):
    first = await create(sandbox, zuora_order(), "k")
    assert await create(sandbox, zuora_order(), "k") == first
    assert await sandbox.effects(key="k") == ["O-1"]
    summary = await sandbox.journal(summary="true")
    assert (summary["distinct_keys"], summary["repeated_calls"]) == (1, 1)
    assert summary["several_effects"] == []


async def test_a_stored_failure_is_repeated_even_when_the_body_is_mended(sandbox: Sandbox):
    failed = await create(sandbox, zuora_order(orderDate="today"), "k")
    assert failed[1]["success"] is False
    assert await create(sandbox, zuora_order(), "k") == failed
    assert (await create(sandbox, zuora_order(), "k2"))[1]["success"] is True


async def test_a_refusal_for_too_many_requests_is_stored_under_its_key(sandbox: Sandbox):
    await sandbox.fault("zuora", "status", status=429, count=1)
    status, answer = await create(sandbox, zuora_order(), "k")
    assert (status, answer["reasons"][0]["code"]) == (429, 70)
    assert "success" not in answer
    assert (await create(sandbox, zuora_order(), "k"))[0] == 429
    assert (await create(sandbox, zuora_order(), "k2"))[0] == 200


@pytest.mark.parametrize("status", [401, 408, 502, 503, 504])
async def test_what_is_said_in_front_of_zuora_is_not_stored(sandbox: Sandbox, status: int):
    await sandbox.fault("zuora", "status", status=status, count=1)
    assert (await create(sandbox, zuora_order(), "k"))[0] == status
    assert (await create(sandbox, zuora_order(), "k"))[1]["success"] is True


async def test_a_key_is_in_conflict_while_its_first_request_runs(sandbox: Sandbox):
    await sandbox.fault("zuora", "delay", delay_ms=300, count=1)
    first = asyncio.create_task(create(sandbox, zuora_order(), "k"))
    await asyncio.sleep(0.1)
    assert (await create(sandbox, zuora_order(), "k"))[0] == 409
    made = await first
    assert made[1]["success"] is True
    assert await create(sandbox, zuora_order(), "k") == made


async def test_a_key_belongs_to_one_url_and_method(sandbox: Sandbox):
    await create(sandbox, zuora_order(), "k")
    status, _ = await sandbox.call("POST", "/zuora/v1/accounts", {}, Idempotency_Key="k")
    assert status == 422


async def test_a_key_is_forgotten_after_24_hours(sandbox: Sandbox):
    await create(sandbox, zuora_order(), "k")
    sandbox.time += DAY
    await sandbox.sign_in()
    _, answer = await create(sandbox, zuora_order(), "k")
    assert 53100330 in codes(answer)


# Faults


async def test_cut_after_has_its_effect_exactly_once(sandbox: Sandbox):
    await sandbox.fault("zuora", "cut_after", path="/v1/orders", count=1)
    with pytest.raises(ClientError):
        await create(sandbox, zuora_order(), "k")
    assert (await create(sandbox, zuora_order(), "k"))[1]["success"] is True
    cut, repeated = (await sandbox.journal(key="k"))["items"]
    assert (cut["status"], cut["effect"]) == (None, "O-1")
    assert (repeated["status"], repeated["effect"]) == (200, None)


async def test_cut_before_has_no_effect(sandbox: Sandbox):
    await sandbox.fault("zuora", "cut_before", count=1)
    with pytest.raises(ClientError):
        await create(sandbox, zuora_order(), "k")
    assert await sandbox.effects() == []
    assert (await create(sandbox, zuora_order(), "k"))[1]["success"] is True


async def test_a_hanging_call_is_journaled_at_once_and_has_no_effect(sandbox: Sandbox):
    await sandbox.fault("callout", "hang", count=1)
    hanging = asyncio.create_task(sandbox.call("POST", "/callout/users", {}))
    await asyncio.sleep(0.1)
    (entry,) = (await sandbox.journal(partner="callout"))["items"]
    assert (entry["status"], entry["effect"]) == (None, None)
    hanging.cancel()
    assert (await sandbox.call("POST", "/callout/users", {}))[0] == 200


async def test_faults_are_listed_with_their_hits_and_cleared(sandbox: Sandbox):
    await sandbox.fault("salesforce", "status")
    status, answer = await sandbox.call("GET", f"{DATA}/query?q=x")
    assert (status, answer[0]["errorCode"]) == (503, "SERVER_UNAVAILABLE")
    _, listed = await sandbox.call("GET", "/_faults")
    assert listed["items"][0] | {"struck": 1} == listed["items"][0]
    assert (await sandbox.call("DELETE", "/_faults"))[0] == 204
    assert (await sandbox.call("GET", f"{DATA}/query?q=x"))[0] == 400


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"partner": "zuora", "mode": "explode"}, "mode"),
        ({"partner": "zuora", "mode": "delay"}, "delay_ms"),
        ({"partner": "zuora", "mode": "hang", "status": 500}, "status"),
        ({"partner": "zuora", "mode": "hang", "rate": 7}, "rate"),
        ([], "(body)"),
    ],
)
async def test_a_fault_that_is_not_understood_is_a_problem_naming_the_field(
    sandbox: Sandbox, body: Any, field: str
):
    status, problem = await sandbox.call("POST", "/_faults", body)
    assert (status, problem["status"], problem["errors"][0]["field"]) == (400, 400, field)


# The journal


async def test_the_journal_pages_and_empties(sandbox: Sandbox):
    for number in range(5):
        await sandbox.call("POST", "/callout/users", {"order": {"id": f"o-{number}"}})
    first = await sandbox.journal(partner="callout", limit="3")
    rest = await sandbox.journal(partner="callout", limit="3", after=first["next"])
    found = [item["order"] for item in first["items"] + rest["items"]]
    assert (found, rest["next"]) == ([f"o-{number}" for number in range(5)], None)
    assert (await sandbox.call("DELETE", "/_journal"))[0] == 204
    assert (await sandbox.journal())["items"] == []


async def test_what_is_taken_from_the_journal_is_no_longer_there(sandbox: Sandbox):
    await sandbox.call("DELETE", "/_journal")
    for number in range(3):
        await sandbox.call("POST", "/callout/x", {"a": 1}, Idempotency_Key=f"k{number}")
    _, first = await sandbox.call("POST", "/_journal/take?limit=2")
    _, rest = await sandbox.call("POST", "/_journal/take?limit=2")
    assert [entry["key"] for entry in first["items"]] == ["k0", "k1"]
    assert [entry["key"] for entry in rest["items"]] == ["k2"]


async def test_an_unknown_filter_is_a_problem_naming_it(sandbox: Sandbox):
    problem = await sandbox.journal(partners="zuora")
    assert problem["errors"][0]["field"] == "partners"


@pytest.mark.parametrize(
    ("code", "status"), [(53100350, 200), (53100399, 200), (70, 429), (50000070, 429)]
)
async def test_a_reason_is_refused_in_zuoras_envelope_and_stored(
    sandbox: Sandbox, code: int, status: int
):
    await sandbox.fault("zuora", "reason", code=code, message="Not now.", method="POST", count=1)
    first = await create(sandbox, zuora_order(), "k")
    assert (first[0], first[1]["reasons"]) == (status, [{"code": code, "message": "Not now."}])
    assert await create(sandbox, zuora_order(), "k") == first
    assert (await create(sandbox, zuora_order(), "k2"))[1]["success"] is True


async def test_a_malformed_answer_comes_after_its_effect(sandbox: Sandbox):
    await sandbox.fault("zuora", "malformed", path="/v1/orders", count=1)
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        await create(sandbox, zuora_order())
    assert "O-1" in (await sandbox.state("zuora"))["orders"]


async def test_a_composite_is_refused_inside_its_answer(sandbox: Sandbox):
    await sandbox.fault("salesforce", "reason", code="UNABLE_TO_LOCK_ROW", path="*/composite")
    part = {"method": "GET", "url": "/services/data/v62.0/query?q=x", "referenceId": "one"}
    status, answer = await sandbox.call(
        "POST", f"{DATA}/composite", {"compositeRequest": [part], "allOrNone": True}
    )
    (only,) = answer["compositeResponse"]
    assert (status, only["httpStatusCode"]) == (200, 400)
    assert only["body"][0]["errorCode"] == "UNABLE_TO_LOCK_ROW"
