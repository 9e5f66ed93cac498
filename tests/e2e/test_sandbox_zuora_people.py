"""Accounts, contacts, payment methods, subscriptions and queries of the sandbox's Zuora."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.e2e.test_sandbox_zuora_money import ok, refused
from waybill.sandbox.testing import Sandbox, running_sandbox, zuora_change, zuora_order

CARD = "8adca41e7c7cf49c017c84948c906d5e"
OTHER = "8adca41e7c7cf49c017c84948c906d5f"
THIRD = "8adca41e7c7cf49c017c84948c906d60"
PERSON = {"firstName": "Ada", "lastName": "King", "country": "GB"}


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as running:
        await ok(running, "POST /v1/orders", zuora_order())
        yield running


async def test_a_contact_becomes_the_accounts_by_its_id(sandbox: Sandbox):
    body = {**PERSON, "zipCode": "N1 1AA", "accountNumber": "WB-1", "nickname": "wb-o1"}
    contact = (await ok(sandbox, "POST /v1/contacts", body))["id"]
    await ok(sandbox, "PUT /v1/accounts/WB-1", {"soldToContactId": contact})
    shown = await ok(sandbox, "GET /v1/accounts/WB-1")
    assert (shown["soldToContact"]["lastName"], shown["billToContact"]["lastName"]) == (
        "King",
        "Byron",
    )
    account = shown["basicInfo"]["id"]
    query = f"GET /object-query/contacts?filter[]=accountid.EQ:{account}&filter[]=nickname.EQ:wb-o1"
    assert [one["id"] for one in (await ok(sandbox, query))["data"]] == [contact]
    await ok(sandbox, f"PUT /v1/contacts/{contact}", {"lastName": "Lovelace"})
    assert (await sandbox.state("zuora"))["contacts"][contact]["lastName"] == "Lovelace"


@pytest.mark.parametrize(
    ("call", "body", "category"),
    [
        ("POST /v1/contacts", {**PERSON}, 22),
        ("POST /v1/contacts", {**PERSON, "accountNumber": "WB-9"}, 40),
        ("POST /v1/contacts", {**PERSON, "postalCode": "N1 1AA"}, 21),
        ("PUT /v1/accounts/WB-1", {"soldToContactId": "f" * 32}, 40),
        ("PUT /v1/accounts/WB-1", {"defaultPaymentMethodId": OTHER}, 30),
        ("PUT /v1/accounts/WB-9", {"autoPay": False}, 40),
        ("POST /v1/payment-methods", {"type": "Barter"}, 20),
        ("POST /v1/payment-methods", {"type": "CreditCardReferenceTransaction"}, 22),
        ("PUT /v1/payment-methods/" + "f" * 32, {"accountKey": "WB-1"}, 40),
        ("DELETE /v1/payment-methods/" + CARD, None, 30),
    ],
)
async def test_a_change_that_is_wrong_changes_nothing(
    sandbox: Sandbox, call: str, body: Any, category: int
):
    before = await sandbox.state("zuora")
    assert (await refused(sandbox, call, body))[0] == category
    assert await sandbox.state("zuora") == before


async def test_an_orphan_is_attached_made_the_default_and_the_old_one_removed(sandbox: Sandbox):
    await ok(sandbox, f"PUT /v1/payment-methods/{OTHER}", {"accountKey": "WB-1"})
    await ok(sandbox, f"PUT /v1/payment-methods/{OTHER}", {"accountKey": "WB-1"})
    await ok(sandbox, "PUT /v1/accounts/WB-1", {"defaultPaymentMethodId": OTHER, "autoPay": True})
    await ok(sandbox, f"DELETE /v1/payment-methods/{CARD}")
    methods = await ok(sandbox, "GET /v1/accounts/WB-1/payment-methods")
    assert [(one["id"], one["isDefault"]) for one in methods["creditcard"]] == [(OTHER, True)]
    other = zuora_order("2")
    other["newAccount"]["hpmCreditCardPaymentMethodId"] = CARD
    assert (await refused(sandbox, "POST /v1/orders", other))[0] == 40
    other["newAccount"]["hpmCreditCardPaymentMethodId"] = THIRD
    await ok(sandbox, "POST /v1/orders", other)
    again = {"accountKey": "WB-2"}
    assert (await refused(sandbox, f"PUT /v1/payment-methods/{OTHER}", again))[0] == 30


async def test_a_method_is_made_for_an_account_and_keeps_the_end_of_its_token(sandbox: Sandbox):
    body = {
        "type": "CreditCardReferenceTransaction",
        "accountKey": "WB-1",
        "tokenId": "tok_00005126",
        "makeDefault": True,
    }
    made = (await ok(sandbox, "POST /v1/payment-methods", body))["id"]
    assert made.endswith("00005126")
    account = await ok(sandbox, "GET /v1/accounts/WB-1")
    assert account["billingAndPayment"]["defaultPaymentMethodId"] == made


async def test_custom_fields_and_payment_profile_are_the_subscriptions(sandbox: Sandbox):
    fields = {"customFields": {"PaymentMethodId__c": CARD, "PaymentGateway__c": "Stripe UK"}}
    await ok(sandbox, "PUT /v1/subscriptions/S-1/customFields", fields)
    shown = await ok(sandbox, "GET /v1/subscriptions/S-1")
    assert shown["PaymentGateway__c"] == "Stripe UK"

    def hyphens(key: str) -> str:
        return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"

    item = {"subscriptionId": hyphens(shown["id"]), "paymentMethodId": hyphens(CARD)}
    await ok(sandbox, "PUT /v1/payment-profile", {"bulkPaymentOptionItems": [item]})
    shown = await ok(sandbox, "GET /v1/subscriptions/S-1")
    assert shown["paymentProfile"]["paymentMethodId"] == CARD
    item["subscriptionId"] = shown["id"]
    wrong = {"bulkPaymentOptionItems": [item]}
    assert (await refused(sandbox, "PUT /v1/payment-profile", wrong))[0] == 20


async def test_the_newest_order_can_be_deleted_while_nothing_is_billed(sandbox: Sandbox):
    end = ("CancelSubscription", {"cancellationPolicy": "EndOfCurrentTerm"})
    await ok(sandbox, "POST /v1/orders", zuora_change(end))
    assert (await sandbox.call("DELETE", "/zuora/v1/orders/O-1"))[1]["reasons"][0][
        "code"
    ] % 100 == 30
    await ok(sandbox, "DELETE /v1/orders/O-change")
    state = await sandbox.state("zuora")
    assert "scheduledCancelDate" not in state["subscriptions"]["S-1"]
    assert list(state["orders"]) == ["O-1"]
    assert (await sandbox.call("GET", "/zuora/v1/orders/O-change"))[0] == 404


async def test_a_pending_order_is_completed_by_its_dates(sandbox: Sandbox):
    body = zuora_order("2", processingOptions={"runBilling": False})
    action = body["subscriptions"][0]["orderActions"][0]
    action["triggerDates"] = action["triggerDates"][:1]
    assert (await ok(sandbox, "POST /v1/orders", body))["status"] == "Pending"
    dates = [
        {"name": name, "triggerDate": "2026-03-05"}
        for name in ("ServiceActivation", "CustomerAcceptance")
    ]
    entry = {"subscriptionNumber": "S-2", "orderActions": [{"sequence": 0, "triggerDates": dates}]}
    made = await ok(sandbox, "PUT /v1/orders/O-2/triggerDates", {"subscriptions": [entry]})
    assert (made["status"], made["subscriptions"][0]["status"]) == ("Completed", "Active")
    shown = await ok(sandbox, "GET /v1/subscriptions/S-2")
    assert shown["serviceActivationDate"] == "2026-03-05"
    again = {"subscriptions": [entry]}
    assert (await refused(sandbox, "PUT /v1/orders/O-2/triggerDates", again))[0] == 30


async def test_a_preview_tells_invoices_and_credits(sandbox: Sandbox):
    plan = {"productRatePlanId": "0" * 32}
    options = {"previewThruType": "SpecificDate", "specificPreviewThruDate": "2026-04-01"}
    body = zuora_change(("AddProduct", plan), previewOptions=options)
    del body["orderNumber"]
    result = (await ok(sandbox, "POST /v1/orders/preview", body))["previewResult"]
    (invoice,) = result["invoices"]
    assert invoice["amount"] == sum(one["amountWithoutTax"] for one in invoice["invoiceItems"])
    assert invoice["amount"] > 0
    assert len((await sandbox.state("zuora"))["orders"]) == 1


async def test_accounts_are_found_by_their_crm_id_and_tell_their_subscriptions(sandbox: Sandbox):
    await ok(sandbox, "PUT /v1/accounts/WB-1", {"crmId": "001000000000001AAA"})
    query = "GET /object-query/accounts?filter[]=crmid.EQ:001000000000001AAA"
    (account,) = (await ok(sandbox, query))["data"]
    assert account["accountNumber"] == "WB-1"
    held = await ok(sandbox, f"GET /v1/subscriptions/accounts/{account['id']}")
    assert [one["subscriptionNumber"] for one in held["subscriptions"]] == ["S-1"]
    query = f"GET /object-query/subscriptions?filter[]=accountid.EQ:{account['id']}"
    assert [one["name"] for one in (await ok(sandbox, query))["data"]] == ["S-1"]


async def test_the_summary_tells_invoices_and_payments(sandbox: Sandbox):
    summary = await ok(sandbox, "GET /v1/accounts/WB-1/summary")
    assert [one["status"] for one in summary["payments"]] == ["Processed"]
    assert [one["balance"] for one in summary["invoices"]] == ["0"]
