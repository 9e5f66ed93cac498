"""Memos, payments and refunds of the sandbox's Zuora over HTTP."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from waybill.sandbox.testing import Sandbox, running_sandbox, zuora_order

CHARGE = "8ad09be48db5aba7018db60477724859"
CARD = "8adca41e7c7cf49c017c84948c906d5e"
ANNUAL = "/zuora/object-query/product-rate-plans?filter[]=name.EQ:UK-UK A Annual"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with running_sandbox() as running:
        yield running


async def ok(sandbox: Sandbox, call: str, body: Any = None) -> Any:
    method, path = call.split(" ", 1)
    status, answer = await sandbox.call(method, f"/zuora{path}", body)
    assert status == 200
    assert answer.get("success", True) is True, answer
    return answer


async def refused(sandbox: Sandbox, call: str, body: Any = None) -> tuple[int, str]:
    """Category and message of a refusal."""
    method, path = call.split(" ", 1)
    _, answer = await sandbox.call(method, f"/zuora{path}", body)
    assert answer["success"] is False
    (reason,) = answer["reasons"]
    return reason["code"] % 100, reason["message"]


async def buy(sandbox: Sandbox, card: str = CARD) -> Any:
    """The account WB-1 with a paid annual subscription."""
    plan = (await sandbox.call("GET", ANNUAL))[1]["data"][0]["id"]
    body = zuora_order()
    body["newAccount"]["hpmCreditCardPaymentMethodId"] = card
    created = body["subscriptions"][0]["orderActions"][0]["createSubscription"]
    created["subscribeToRatePlans"] = [{"productRatePlanId": plan}]
    created["terms"]["initialTerm"] |= {"period": 12, "periodType": "Month"}
    return await ok(sandbox, "POST /v1/orders", body)


def memo(number: str = "CM-1", amount: float = 10, **more: Any) -> dict[str, Any]:
    charge = {"productRatePlanChargeId": CHARGE, "amount": amount}
    return {
        "accountNumber": "WB-1",
        "number": number,
        "autoPost": True,
        "charges": [charge],
        **more,
    }


def refund(amount: float = 10, **more: Any) -> dict[str, Any]:
    return {"type": "Electronic", "totalAmount": amount, "paymentMethodId": CARD, **more}


async def test_a_debit_memo_is_collected_once(sandbox: Sandbox):
    await buy(sandbox)
    made = await ok(sandbox, "POST /v1/debit-memos", memo("DM-1", 120, autoPay=True))
    assert (made["balance"], made["status"]) == (120, "Posted")
    collect = {"collect": True, "payment": {"paymentMethodId": CARD}}
    paid = await ok(sandbox, "POST /v1/debit-memos/DM-1/collect", collect)
    assert paid["processedPayment"]["status"] == "Processed"
    assert (await ok(sandbox, "GET /v1/debit-memos/DM-1"))["balance"] == 0
    assert (await refused(sandbox, "POST /v1/debit-memos/DM-1/collect", collect))[0] == 30


async def test_a_declined_collection_leaves_the_balance_and_a_payment_in_error(sandbox: Sandbox):
    await buy(sandbox)
    await ok(sandbox, "POST /v1/debit-memos", memo("DM-1", 120))
    card = CARD[:-8] + "00009995"
    await ok(sandbox, f"PUT /v1/payment-methods/{card}", {"accountKey": "WB-1"})
    collect = {"collect": True, "payment": {"paymentMethodId": card}}
    category, said = await refused(sandbox, "POST /v1/debit-memos/DM-1/collect", collect)
    assert (category, "insufficient" in said) == (99, True)
    assert (await ok(sandbox, "GET /v1/debit-memos/DM-1"))["balance"] == 120
    payments = (await sandbox.state("zuora"))["payments"].values()
    assert sorted(one["status"] for one in payments) == ["Error", "Processed"]


@pytest.mark.parametrize(
    ("change", "category"),
    [
        ({"number": "CM-1"}, 30),
        ({"accountNumber": "WB-9"}, 40),
        ({"currency": "EUR"}, 20),
        ({"charges": []}, 22),
        ({"charges": [{"productRatePlanChargeId": "f" * 32, "amount": 1}]}, 20),
        ({"charges": [{"productRatePlanChargeId": CHARGE, "amount": 0}]}, 20),
        ({"charges": [{"productRatePlanChargeId": CHARGE, "amount": "1"}]}, 20),
        ({"number": "no spaces, please"}, 20),
        ({"amount": 1}, 21),
    ],
)
async def test_a_memo_that_is_wrong_is_refused(sandbox: Sandbox, change: Any, category: int):
    await buy(sandbox)
    await ok(sandbox, "POST /v1/credit-memos", memo("CM-1"))
    wrong = {**memo("CM-2"), **change}
    assert (await refused(sandbox, "POST /v1/credit-memos", wrong))[0] == category
    assert list((await sandbox.state("zuora"))["creditMemos"]) == ["CM-1"]


async def test_a_credit_memo_is_refunded_up_to_what_is_unapplied(sandbox: Sandbox):
    await buy(sandbox)
    await ok(sandbox, "POST /v1/credit-memos", memo(OrderId__c="o-1"))
    made = await ok(
        sandbox, "POST /v1/credit-memos/CM-1/refund", refund(4, comment="o-1", OrderId__c="o-1")
    )
    assert (made["status"], made["amount"], made["OrderId__c"]) == ("Processed", 4, "o-1")
    category, said = await refused(sandbox, "POST /v1/credit-memos/CM-1/refund", refund(6.01))
    assert (category, "unapplied" in said) == (30, True)
    listed = await ok(sandbox, "GET /v1/credit-memos?accountNumber=WB-1&number=CM-1")
    (shown,) = listed["creditmemos"]
    assert (shown["unappliedAmount"], shown["refundAmount"], shown["OrderId__c"]) == (6, 4, "o-1")
    found = await ok(sandbox, f"GET /v1/refunds?accountId={shown['accountId']}&amount=4.0")
    assert [one["number"] for one in found["refunds"]] == [made["number"]]
    assert (await ok(sandbox, f"GET /v1/refunds/{made['id']}"))["comment"] == "o-1"


async def test_a_draft_is_posted_before_it_is_refunded(sandbox: Sandbox):
    await buy(sandbox)
    await ok(sandbox, "POST /v1/credit-memos", memo(autoPost=False))
    assert (await refused(sandbox, "POST /v1/credit-memos/CM-1/refund", refund()))[0] == 30


@pytest.mark.parametrize(
    ("ending", "status", "left"),
    [("00005126", "Error", 10), ("00007726", "Processing", 0), ("11111111", "Processed", 0)],
)
async def test_a_card_tells_by_its_end_what_becomes_of_a_refund(
    sandbox: Sandbox, ending: str, status: str, left: int
):
    card = CARD[:-8] + ending
    await buy(sandbox, card)
    await ok(sandbox, "POST /v1/credit-memos", memo())
    body = refund(paymentMethodId=card)
    made = await ok(sandbox, "POST /v1/credit-memos/CM-1/refund", body)
    assert made["status"] == status
    assert (await ok(sandbox, "GET /v1/credit-memos/CM-1"))["unappliedAmount"] == left


async def test_some_methods_take_no_refund_without_its_payment(sandbox: Sandbox):
    card = CARD[:-8] + "00003155"
    await buy(sandbox, card)
    await ok(sandbox, "POST /v1/credit-memos", memo())
    body = refund(paymentMethodId=card)
    category, said = await refused(sandbox, "POST /v1/credit-memos/CM-1/refund", body)
    assert (category, "non-referenced" in said) == (30, True)
    paid = next(iter((await sandbox.state("zuora"))["payments"]))
    body = {"type": "Electronic", "totalAmount": 10}
    assert (await refused(sandbox, f"POST /v1/payments/{paid}/refunds", body))[0] == 30
    invoice = next(iter((await sandbox.state("zuora"))["invoices"]))
    body["invoices"] = [{"invoiceNumber": invoice, "amount": 10}]
    made = await ok(sandbox, f"POST /v1/payments/{paid}/refunds/unapply", body)
    assert made["status"] == "Processed"
    state = await sandbox.state("zuora")
    assert state["payments"][paid]["refundAmount"] == 10
    assert state["invoices"][invoice]["balance"] == 10


async def test_an_external_refund_names_how_it_was_paid(sandbox: Sandbox):
    await buy(sandbox)
    await ok(sandbox, "POST /v1/credit-memos", memo())
    body = {"type": "External", "totalAmount": 10}
    assert (await refused(sandbox, "POST /v1/credit-memos/CM-1/refund", body))[0] == 22
    made = await ok(sandbox, "POST /v1/credit-memos/CM-1/refund", {**body, "methodType": "Check"})
    assert (made["type"], made["status"]) == ("External", "Processed")


async def test_an_invoice_is_credited_item_by_item(sandbox: Sandbox):
    (number,) = (await buy(sandbox))["invoiceNumbers"]
    invoice = await ok(sandbox, f"GET /v1/invoices/{number}")
    (item,) = (await ok(sandbox, f"GET /v1/invoices/{number}/items"))["invoiceItems"]
    entry = {"invoiceItemId": item["id"], "amount": 30.0, "skuName": "SKU"}
    body = {"invoiceId": invoice["id"], "autoPost": True, "items": [entry]}
    made = await ok(sandbox, f"POST /v1/credit-memos/invoice/{number}", body)
    assert (made["amount"], made["referredInvoiceId"]) == (30, invoice["id"])
    entry["amount"] = 60.01
    assert (await refused(sandbox, f"POST /v1/credit-memos/invoice/{number}", body))[0] == 30


async def test_a_closed_period_takes_no_memo(sandbox: Sandbox):
    await buy(sandbox)
    await sandbox.advance("2026-03-02", closed_through="2026-02-28")
    closed = memo(effectiveDate="2026-02-28")
    category, said = await refused(sandbox, "POST /v1/credit-memos", closed)
    assert (category, "closed accounting period" in said) == (30, True)
    await ok(sandbox, "POST /v1/credit-memos", memo(effectiveDate="2026-03-01"))


async def test_what_is_not_there_is_category_40(sandbox: Sandbox):
    paths = ("credit-memos/CM-9", "debit-memos/DM-9", "payments/P-9", "refunds/R-9", "invoices/I-9")
    for path in paths:
        assert (await refused(sandbox, f"GET /v1/{path}"))[0] == 40
