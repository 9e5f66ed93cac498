"""What the sandbox's Zuora bills, credits and prices anew, day after day."""

from typing import Any

import pytest

from tests.unit.zuora_tenant import BILLED, CARD, Tenant, charge_id, plan_id
from waybill.sandbox.testing import zuora_change, zuora_order
from waybill.sandbox.zuora.refusals import RefusedError

TWELVE_WEEKS = {
    "termType": "TERMED",
    "period": 12,
    "periodType": "Week",
    "startDate": "2026-03-01",
}
COLLECTED = {**BILLED, "collectPayment": True}


def cancel(day: str) -> tuple[str, Any]:
    policy = {"cancellationPolicy": "SpecificDate", "cancellationEffectiveDate": day}
    return ("CancelSubscription", policy)


def billing(day: str, **more: Any) -> dict[str, Any]:
    return {"runBilling": True, "billingOptions": {"targetDate": day}, **more}


def test_an_overridden_price_holds_for_the_initial_term_and_the_catalogues_follows():
    tenant = Tenant()
    tenant.buy("UK-UK Bundle Quarterly", 25.0, term=TWELVE_WEEKS)
    tenant.advance("2026-05-23")
    assert tenant.billed() == [("2026-03-01", 25)]
    tenant.advance("2026-05-24")
    assert tenant.billed() == [("2026-03-01", 25), ("2026-05-24", 55)]


@pytest.mark.parametrize(
    ("option", "then"),
    [
        ({"priceChangeOption": "NoChange"}, 25),
        ({"priceChangeOption": "UseLatestProductCatalogPricing"}, 55),
        ({"priceChangeOption": "SpecificPercentageValue", "priceIncreasePercentage": 10}, 27.5),
    ],
)
def test_the_price_after_a_renewal_is_what_the_charge_says(option: dict[str, Any], then: float):
    tenant = Tenant()
    tenant.buy("UK-UK Bundle Quarterly", term=TWELVE_WEEKS)
    plan = tenant.held.rate_plans[0]
    price = {"recurringFlatFee": {"listPrice": 25, **option}}
    change = {"productRatePlanChargeId": plan.charges[0].product_charge, "pricing": price}
    update = ("UpdateProduct", {"ratePlanId": plan.id, "chargeUpdates": [change]})
    tenant.change(update, ("RenewSubscription", {}), on="2026-03-01")
    tenant.advance("2026-05-24")
    assert tenant.billed()[-1] == ("2026-05-24", then)


def test_a_month_is_billed_at_a_time_and_only_once():
    tenant = Tenant()
    tenant.buy()
    for day in ("2026-03-31", "2026-04-01", "2026-05-15"):
        tenant.advance(day)
    assert tenant.billed() == [("2026-03-01", 9), ("2026-04-01", 9), ("2026-05-01", 9)]


def test_a_term_that_is_not_renewed_expires():
    tenant = Tenant()
    tenant.buy(term=TWELVE_WEEKS, auto_renew=False)
    tenant.advance("2027-01-01")
    assert tenant.held.status == "Expired"
    assert [day for day, _ in tenant.billed()] == ["2026-03-01", "2026-04-01", "2026-05-01"]


def test_what_is_left_of_a_billed_period_comes_back_as_a_credit_memo():
    tenant = Tenant()
    tenant.buy("UK-UK A Annual")
    made = tenant.change(cancel("2026-05-13"), processingOptions=billing("2026-05-13"))
    (memo,) = tenant.state["creditMemos"].values()
    assert made["creditMemoNumbers"] == [memo["number"]]
    assert memo["amount"] == memo["unappliedAmount"] == 72.0  # 292 of 365 days of 90.00
    assert made["invoiceNumbers"] == []


def test_nothing_comes_back_at_the_end_of_the_term():
    tenant = Tenant()
    tenant.buy("UK-UK A Annual")
    end = ("CancelSubscription", {"cancellationPolicy": "EndOfCurrentTerm"})
    tenant.change(end, processingOptions=billing("2026-05-13"))
    tenant.advance("2027-06-01")
    assert tenant.state["creditMemos"] == {}
    assert tenant.billed() == [("2026-03-01", 90)]


def test_a_switch_in_the_term_credits_the_old_plan_and_applies_it_to_the_new_invoice():
    tenant = Tenant()
    tenant.buy("UK-UK A Annual")
    gone = ("RemoveProduct", {"ratePlanId": tenant.held.rate_plans[0].id})
    new = ("AddProduct", {"productRatePlanId": plan_id("UK-UK Bundle Annual")})
    options = billing("2026-05-13", applyCredit=True, collectPayment=True)
    made = tenant.change(gone, new, on="2026-05-13", processingOptions=options)
    invoice = tenant.state["invoices"][made["invoiceNumbers"][0]]
    assert (invoice["amount"], invoice["balance"]) == (159.2, 0)  # 292 of 365 days of 199.00
    assert made["paidAmount"] == "87.20"
    assert tenant.state["creditMemos"][made["creditMemoNumbers"][0]]["unappliedAmount"] == 0


