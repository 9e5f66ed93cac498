"""Zuora's stand-in over HTTP: tokens, envelopes and the rules between orders."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from waybill.sandbox.testing import CREDENTIALS, Sandbox, running_sandbox, zuora_order

QUARTERLY = (
    "/zuora/object-query/product-rate-plans"
    "?filter[]=name.EQ:UK-UK A Quarterly&expand[]=productrateplancharges"
)


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


async def test_zuora_without_a_token_is_401_with_its_code(sandbox: Sandbox):
    status, answer = await sandbox.call("GET", "/zuora/v1/orders/O-1", Authorization="Bearer no")
    assert (status, codes(answer)) == (401, [90000011])


async def test_a_zuora_token_ends_after_its_lifetime(sandbox: Sandbox):
    sandbox.time += 3598
    assert (await create(sandbox, zuora_order()))[0] == 200
    sandbox.time += 1
    assert (await create(sandbox, zuora_order("2")))[0] == 401


@pytest.mark.parametrize(
    "change", [{"client_id": "short"}, {"client_secret": "x" * 43}, {"grant_type": "password"}]
)
async def test_zuora_credentials_of_the_wrong_shape_are_refused(
    sandbox: Sandbox, change: dict[str, str]
):
    async with sandbox.http.post("/zuora/oauth/token", data={**CREDENTIALS, **change}) as reply:
        assert reply.status == 401


async def test_the_journal_masks_the_client_secret(sandbox: Sandbox):
    (token, *_) = (await sandbox.journal(partner="zuora"))["items"]
    assert token["body"]["client_secret"] == "***"


async def test_an_order_brings_account_subscription_invoice_and_payment(sandbox: Sandbox):
    status, made = await create(sandbox, zuora_order())
    assert (status, made["success"], made["status"]) == (200, True, "Completed")
    assert made["subscriptions"] == [{"subscriptionNumber": "S-1", "status": "Active"}]
    assert made["invoiceNumbers"]
    assert isinstance(made["paidAmount"], str)
    _, account = await sandbox.call("GET", "/zuora/v1/accounts/WB-1")
    assert account["billingAndPayment"]["autoPay"] is True
    _, subscription = await sandbox.call("GET", "/zuora/v1/subscriptions/S-1")
    assert subscription["accountNumber"] == "WB-1"
    assert subscription["termEndDate"] == "2026-05-24"
    _, found = await sandbox.call("GET", "/zuora/v1/orders/O-1")
    assert found["order"]["existingAccountNumber"] == "WB-1"
    _, orders = await sandbox.call("GET", "/zuora/v1/orders/subscription/S-1")
    assert [one["orderNumber"] for one in orders["orders"]] == ["O-1"]
    _, methods = await sandbox.call("GET", "/zuora/v1/accounts/WB-1/payment-methods")
    assert [card["id"] for card in methods["creditcard"]] == ["8adca41e7c7cf49c017c84948c906d5e"]


async def test_a_date_left_out_leaves_the_order_pending(sandbox: Sandbox):
    body = zuora_order()
    body["subscriptions"][0]["orderActions"][0]["triggerDates"].pop()
    _, made = await create(sandbox, body)
    assert made["status"] == "Pending"
    assert made["subscriptions"][0]["status"] == "Pending Acceptance"


def without_account(body: dict[str, Any]) -> None:
    del body["newAccount"]


def with_both_accounts(body: dict[str, Any]) -> None:
    body["existingAccountNumber"] = "WB-1"


def with_an_unknown_account(body: dict[str, Any]) -> None:
    del body["newAccount"]
    body["existingAccountNumber"] = "WB-9"


def collecting_without_billing(body: dict[str, Any]) -> None:
    body["processingOptions"] = {"collectPayment": True}


def collecting_without_a_payment_method(body: dict[str, Any]) -> None:
    body["newAccount"] |= {"autoPay": False}
    del body["newAccount"]["hpmCreditCardPaymentMethodId"]


def with_an_unknown_member(body: dict[str, Any]) -> None:
    body["collectPayments"] = True


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (without_account, 53100320),
        (with_both_accounts, 53100320),
        (with_an_unknown_account, 53100340),
        (collecting_without_billing, 53100330),
        (collecting_without_a_payment_method, 53100330),
        (with_an_unknown_member, 53100321),
    ],
)
async def test_a_refused_order_has_a_code_and_changes_nothing(
    sandbox: Sandbox, spoil: Callable[[dict[str, Any]], None], code: int
):
    body = zuora_order()
    spoil(body)
    status, answer = await create(sandbox, body)
    assert (status, codes(answer)) == (200, [code])
    assert await sandbox.effects() == []
    assert (await sandbox.call("GET", "/zuora/v1/orders/O-1"))[0] == 404


@pytest.mark.parametrize(
    ("again", "message"),
    [
        ({"orderNumber": "O-1"}, "order number O-1 already exists"),
        ({"newAccount": zuora_order("1")["newAccount"]}, "account number WB-1 already exists"),
        (
            {"subscriptions": zuora_order("1")["subscriptions"]},
            "subscription number S-1 already exists",
        ),
    ],
)
async def test_a_number_is_taken_only_once(sandbox: Sandbox, again: Any, message: str):
    await create(sandbox, zuora_order("1"))
    _, answer = await create(sandbox, zuora_order("2", **again))
    assert codes(answer) == [53100330]
    assert message in answer["reasons"][0]["message"]


async def test_an_existing_account_can_order_again(sandbox: Sandbox):
    await create(sandbox, zuora_order("1"))
    body = zuora_order("2", existingAccountNumber="WB-1")
    without_account(body)
    _, made = await create(sandbox, body)
    assert made["accountNumber"] == "WB-1"


async def test_a_rate_plan_nobody_made_exists_when_asked_for_by_name(sandbox: Sandbox):
    path = QUARTERLY
    _, first = await sandbox.call("GET", path)
    _, made = await sandbox.call("GET", path.replace("UK-UK A Quarterly", "Brand new"))
    _, again = await sandbox.call("GET", path.replace("UK-UK A Quarterly", "Brand new"))
    assert [plan["name"] for plan in first["data"]] == ["UK-UK A Quarterly"]
    assert made == again
    assert made["data"][0]["productRatePlanCharges"]
    _, catalog = await sandbox.call("GET", "/zuora/v1/catalog/products")
    assert any(p["name"] == "Brand new" for x in catalog["products"] for p in x["productRatePlans"])


async def test_rate_plans_are_asked_for_by_list_and_bring_charges_only_when_expanded(
    sandbox: Sandbox,
):
    path = "/zuora/object-query/product-rate-plans?filter[]="
    _, found = await sandbox.call("GET", f"{path}name.IN:[UK-UK A Annual,Brand new]")
    assert [plan["name"] for plan in found["data"]] == ["UK-UK A Annual", "Brand new"]
    assert "productRatePlanCharges" not in found["data"][0]
    status, answer = await sandbox.call("GET", f"{path}name.LIKE:x")
    assert (status, answer["reasons"][0]["code"], "success" in answer) == (400, 50000023, False)


async def test_a_charge_must_belong_to_its_rate_plan(sandbox: Sandbox):
    path = QUARTERLY
    plan = (await sandbox.call("GET", path))[1]["data"][0]
    body = zuora_order()
    created = body["subscriptions"][0]["orderActions"][0]["createSubscription"]
    override = {
        "productRatePlanChargeId": plan["productRatePlanCharges"][0]["id"],
        "pricing": {"recurringFlatFee": {"listPrice": 25}},
    }
    created["subscribeToRatePlans"] = [
        {"productRatePlanId": plan["id"], "chargeOverrides": [override]}
    ]
    override["productRatePlanChargeId"] = "f" * 32
    assert codes((await create(sandbox, body))[1]) == [53100320]
    override["productRatePlanChargeId"] = plan["productRatePlanCharges"][0]["id"]
    assert (await create(sandbox, body))[1]["paidAmount"] == "25.00"


async def test_what_is_unknown_to_zuora_is_told_in_its_envelope(sandbox: Sandbox):
    status, answer = await sandbox.call("GET", "/zuora/v1/wishes")
    assert (status, codes(answer)) == (404, [50000040])
    status, answer = await sandbox.call("PATCH", "/zuora/v1/orders", {})
    assert (status, codes(answer)) == (405, [50000045])
    status, answer = await sandbox.call("GET", "/zuora/v1/accounts/WB-9")
    assert (status, codes(answer)) == (200, [50000040])


async def test_zuora_takes_no_broken_json_and_no_key_on_put(sandbox: Sandbox):
    headers = {
        "Authorization": f"Bearer {sandbox.tokens['zuora']}",
        "Content-Type": "application/json",
    }
    async with sandbox.http.post("/zuora/v1/orders", data=b"{", headers=headers) as reply:
        assert reply.status == 400
    keyed = {**headers, "Idempotency-Key": "k"}
    async with sandbox.http.put("/zuora/v1/accounts/WB-1", data=b"{}", headers=keyed) as reply:
        assert reply.status == 400


async def test_zuora_names_the_request_and_echoes_the_track_id(sandbox: Sandbox):
    headers = {"Authorization": f"Bearer {sandbox.tokens['zuora']}", "Zuora-Track-Id": "o-1"}
    async with sandbox.http.post("/zuora/v1/orders", json=zuora_order(), headers=headers) as reply:
        assert reply.headers["Zuora-Track-Id"] == "o-1"
        assert reply.headers["Zuora-Request-Id"]
    assert await sandbox.effects(order="o-1") == ["O-1"]