def test_a_discount_takes_its_share_for_as_many_periods_as_it_has():
    tenant = Tenant()
    tenant.buy()
    override = {
        "productRatePlanChargeId": charge_id("20 Percent Off"),
        "pricing": {"discount": {"discountPercentage": 50, "discountLevel": "subscription"}},
        "endDate": {
            "endDateCondition": "Fixed_Period",
            "upToPeriods": 1,
            "upToPeriodsType": "Billing_Periods",
        },
    }
    plan = {"productRatePlanId": plan_id("20 Percent Off"), "chargeOverrides": [override]}
    tenant.change(("AddProduct", plan))
    tenant.advance("2026-05-01")
    assert tenant.billed() == [("2026-03-01", 9), ("2026-04-01", 4.5), ("2026-05-01", 9)]


def test_a_one_time_charge_is_billed_once():
    tenant = Tenant()
    tenant.buy("UK-UK Bundle with Joining Fee")
    tenant.advance("2026-04-01")
    assert sorted(amount for _, amount in tenant.billed()) == [15, 20, 20]


def test_a_quantity_multiplies_the_price():
    tenant = Tenant()
    tenant.buy()
    override = {
        "productRatePlanChargeId": charge_id("Extra Readers Monthly"),
        "pricing": {"recurringPerUnit": {"quantity": 3}},
    }
    plan = {
        "productRatePlanId": plan_id("Extra Readers Monthly"),
        "chargeOverrides": [override],
    }
    tenant.change(("AddProduct", plan))
    tenant.advance("2026-04-01")
    assert ("2026-04-01", 15) in tenant.billed()


def test_a_price_must_fit_the_kind_of_its_charge():
    tenant = Tenant()
    tenant.buy()
    override = {
        "productRatePlanChargeId": charge_id("Crossword Monthly"),
        "pricing": {"oneTimeFlatFee": {"listPrice": 3}},
    }
    plan = {"productRatePlanId": plan_id("Crossword Monthly"), "chargeOverrides": [override]}
    with pytest.raises(RefusedError, match="does not fit"):
        tenant.change(("AddProduct", plan))


def test_a_declined_card_books_nothing():
    tenant = Tenant()
    card = CARD[:-8] + "00000002"
    account = {"hpmCreditCardPaymentMethodId": card}
    new = zuora_order()["newAccount"] | account
    with pytest.raises(RefusedError, match="declined") as refused:
        tenant.buy(newAccount=new, processingOptions=COLLECTED)
    assert refused.value.category == 99
    assert tenant.state["accounts"] == {}
    assert tenant.state["subscriptions"] == {}


def test_a_preview_bills_without_booking():
    tenant = Tenant()
    tenant.buy("UK-UK A Annual")
    before = tenant.state
    options = {"previewThruType": "SpecificDate", "specificPreviewThruDate": "2026-05-13"}
    body = zuora_change(cancel("2026-05-13"), previewOptions=options)
    assert [(item.kind, item.amount) for item in tenant.booking.preview(body)] == [("Credit", -72)]
    assert tenant.state == before


@pytest.mark.parametrize(("ending", "status"), [("00005126", "Error"), ("906d5e11", "Success")])
def test_a_refund_that_fails_is_told_inside_a_success(ending: str, status: str):
    tenant = Tenant()
    new = zuora_order()["newAccount"] | {"hpmCreditCardPaymentMethodId": CARD[:-8] + ending}
    tenant.buy("UK-UK A Annual", newAccount=new, processingOptions=COLLECTED)
    options = billing("2026-05-13", refund=True, refundAmount=72)
    made = tenant.change(cancel("2026-05-13"), processingOptions=options)
    assert [refund["status"] for refund in made["refunds"]] == [status]
    memo = tenant.state["creditMemos"][made["creditMemoNumbers"][0]]
    assert memo["unappliedAmount"] == (72 if status == "Error" else 0)
    assert tenant.held.cancelled_on is not None


def test_no_more_is_refunded_than_was_credited():
    tenant = Tenant()
    tenant.buy("UK-UK A Annual")
    options = billing("2026-05-13", refund=True, refundAmount=72.01)
    with pytest.raises(RefusedError, match="not covered"):
        tenant.change(cancel("2026-05-13"), processingOptions=options)
    assert tenant.held.cancelled_on is None


def test_a_pending_subscription_is_not_billed():
    tenant = Tenant()
    body = zuora_order(processingOptions=BILLED)
    action = body["subscriptions"][0]["orderActions"][0]
    action["triggerDates"] = action["triggerDates"][:1]
    made = tenant.order(body)
    assert (made["status"], made["invoiceNumbers"]) == ("Pending", [])
